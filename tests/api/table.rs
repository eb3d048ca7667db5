//! The error table: each row's exact status and JSON, with nothing stored and nothing changed.

use crate::helpers::*;

#[tokio::test]
async fn success_is_the_documented_json() {
    let app = App::start().await;
    let answer = app.put(&Form::full()).await;
    assert_eq!(answer.row(), SUCCESS);
}

#[tokio::test]
async fn each_row_is_answered_and_stores_nothing() {
    let app = App::start().await;
    // What a refusal could change by mistake is there.
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let form = Form::full;
    let cut = form().fields[3].1[..400].to_vec();
    for (form, row, why) in [
        (form().with("idImage", cut), ROW_1, "a cut image"),
        (form().with("selfieImage", "?"), ROW_1, "not Base64"),
        (
            form().with("selfieImage", "R0lGODlhAQABAAAAACw="),
            ROW_1,
            "a GIF",
        ),
        (form().and("admin", ADMIN), ROW_1, "a repeated text"),
        (
            form().and("idImage", ""),
            ROW_1,
            "a repeated image, even if empty",
        ),
        (form().with("admin", b"\xFF".to_vec()), ROW_1, "not UTF-8"),
        (form().with("admin", "a".repeat(257)), ROW_1, "too long"),
        (
            form().with("submissionId", "a".repeat(257)),
            ROW_1,
            "too long",
        ),
        (form().with("idType", "a".repeat(257)), ROW_1, "too long"),
        (form().without_key(), ROW_2, "no key"),
        (form().with_key(""), ROW_2, "an empty key"),
        (form().with_key(" "), ROW_2, "a blank key"),
        (form().without("submissionId"), ROW_2, "no submission"),
        (
            form().with("submissionId", ""),
            ROW_2,
            "an empty submission",
        ),
        (
            form().with("submissionId", " \t\r\n"),
            ROW_2,
            "a blank submission",
        ),
        (form().without("admin"), ROW_2, "no admin"),
        (form().with("admin", "\u{3000}"), ROW_2, "a blank admin"),
        (
            form().with_key(KEY_WITHOUT_PROJECT),
            ROW_3,
            "a key without project",
        ),
        (
            form().with_key(&KEY.to_uppercase()),
            ROW_3,
            "keys are compared to the letter",
        ),
        (form().with_key(CLOSED_KEY), ROW_4, "a closed project"),
        (
            form().with("admin", "nobody@example.com"),
            ROW_5,
            "nobody's account",
        ),
        (
            form().with("admin", "dmin@example.com"),
            ROW_5,
            "a part of an account",
        ),
        (
            form().with("submissionId", "none"),
            ROW_6,
            "no such submission",
        ),
        (
            form().with("submissionId", "a".repeat(256)),
            ROW_6,
            "no such submission, of the longest ID",
        ),
        (
            form().with("submissionId", "closed-submission"),
            ROW_6,
            "another project's submission",
        ),
        (Form::texts(), ROW_7, "no image"),
        (
            Form::texts().with("selfieImage", ""),
            ROW_7,
            "an empty image",
        ),
        (
            Form::texts().with("selfieImage", " \r\n"),
            ROW_7,
            "a blank image",
        ),
        (
            Form::texts().with("unknown", "aGVsbG8="),
            ROW_7,
            "no documented image",
        ),
        (form().without("idType"), ROW_8, "no type of the ID"),
        (form().with("idType", " "), ROW_8, "a blank type of the ID"),
        (
            form().without("idType").without("idImage"),
            ROW_8,
            "no type of the ID's back",
        ),
        (
            form().with("idType", "library_card"),
            ROW_9,
            "a type that isn't documented",
        ),
        (
            form().with("idType", "Passport"),
            ROW_9,
            "types are compared to the letter",
        ),
        (
            form()
                .without("idImage")
                .without("idBackImage")
                .with("idType", "x"),
            ROW_9,
            "without an ID image too",
        ),
        (
            form().with("submissionId", "nobodys-submission"),
            ROW_6,
            "a record that is nobody's",
        ),
        (form().with_key(KEY_OF_TWO), ROW_10, "a key of two projects"),
    ] {
        app.assert_refused(&form, row, why).await;
    }
}

#[tokio::test]
async fn every_id_type_is_accepted_and_stored_with_an_id_image() {
    let app = App::start().await;
    for id_type in [
        "drivers_license",
        "government_id",
        "passport",
        "residence_permit",
        "vehicle_registration_certificate",
        "visa",
        "aadhaar",
        "pancard",
    ] {
        assert_eq!(
            app.put(&Form::full().with("idType", id_type)).await.row(),
            SUCCESS,
            "{id_type}"
        );
        assert_eq!(app.record(SUBMISSION).await["idType"], id_type);
    }
}

#[tokio::test]
async fn details_name_the_field_and_never_echo() {
    let app = App::start().await;
    let secret = "s3cret@example.com";
    for (form, detail) in [
        (
            Form::full().with("idImage", "YQ=="),
            "idImage: not a complete JPEG or PNG",
        ),
        (
            Form::full().with("selfieImage", secret),
            "selfieImage: not Base64 of the standard alphabet",
        ),
        (
            Form::full().and("admin", secret),
            "admin: sent more than once",
        ),
        (
            Form::full().with("admin", secret),
            "admin: not an administrator of the project",
        ),
        (
            Form::full().with("submissionId", secret),
            "submissionId: no such submission in the project",
        ),
        (
            Form::full().with("idType", secret),
            "idType: not one of the documented types",
        ),
        (
            Form::full().with_key(KEY_OF_TWO),
            "a fault on our side, please try again",
        ),
    ] {
        assert_eq!(app.put(&form).await.detail.as_deref(), Some(detail));
    }
}
