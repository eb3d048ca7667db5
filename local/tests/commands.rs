//! The commands of the local stack, as a developer runs them.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use put_image::domain::ImageField;
use put_image::image::Format;
use put_image::records::attribute::{API_KEY_HASH, SUBMISSION_ID};
use serde_json::Value;
use tempfile::TempDir;

const EVENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/put-image.json");

/// Runs a command over a data folder, in that folder.
fn local(folder: &Path, command: &str, arguments: &[&str]) -> Output {
    let mut local = Command::new(env!("CARGO_BIN_EXE_local"));
    local
        .arg(command)
        .arg("--data")
        .arg(folder.join("data"))
        .args(arguments);
    local.env_clear().current_dir(folder).output().unwrap()
}

#[track_caller]
fn succeeds(output: Output) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The contents of a folder's files.
fn contents(folder: &Path) -> BTreeSet<Vec<u8>> {
    let files = fs::read_dir(folder).unwrap();
    let contents = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    contents.collect()
}

#[test]
fn stored_images_are_shown_and_saved_without_variables() {
    let folder = TempDir::new().unwrap();
    succeeds(local(folder.path(), "invoke", &[EVENT]));
    let shown = local(folder.path(), "show", &["--json", "--save", "images"]);
    let shown: Value = serde_json::from_str(&succeeds(shown)).unwrap();
    assert_eq!(shown[SUBMISSION_ID], "demo-submission");
    let saved = folder.path().join("images");
    let drawings = Path::new(EVENT).parent().unwrap().join("images");
    assert!(contents(&saved) == contents(&drawings));
    for field in ImageField::ALL.map(ImageField::name) {
        let names = Format::ALL.map(|format| format!("{field}.{}", format.extension()));
        let count = names
            .iter()
            .filter(|name| saved.join(name).exists())
            .count();
        assert_eq!(count, 1, "{field}");
    }
}

/// Returns the data folder that the help names, without `--data`.
fn default_data(working_directory: &Path, variable: &str, value: &Path) -> String {
    let mut local = Command::new(env!("CARGO_BIN_EXE_local"));
    local.arg("--help").env_clear().env(variable, value);
    let help = succeeds(local.current_dir(working_directory).output().unwrap());
    // Lines are wrapped.
    let words: Vec<_> = help.split_whitespace().collect();
    let help = words.join(" ");
    let (_, data) = help.split_once("tables and objects [default: ").unwrap();
    data.split_once(']').unwrap().0.to_owned()
}

#[test]
fn data_is_in_the_checkout_around_the_working_directory() {
    let folder = TempDir::new().unwrap();
    let checkout = folder.path().canonicalize().unwrap();
    let below = checkout.join("local/src");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("cli.rs"), "").unwrap();
    let data = checkout.join(".local-stack").display().to_string();
    let home = Path::new("/home/dev");
    assert_eq!(default_data(&checkout, "HOME", home), data);
    assert_eq!(default_data(&below, "HOME", home), data);
}

#[test]
fn data_is_the_users_outside_of_a_checkout() {
    let folder = TempDir::new().unwrap();
    let data = |variable, value| default_data(folder.path(), variable, Path::new(value));
    assert_eq!(data("XDG_DATA_HOME", "/data"), "/data/put-image");
    assert_eq!(
        data("HOME", "/home/dev"),
        "/home/dev/.local/share/put-image"
    );
}

#[test]
fn commands_at_once_wait_for_each_other() {
    let folder = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| succeeds(local(folder.path(), "show", &[])));
        }
    });
}

#[test]
fn a_key_stays_rotated() {
    let folder = TempDir::new().unwrap();
    let hash = || {
        let show = ["project", "show", "demo-project", "--json"];
        let shown = succeeds(local(folder.path(), "admin", &show));
        serde_json::from_str::<Value>(&shown).unwrap()[API_KEY_HASH].clone()
    };
    let before = hash();
    succeeds(local(
        folder.path(),
        "admin",
        &["project", "key", "rotate", "demo-project"],
    ));
    let rotated = hash();
    assert_ne!(rotated, before);
    assert_eq!(hash(), rotated);
}

#[test]
fn admin_works_without_variables_and_speaks_of_no_gateway() {
    let folder = TempDir::new().unwrap();
    let create = ["project", "create", "acme", "--admin", "a@acme.example"];
    let output = local(folder.path(), "admin", &create);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!said.contains("API Gateway"), "{said}");
    assert_eq!(succeeds(output).len(), 41);
    let list = succeeds(local(folder.path(), "admin", &["project", "list"]));
    assert!(
        list.contains("active  acme            a@acme.example"),
        "{list}"
    );

    let on_plan = [&create[..2], &["b", "--admin", "b@c", "--usage-plan", "x"]].concat();
    let refused = local(folder.path(), "admin", &on_plan);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(
        said,
        "local: there are no usage plans here: leave --usage-plan out\n"
    );
}

#[test]
fn damaged_data_is_said_in_a_sentence_and_can_be_started_over() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("dynamodb.sqlite"), "no database").unwrap();
    let refused = local(folder.path(), "invoke", &[EVENT]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.lines().count() == 1
            && said.starts_with("local: can't use the data in ")
            && said.contains(&format!("--fresh --data {}` deletes it", data.display())),
        "{said}"
    );
    succeeds(local(folder.path(), "invoke", &["--fresh", EVENT]));
}
