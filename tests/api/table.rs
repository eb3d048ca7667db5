//! The error table: each row's exact status and JSON, with nothing stored and nothing changed.

use local::images;

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
        (form().with("idImage", cut), INVALID_PAYLOAD, "a cut image"),
        (
            form().with("selfieImage", "?"),
            INVALID_PAYLOAD,
            "not Base64",
        ),
        (
            form().with("selfieImage", "R0lGODlhAQABAAAAACw="),
            INVALID_PAYLOAD,
            "a GIF",
        ),
        (
            form().and("admin", ADMIN),
            INVALID_PAYLOAD,
            "a repeated text",
        ),
        (
            form().and("idImage", ""),
            INVALID_PAYLOAD,
            "a repeated image, even if empty",
        ),
        (
            form().with("admin", b"\xFF".to_vec()),
            INVALID_PAYLOAD,
            "not UTF-8",
        ),
        (
            form().with("admin", "a".repeat(257)),
            INVALID_PAYLOAD,
            "too long",
        ),
        (
            form().with("submissionId", "a".repeat(257)),
            INVALID_PAYLOAD,
            "too long",
        ),
        (
            form().with("idType", "a".repeat(257)),
            INVALID_PAYLOAD,
            "too long",
        ),
        (form().without_key(), MISSING_DATA, "no key"),
        (form().with_key(""), MISSING_DATA, "an empty key"),
        (form().with_key(" "), MISSING_DATA, "a blank key"),
        (
            form().without("submissionId"),
            MISSING_DATA,
            "no submission",
        ),
        (
            form().with("submissionId", ""),
            MISSING_DATA,
            "an empty submission",
        ),
        (
            form().with("submissionId", " \t\r\n"),
            MISSING_DATA,
            "a blank submission",
        ),
        (form().without("admin"), MISSING_DATA, "no admin"),
        (
            form().with("admin", "\u{3000}"),
            MISSING_DATA,
            "a blank admin",
        ),
        (
            form().with_key(KEY_WITHOUT_PROJECT),
            UNKNOWN_PROJECT,
            "a key without project",
        ),
        (
            form().with_key(&KEY.to_uppercase()),
            UNKNOWN_PROJECT,
            "keys are compared to the letter",
        ),
        (
            form().with_key(CLOSED_KEY),
            INACTIVE_PROJECT,
            "a closed project",
        ),
        (
            form().with("admin", "nobody@example.com"),
            INVALID_ADMIN,
            "nobody's account",
        ),
        (
            form().with("admin", "dmin@example.com"),
            INVALID_ADMIN,
            "a part of an account",
        ),
        (
            form().with("submissionId", "none"),
            INVALID_SUBMISSION,
            "no such submission",
        ),
        (
            form().with("submissionId", "a".repeat(256)),
            INVALID_SUBMISSION,
            "no such submission, of the longest ID",
        ),
        (
            form().with("submissionId", "closed-submission"),
            INVALID_SUBMISSION,
            "another project's submission",
        ),
        (Form::texts(), NO_IMAGES, "no image"),
        (
            Form::texts().with("selfieImage", ""),
            NO_IMAGES,
            "an empty image",
        ),
        (
            Form::texts().with("selfieImage", " \r\n"),
            NO_IMAGES,
            "a blank image",
        ),
        (
            Form::texts().with("unknown", "aGVsbG8="),
            NO_IMAGES,
            "no documented image",
        ),
        (
            form().without("idType"),
            MISSING_ID_TYPE,
            "no type of the ID",
        ),
        (
            form().with("idType", " "),
            MISSING_ID_TYPE,
            "a blank type of the ID",
        ),
        (
            form().without("idType").without("idImage"),
            MISSING_ID_TYPE,
            "no type of the ID's back",
        ),
        (
            form().with("idType", "library_card"),
            INVALID_ID_TYPE,
            "a type that isn't documented",
        ),
        (
            form().with("idType", "Passport"),
            INVALID_ID_TYPE,
            "types are compared to the letter",
        ),
        (
            form()
                .without("idImage")
                .without("idBackImage")
                .with("idType", "x"),
            INVALID_ID_TYPE,
            "without an ID image too",
        ),
        (
            form().with("submissionId", "nobodys-submission"),
            INVALID_SUBMISSION,
            "a record that is nobody's",
        ),
        (
            form().with_key(KEY_OF_TWO),
            PROCESSING_ERROR,
            "a key of two projects",
        ),
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
            "idImage: neither a JPEG nor a PNG",
        ),
        (
            Form::full().with_image("idImage", b"GIF89a"),
            "idImage: a GIF; send a JPEG or PNG",
        ),
        (
            Form::full().with_image("idImage", &images::jpeg(300, 1)[..299]),
            "idImage: the JPEG is cut off",
        ),
        (
            Form::full().with_image("idImage", &images::png(300, 1)[..299]),
            "idImage: the PNG is cut off",
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
