//! The commands of the local stack, as a developer runs them.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
    // Next to `submission.json`.
    assert!(contents(&drawings).is_subset(&contents(&saved)));
    for field in ImageField::ALL.map(ImageField::name) {
        let names = Format::ALL.map(|format| format!("{field}.{}", format.extension()));
        let count = names
            .iter()
            .filter(|name| saved.join(name).exists())
            .count();
        assert_eq!(count, 1, "{field}");
    }
}

#[test]
fn only_the_data_folder_may_precede_a_command() {
    let folder = TempDir::new().unwrap();
    let local = |arguments: &[&str]| {
        let mut local = Command::new(env!("CARGO_BIN_EXE_local"));
        let output = local.args(arguments).current_dir(folder.path()).output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    assert_eq!(
        local(&["--data", "mine", "show", "S-9"]),
        "local: there is no submission \"S-9\" in the table submissions (data folder: mine)\n"
    );
    let said = local(&["--data", "mine", "--fresh", "show"]);
    assert!(said.contains("options of `show` go after it"), "{said}");
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
    assert!(
        said.starts_with("local: there are no usage plans here: leave --usage-plan out (data "),
        "{said}"
    );
}

#[test]
fn damaged_data_is_said_in_a_sentence_and_can_be_started_over() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("dynamodb")).unwrap();
    fs::write(data.join("dynamodb/dynamodb.sqlite"), "no database").unwrap();
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

#[test]
fn nobody_else_can_read_the_data() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let readable_by_others = || {
        let entries = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap());
        let mut readable: Vec<_> = entries
            .filter(|entry| entry.metadata().unwrap().permissions().mode() & 0o077 != 0)
            .map(|entry| entry.file_name())
            .collect();
        readable.sort();
        readable
    };
    succeeds(local(folder.path(), "invoke", &[EVENT]));
    assert_eq!(
        fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(
        readable_by_others().is_empty(),
        "{:?}",
        readable_by_others()
    );
    // As earlier versions left them, beside a file that isn't the stack's.
    for name in ["notes", "dynamodb.sqlite"] {
        fs::write(data.join(name), "").unwrap();
    }
    for (name, mode) in [("s3", 0o755), ("dynamodb", 0o755), ("notes", 0o644)] {
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    succeeds(local(folder.path(), "show", &[]));
    assert_eq!(readable_by_others(), ["notes"]);
}

#[test]
fn a_requests_line_has_the_id_that_its_client_got() {
    let folder = TempDir::new().unwrap();
    let mut stack = Command::new(env!("CARGO_BIN_EXE_local"));
    stack.arg("--data").arg(folder.path());
    for port in ["--port", "--page-port", "--dynamodb-port", "--s3-port"] {
        stack.args([port, "0"]);
    }
    let mut stack = stack.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(stack.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let api = lines.find_map(|line| Some(line.split_once("http://")?.1.to_owned()));
    let (host, _) = api.as_deref().unwrap().split_once('/').unwrap();
    let mut client = TcpStream::connect(host).unwrap();
    write!(
        client,
        "GET /no/route HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    let line = lines.find(|line| line.contains("/no/route")).unwrap();
    stack.kill().unwrap();
    stack.wait().unwrap();
    let (_, id) = response.split_once("x-amzn-requestid: ").unwrap();
    let (id, _) = id.split_once("\r\n").unwrap();
    let (time, line) = line.split_once("Z  ").unwrap();
    assert_eq!(time.len(), "23:59:59".len(), "{time}");
    assert!(line.starts_with(id), "{line}: {id}");
    assert!(
        line.contains("  GET /no/route  403 Missing Authentication Token  "),
        "{line}"
    );
}
