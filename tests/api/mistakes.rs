//! What callers send by mistake: refused, with a reason that says what to change, and nothing stored. Those in place of
//! an image are the tests of `id-image`.

use admin::project::{NewKey, NewProject};
use local::records::{Records, Submission};
use rstest::rstest;

use crate::helpers::*;

const INVISIBLE_ADMIN: &str = "admin: has an invisible character";
const INVISIBLE_ID: &str = "submissionId: has an invisible character";
const QUOTED_ADMIN: &str = "admin: in quotation marks";
const QUOTED_ID: &str = "submissionId: in quotation marks";
const NO_ADMIN: &str = "admin: not an administrator of the project";
const NO_SUBMISSION: &str = "submissionId: no such submission in the project";

#[rstest]
#[case::id_in_double_quotes("submissionId", "\"demo-submission\"", INVALID_SUBMISSION, QUOTED_ID)]
#[case::id_in_single_quotes("submissionId", "'demo-submission'", INVALID_SUBMISSION, QUOTED_ID)]
#[case::id_with_a_quote("submissionId", "demo-submission\"", INVALID_SUBMISSION, QUOTED_ID)]
#[case::id_in_typographic_quotes(
    "submissionId",
    "“demo-submission”",
    INVALID_SUBMISSION,
    QUOTED_ID
)]
#[case::id_with_a_byte_order_mark(
    "submissionId",
    "\u{FEFF}demo-submission",
    INVALID_SUBMISSION,
    INVISIBLE_ID
)]
#[case::id_with_a_zero_width_space(
    "submissionId",
    "demo-\u{200B}submission",
    INVALID_SUBMISSION,
    INVISIBLE_ID
)]
#[case::id_with_a_no_break_space(
    "submissionId",
    "demo\u{A0}submission",
    INVALID_SUBMISSION,
    INVISIBLE_ID
)]
#[case::another_id("submissionId", "demo submission", INVALID_SUBMISSION, NO_SUBMISSION)]
#[case::account_in_quotes("admin", "\"admin@example.com\"", INVALID_ADMIN, QUOTED_ADMIN)]
#[case::account_with_a_soft_hyphen(
    "admin",
    "admin@exam\u{AD}ple.com",
    INVALID_ADMIN,
    INVISIBLE_ADMIN
)]
#[case::account_with_a_direction_mark(
    "admin",
    "admin@example.com\u{200E}",
    INVALID_ADMIN,
    INVISIBLE_ADMIN
)]
#[case::another_account("admin", "o'neil@example.com", INVALID_ADMIN, NO_ADMIN)]
#[case::type_in_quotes(
    "idType",
    "\"passport\"",
    INVALID_ID_TYPE,
    "idType: in quotation marks"
)]
#[case::type_with_a_mark(
    "idType",
    "passport\u{FEFF}",
    INVALID_ID_TYPE,
    "idType: has an invisible character"
)]
#[tokio::test]
async fn in_a_text_field(
    #[case] field: &str,
    #[case] value: &str,
    #[case] row: Row,
    #[case] detail: &str,
) {
    let app = TestApp::start().await;
    let form = Form::full().with(field, value);
    app.assert_refused_because(&form, row, detail).await;
}

/// S3 can't list a key with such an ID, or another ID's objects would be under it. That records of it exist changes
/// nothing.
#[rstest]
#[case::slash("demo-project", "a/b", NO_SUBMISSION)]
#[case::folder("demo-project", ".", NO_SUBMISSION)]
#[case::folder_above("demo-project", "..", NO_SUBMISSION)]
#[case::noncharacter("demo-project", "a\u{FFFE}b", INVISIBLE_ID)]
#[case::last_noncharacter("demo-project", "a\u{FFFF}b", INVISIBLE_ID)]
#[case::project_with_a_slash("p/a", "b", NO_SUBMISSION)]
#[case::project_above("..", "b", NO_SUBMISSION)]
#[tokio::test]
async fn in_an_id_that_exists(#[case] project: &str, #[case] id: &str, #[case] detail: &str) {
    let app = TestApp::start().await;
    let key = "demo-key-of-an-odd-id";
    let is_odd_project = project != "demo-project";
    let records = Records {
        projects: Vec::from_iter(is_odd_project.then(|| NewProject {
            project_id: project.to_owned(),
            api_key: NewKey::from(key),
            status: "active".to_owned(),
            admins: vec![ADMIN.to_owned()],
        })),
        submissions: vec![Submission {
            submission_id: id.to_owned(),
            project_id: Some(project.to_owned()),
        }],
        keys_without_project: Vec::new(),
    };
    let tables = app.stack.endpoints.records(app.stack.config.clone());
    records.seed(&tables).await.unwrap();
    assert_eq!(app.record(id).await["projectId"], project);
    let form = Form::full().with("submissionId", id);
    let form = form.with_key(if is_odd_project { key } else { KEY });
    app.assert_refused_because(&form, INVALID_SUBMISSION, detail)
        .await;
}
