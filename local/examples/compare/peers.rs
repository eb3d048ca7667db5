//! What is compared: how each is built, started and packed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use local::Error;

pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// An implementation of the function.
pub(crate) struct Peer {
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) line: Vec<PathBuf>,
    /// What is deployed.
    package: PathBuf,
}

impl Peer {
    pub(crate) fn binary(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            name: name.into_owned(),
            line: vec![path.clone()],
            package: path,
        }
    }

    /// Returns the package's bytes, as they are or compressed.
    pub(crate) fn size(&self, compression: &[&str]) -> Result<usize, Error> {
        let (Some(folder), Some(name)) = (self.package.parent(), self.package.file_name()) else {
            return Err("a package is a file or a folder".into());
        };
        let mut tar = Command::new("tar");
        let tar = tar
            .arg("-C")
            .arg(folder)
            .args(compression)
            .args(["-c", "-f", "-"]);
        Ok(tar.arg(name).output()?.stdout.len())
    }
}

/// Builds ours, the straightforward one, and the one in Node if the machine has it.
pub(crate) fn build() -> Result<Vec<Peer>, Error> {
    let root = Path::new(ROOT).canonicalize()?;
    let benches = root.join("benches");
    let release = ["build", "--release", "--locked", "--bin"];
    let mut peers = Vec::new();
    for (folder, name) in [
        (&root, "put-image"),
        (&benches.join("straightforward"), "straightforward"),
    ] {
        run(
            "cargo",
            &[&release[..], &[name, "--package", name]].concat(),
            folder,
        )?;
        peers.push(Peer::binary(folder.join("target/release").join(name)));
    }
    let package = benches.join("node");
    let node = Command::new("node")
        .args(["-p", "process.execPath"])
        .output();
    match node {
        Ok(path) if path.status.success() => {
            run("npm", &["ci", "--silent"], &package)?;
            let path = String::from_utf8(path.stdout)?;
            peers.push(Peer {
                name: "Node".to_owned(),
                line: vec![path.trim().into(), package.join("runtime.js")],
                package,
            });
        }
        _ => println!("Without the function in Node: this machine has no `node`.\n"),
    }
    Ok(peers)
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<(), Error> {
    let mut command = Command::new(program);
    // What cargo set for this program's own package would make it build others again.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_"))
    {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    let status = command.args(arguments).current_dir(folder).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} failed in {}", folder.display()).into())
    }
}
