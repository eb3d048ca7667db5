//! Requests that race for one submission: the record shows one of them whole, or one for each image.

use futures_util::future::join_all;
use put_image::domain::ImageField;

use crate::helpers::*;

#[tokio::test]
async fn the_record_shows_one_request_whole() {
    let app = TestApp::start().await;
    let forms: Vec<Form> = (0..6).map(Form::seeded).collect();
    for answer in join_all(forms.iter().map(|form| app.put(form))).await {
        assert_eq!(answer.row(), SUCCESS, "{answer:?}");
    }
    let shown = app.images().await;
    assert!(
        forms.iter().any(|form| form.images() == shown),
        "two requests' images are mixed"
    );
    // moto checks a condition and writes in two steps, so two racers can replace the same images there.
    if app.is_atomic {
        assert_eq!(app.objects().await.len(), ImageField::ALL.len());
    }
}

#[tokio::test]
async fn requests_for_different_images_all_succeed() {
    let app = TestApp::start().await;
    let all = Form::seeded(1);
    let forms = ImageField::ALL.map(|field| all.clone().with_only(field));
    for answer in join_all(forms.iter().map(|form| app.put(form))).await {
        assert_eq!(answer.row(), SUCCESS, "{answer:?}");
    }
    assert_eq!(app.images().await, all.images());
}
