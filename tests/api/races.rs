//! Requests that race for one submission.

use futures_util::future::join_all;

use crate::helpers::*;
use local::images;

const FIELDS: [&str; 4] = ["idImage", "idBackImage", "selfieImage", "addressImage"];

#[tokio::test]
async fn the_record_shows_one_request_whole() {
    let app = App::start().await;
    let racers: Vec<Vec<Vec<u8>>> = (0..6)
        .map(|racer| {
            (0..4)
                .map(|field| images::png(500, racer * 4 + field))
                .collect()
        })
        .collect();
    let forms = racers.iter().map(|images| {
        let form = Form::texts();
        FIELDS
            .iter()
            .zip(images)
            .fold(form, |form, (field, image)| form.with_image(field, image))
    });
    let forms: Vec<Form> = forms.collect();
    for answer in join_all(forms.iter().map(|form| app.put(form))).await {
        assert_eq!(answer.row(), SUCCESS, "{answer:?}");
    }
    let mut shown = Vec::new();
    for field in FIELDS {
        shown.push(app.image(SUBMISSION, field).await.unwrap());
    }
    assert!(racers.contains(&shown), "images of two requests are mixed");
    // moto checks a condition and writes in two steps, so that there two racers can replace the same.
    if app.is_atomic {
        assert_eq!(
            app.objects().await.len(),
            4,
            "what was replaced is deleted, what is shown is not"
        );
    }
}

#[tokio::test]
async fn requests_for_different_images_all_succeed() {
    let app = App::start().await;
    let images: Vec<Vec<u8>> = (0..4).map(|seed| images::jpeg(600, seed)).collect();
    let forms = FIELDS
        .iter()
        .zip(&images)
        .map(|(field, image)| Form::texts().with_image(field, image));
    let forms: Vec<Form> = forms.collect();
    for answer in join_all(forms.iter().map(|form| app.put(form))).await {
        assert_eq!(answer.row(), SUCCESS, "{answer:?}");
    }
    for (field, image) in FIELDS.iter().zip(images) {
        assert_eq!(app.image(SUBMISSION, field).await, Some(image), "{field}");
    }
}
