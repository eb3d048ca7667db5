//! A project's API key: rotated, and kept for a while.

use std::time::SystemTime;

use admin::project::{ExposeSecret as _, NewKey, generate_key};
use put_image::records::attribute::{API_KEY_HASH, PREVIOUS_API_KEY_HASH, PREVIOUS_API_KEY_UNTIL};
use rstest::rstest;
use testkit::faults::{End, Fault, Operation, When};
use testkit::images::jpeg;

use crate::helpers::{DEMO, DEMO_KEY, Ran, TestStack, bare, hash};

const PROJECT: &str = "demo-project";

async fn put(app: &TestStack, key: &str) -> u64 {
    app.put(key.trim(), DEMO, &[jpeg(200, 1)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_replaces_the_key() {
    let app = TestStack::start().await;
    let new = app.run("project key rotate demo-project").printed();
    assert_eq!(app.project(PROJECT).await[API_KEY_HASH], hash(&new));
    assert_eq!(
        (put(&app, DEMO_KEY).await, put(&app, &new).await),
        (400, 200)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_can_be_kept_for_a_while() {
    let app = TestStack::start().await;
    let rotate = "project key rotate demo-project";
    let new = app.run(&format!("{rotate} --keep-old 7d")).printed();
    assert_eq!(
        (put(&app, DEMO_KEY).await, put(&app, &new).await),
        (200, 200)
    );
    let until = app.project(PROJECT).await[PREVIOUS_API_KEY_UNTIL].clone();
    let until: u64 = until.as_n().unwrap().parse().unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((now + 7 * 86_400).abs_diff(until) < 60, "{until}");

    // The time is over.
    let over = generate_key().unwrap();
    let rotation = app.records.set_key(PROJECT, &over, Some(now - 1));
    assert!(rotation.await.unwrap());
    assert_eq!(
        (put(&app, &new).await, put(&app, DEMO_KEY).await),
        (400, 400)
    );
    assert_eq!(put(&app, over.expose_secret()).await, 200);

    let last = app.run(rotate).printed();
    assert_eq!(
        (
            put(&app, over.expose_secret()).await,
            put(&app, &last).await
        ),
        (400, 200)
    );
    let project = app.project(PROJECT).await;
    assert!(!project.contains_key(PREVIOUS_API_KEY_HASH));
}

#[rstest]
#[case::no_unit("7")]
#[case::no_number("d")]
#[case::negative("-1d")]
#[case::unknown_unit("7x")]
#[case::not_ascii("7é")]
#[case::too_large("99999999999999999999d")]
#[case::zero("0d")]
#[case::less_than_a_second("500ms")]
fn an_odd_duration_is_refused(#[case] time: &str) {
    let rotate = ["project", "key", "rotate", PROJECT];
    let keep = format!("--keep-old={time}");
    Ran::new(&mut bare(&[&rotate[..], &[&keep]].concat())).refused("invalid value");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_response_does_not_lose_a_key() {
    let app = TestStack::start().await;
    let (faults, records) = app.faults().await;
    let always = |operation, takes_effect| Fault {
        operation,
        when: When::Always,
        takes_effect,
        end: End::Cut,
    };
    let rotate = async |key: &NewKey| records.set_key(PROJECT, key, None).await;

    faults.inject(always(Operation::UpdateItem, true));
    let new = generate_key().unwrap();
    assert!(rotate(&new).await.unwrap());
    assert_eq!(
        app.project(PROJECT).await[API_KEY_HASH],
        hash(new.expose_secret())
    );

    faults.clear();
    faults.inject(always(Operation::UpdateItem, false));
    let other = generate_key().unwrap();
    rotate(&other).await.unwrap_err();
    // The first read is the one before the change.
    faults.inject(Fault {
        operation: Operation::GetItem,
        when: When::Nth(2),
        takes_effect: false,
        end: End::Error(400, "AccessDeniedException"),
    });
    rotate(&other).await.unwrap_err();
    assert_eq!(
        app.project(PROJECT).await[API_KEY_HASH],
        hash(new.expose_secret())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_rotations_at_once_wins() {
    let app = TestStack::start().await;
    let (faults, records) = app.faults().await;
    let gate = faults.hold(Operation::UpdateItem, 1);
    let (slow, fast) = (generate_key().unwrap(), generate_key().unwrap());
    let (lost, ()) = tokio::join!(records.set_key(PROJECT, &slow, None), async {
        gate.arrived().await;
        let won = app.records.set_key(PROJECT, &fast, None).await;
        assert!(won.unwrap());
        gate.open();
    });
    assert!(!lost.unwrap());
    let project = app.project(PROJECT).await;
    assert_eq!(project[API_KEY_HASH], hash(fast.expose_secret()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_stack_restores_the_demo_key_when_it_is_asked() {
    let app = TestStack::start().await;
    let before = app.project(PROJECT).await;
    let new = generate_key().unwrap();
    let rotation = app.records.set_key(PROJECT, &new, None);
    assert!(rotation.await.unwrap());
    let rotated = app.project(PROJECT).await;
    let sample = local::records::Records::sample().unwrap();
    sample.seed(&app.records).await.unwrap();
    assert_eq!(app.project(PROJECT).await, rotated);
    sample.restore_keys(&app.records).await.unwrap();
    assert_eq!(app.project(PROJECT).await, before);
}
