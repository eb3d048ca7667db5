//! The order of checks: of two rows that occur together, the earlier one is the answer.

use local::faults::{End, Fault, Operation, When};

use crate::helpers::*;

/// A row and what brings it about. `None` for the key or a field leaves it out.
#[allow(clippy::option_option, reason = "no change, no key, another key")]
struct Defect {
    row: Row,
    name: &'static str,
    key: Option<Option<&'static str>>,
    fields: &'static [(&'static str, Option<&'static str>)],
}

const fn fields(
    row: Row,
    name: &'static str,
    fields: &'static [(&'static str, Option<&'static str>)],
) -> Defect {
    Defect {
        row,
        name,
        key: None,
        fields,
    }
}

const fn key(row: Row, name: &'static str, key: Option<&'static str>) -> Defect {
    Defect {
        row,
        name,
        key: Some(key),
        fields: &[],
    }
}

const WITHOUT_IMAGES: &[(&str, Option<&str>)] = &[
    ("idImage", None),
    ("idBackImage", None),
    ("selfieImage", None),
    ("addressImage", None),
];

const DEFECTS: &[Defect] = &[
    fields(
        INVALID_PAYLOAD,
        "not Base64",
        &[("addressImage", Some("?"))],
    ),
    fields(INVALID_PAYLOAD, "repeated", &[("again", Some(""))]),
    key(MISSING_DATA, "no key", None),
    fields(MISSING_DATA, "no submission", &[("submissionId", None)]),
    fields(MISSING_DATA, "no admin", &[("admin", None)]),
    key(
        UNKNOWN_PROJECT,
        "a key without project",
        Some(KEY_WITHOUT_PROJECT),
    ),
    key(INACTIVE_PROJECT, "a closed project", Some(CLOSED_KEY)),
    fields(
        INVALID_ADMIN,
        "nobody's account",
        &[("admin", Some("nobody@example.com"))],
    ),
    fields(
        INVALID_SUBMISSION,
        "no such submission",
        &[("submissionId", Some("none"))],
    ),
    fields(
        INVALID_SUBMISSION,
        "another project's submission",
        &[("submissionId", Some("closed-submission"))],
    ),
    fields(NO_IMAGES, "no image", WITHOUT_IMAGES),
    fields(MISSING_ID_TYPE, "no type", &[("idType", None)]),
    fields(INVALID_ID_TYPE, "a wrong type", &[("idType", Some("x"))]),
];

impl Defect {
    fn apply(&self, mut form: Form) -> Form {
        if let Some(key) = self.key {
            form.key = key.map(str::to_owned);
        }
        for (name, value) in self.fields {
            form = match value {
                // Twice, since another defect may have taken the field out.
                Some(_) if *name == "again" => {
                    form.and("submissionId", "x").and("submissionId", "x")
                }
                Some(value) => form.with(name, *value),
                None => form.without(name),
            };
        }
        form
    }

    /// Two defects of one place, or a missing type without an ID image, can't occur together.
    fn excludes(&self, other: &Self) -> bool {
        let same_field = self
            .fields
            .iter()
            .any(|(name, _)| other.fields.iter().any(|(other, _)| name == other));
        let no_type = self.row == NO_IMAGES && other.row == MISSING_ID_TYPE;
        (self.key.is_some() && other.key.is_some()) || same_field || no_type
    }
}

#[tokio::test]
async fn of_two_rows_the_earlier_wins() {
    let app = App::start().await;
    let mut pairs = 0;
    for (i, first) in DEFECTS.iter().enumerate() {
        for second in DEFECTS[i + 1..]
            .iter()
            .filter(|second| second.row != first.row && !first.excludes(second))
        {
            let form = first.apply(second.apply(Form::full()));
            app.assert_refused(
                &form,
                first.row,
                &format!("{} and {}", first.name, second.name),
            )
            .await;
            pairs += 1;
        }
    }
    assert!(pairs > 50, "{pairs} pairs");
    assert!(app.objects().await.is_empty());
}

#[tokio::test]
async fn rows_before_a_fault_win_over_it() {
    let app = App::start().await;
    let two_projects = || Form::full().with_key(KEY_OF_TWO);
    for (form, row, why) in [
        (
            two_projects().with("selfieImage", "?"),
            INVALID_PAYLOAD,
            "not Base64",
        ),
        (two_projects().without("admin"), MISSING_DATA, "no admin"),
        (
            two_projects().with("admin", "nobody@example.com"),
            PROCESSING_ERROR,
            "nobody's account, of which project?",
        ),
        (
            Form::texts().with_key(KEY_OF_TWO),
            PROCESSING_ERROR,
            "no image",
        ),
    ] {
        app.assert_refused(&form, row, why).await;
    }
    // The submission can't be read, and the answer doesn't need it.
    app.faults.inject(Fault {
        operation: Operation::GetItem,
        when: When::Always,
        takes_effect: false,
        end: End::Error(400, "AccessDeniedException"),
    });
    for (form, row, why) in [
        (Form::full(), PROCESSING_ERROR, "the fault alone"),
        (
            Form::full().with_key(KEY_WITHOUT_PROJECT),
            UNKNOWN_PROJECT,
            "a key without project",
        ),
        (
            Form::full().with_key(CLOSED_KEY),
            INACTIVE_PROJECT,
            "a closed project",
        ),
        (
            Form::full().with("admin", "nobody@example.com"),
            INVALID_ADMIN,
            "nobody's account",
        ),
        (Form::texts(), PROCESSING_ERROR, "no image"),
    ] {
        app.assert_refused(&form, row, why).await;
    }
}
