//! The sample events: each is answered by what its name says.

use serde_json::Value;

use crate::helpers::*;

const ROWS: [Row; 10] = [
    INVALID_PAYLOAD,
    MISSING_DATA,
    UNKNOWN_PROJECT,
    INACTIVE_PROJECT,
    INVALID_ADMIN,
    INVALID_SUBMISSION,
    NO_IMAGES,
    MISSING_ID_TYPE,
    INVALID_ID_TYPE,
    PROCESSING_ERROR,
];

fn samples(prefix: &str) -> Vec<(String, Value)> {
    let files = std::fs::read_dir("events")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(prefix)
    });
    let mut samples: Vec<_> = files
        .map(|path| {
            let event = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            (
                path.file_stem().unwrap().to_str().unwrap().to_owned(),
                event,
            )
        })
        .collect();
    samples.sort_by(|(a, _), (b, _)| a.cmp(b));
    samples
}

#[tokio::test]
async fn put_requests_succeed_and_store_the_drawings() {
    let samples = samples("put-image");
    assert_eq!(samples.len(), 5);
    for (name, event) in samples {
        let app = App::start().await;
        let before = app.image(SUBMISSION, "idImage").await;
        assert_eq!(app.invoke(&event).await.row(), SUCCESS, "{name}");
        let drawn = |file: &str| std::fs::read(format!("events/images/{file}")).unwrap();
        assert_eq!(
            app.image(SUBMISSION, "selfieImage").await,
            Some(drawn("selfie.jpg")),
            "{name}"
        );
        let front = if name.ends_with("one") {
            before
        } else {
            Some(drawn("front.jpg"))
        };
        assert_eq!(app.image(SUBMISSION, "idImage").await, front, "{name}");
    }
}

#[tokio::test]
async fn error_samples_get_their_row() {
    let app = App::start().await;
    let samples = samples("error-");
    assert_eq!(samples.len(), ROWS.len());
    for ((name, event), (number, row)) in samples.iter().zip((1..).zip(ROWS)) {
        assert!(name.starts_with(&format!("error-{number:02}-")), "{name}");
        app.assert_event_refused(event, row, name).await;
    }
}
