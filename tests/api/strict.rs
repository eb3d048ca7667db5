//! Anything but a whole JPEG or PNG is `invalid_payload`, with the reason that `id-image` gives, and stores nothing.

use rstest::rstest;
use testkit::images;

use crate::helpers::*;

#[rstest]
#[case::no_base64(Form::full().with("addressImage", "*".repeat(100)), "not standard Base64")]
#[case::a_mistake(Form::full().with("addressImage", "front.jpg"), "the name of a file, not its content")]
#[case::a_gif(Form::full().with_image("addressImage", b"GIF89a"), "a GIF; send a JPEG or PNG")]
#[case::another_file(Form::full().with_image("addressImage", &[0]), "neither a JPEG nor a PNG")]
#[case::half_a_jpeg(Form::full().with_image("addressImage", &images::jpeg(400, 1)[..200]), "the JPEG is cut off")]
#[case::half_a_png(Form::full().with_image("addressImage", &images::png(400, 1)[..200]), "the PNG is cut off")]
#[tokio::test]
async fn images_that_are_none(#[case] form: Form, #[case] reason: &str) {
    let app = TestApp::start().await;
    let detail = format!("addressImage: {reason}");
    app.assert_refused_because(&form, INVALID_PAYLOAD, &detail)
        .await;
}
