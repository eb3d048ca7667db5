//! `--docker`, with a script in the place of Docker's command: where the stack listens, and what it says.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use local::clients::Endpoints;
use rstest::rstest;
use tempfile::TempDir;

/// Has `docker` run a script, or be missing.
fn stack(folder: &Path, docker: Option<&str>, arguments: &[&str]) -> Command {
    if let Some(script) = docker {
        let docker = folder.join("docker");
        fs::write(&docker, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(docker, Permissions::from_mode(0o700)).unwrap();
    }
    let mut stack = Command::new(env!("CARGO_BIN_EXE_local"));
    stack.env_clear().env("PATH", folder);
    stack.arg("--data").arg(folder.join("data"));
    for port in ["--port", "--page-port", "--dynamodb-port", "--s3-port"] {
        stack.args([port, "0"]);
    }
    stack.args(arguments).stdin(Stdio::null());
    stack
}

/// What the stack says of its network, and at which of 127.0.0.1 to 127.0.0.5 both DynamoDB and S3 answer.
fn listens(docker: Option<&str>, arguments: &[&str]) -> (String, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let mut stack = stack(folder.path(), docker, arguments);
    let mut process = stack.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let said = lines.find_map(|line| Some(line.strip_prefix("  listens   ")?.to_owned()));
    let endpoints = fs::read(folder.path().join("data/endpoints.json")).unwrap();
    let endpoints: Endpoints = serde_json::from_slice(&endpoints).unwrap();
    let answers = |url: &str, host: &str| {
        let address = url.replace("http://127.0.0.1", host);
        TcpStream::connect(address).is_ok()
    };
    let hosts = (1..=5).map(|n| format!("127.0.0.{n}"));
    let hosts =
        hosts.filter(|host| answers(&endpoints.dynamodb, host) && answers(&endpoints.s3, host));
    let hosts = hosts.collect();
    process.kill().unwrap();
    process.wait().unwrap();
    (said.unwrap(), hosts)
}

#[rstest]
#[case::with_a_gateway(r#"[{"Subnet":"127.0.0.0/8","Gateway":"127.0.0.2"}]"#, "127.0.0.2")]
#[case::whose_gateway_is_left_out(r#"[{"Subnet":"127.0.0.4/30"}]"#, "127.0.0.5")]
#[case::with_ipv6(
    r#"[{"Subnet":"fd00::/64","Gateway":"fd00::1"},{"Subnet":"127.0.0.0/8","Gateway":"127.0.0.2"}]"#,
    "127.0.0.2"
)]
fn it_listens_on_loopback_and_a_bridge(#[case] config: &str, #[case] bridge: &str) {
    let docker = format!("echo '{config}'");
    let (said, hosts) = listens(Some(&docker), &["--docker"]);
    assert_eq!(
        said,
        format!("127.0.0.1; DynamoDB and S3 also {bridge}, for containers")
    );
    assert_eq!(hosts, ["127.0.0.1", bridge]);
}

/// TEST-NET-1: no machine has the address.
#[test]
fn an_engine_in_a_virtual_machine_needs_no_bridge() {
    let docker = r#"echo '[{"Subnet":"192.0.2.0/24","Gateway":"192.0.2.1"}]'"#;
    let (said, hosts) = listens(Some(docker), &["--docker"]);
    assert_eq!(
        said,
        "127.0.0.1 only, which Docker Desktop's containers reach"
    );
    assert_eq!(hosts, ["127.0.0.1"]);
}

#[test]
fn without_docker_it_listens_on_loopback_only() {
    let (said, hosts) = listens(None, &[]);
    assert_eq!(said, "127.0.0.1 only");
    assert_eq!(hosts, ["127.0.0.1"]);
}

#[rstest]
#[case::no_docker(
    None,
    "local: --docker needs Docker, but can't run `docker`: No such file or directory (os error 2)"
)]
#[case::no_engine(
    Some("echo Cannot connect to the Docker daemon. >&2; exit 1"),
    "local: --docker needs Docker's engine, but it says: Cannot connect to the Docker daemon."
)]
fn what_is_missing_is_named(#[case] docker: Option<&str>, #[case] error: &str) {
    let folder = TempDir::new().unwrap();
    let output = stack(folder.path(), docker, &["--docker"]).output();
    let output = output.unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert_eq!(String::from_utf8(output.stderr).unwrap().trim_end(), error);
}
