//! The binary as Lambda starts it.

use tokio::process::Command;

#[tokio::test]
async fn a_missing_variable_ends_it_at_start_and_is_named() {
    let variables = ["PROJECTS_TABLE", "SUBMISSIONS_TABLE", "IMAGES_BUCKET"];
    for missing in variables {
        let mut command = Command::new(env!("CARGO_BIN_EXE_put-image"));
        command.env_clear().envs(variables.iter().filter(|name| **name != missing).map(|name| (name, "x")));
        let output = command.output().await.unwrap();
        assert!(!output.status.success());
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains(&format!("the environment variable {missing} is missing or empty")), "{log}");
    }
}
