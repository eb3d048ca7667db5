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
    /// A binary, or a script for Node.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Error> {
        if path.extension().is_some_and(|extension| extension == "js") {
            let node = Command::new("node")
                .args(["-p", "process.execPath"])
                .output();
            let node = node.map_err(|error| format!("can't run node: {error}"))?;
            let node = String::from_utf8(node.stdout)?;
            return Ok(Self {
                name: "Node".to_owned(),
                package: path.parent().unwrap_or(&path).to_owned(),
                line: vec![node.trim().into(), path],
            });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name.into_owned(),
            line: vec![path.clone()],
            package: path,
        })
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
        let arguments = [&release[..], &[name, "--package", name]].concat();
        run("cargo", &arguments, folder)?;
        peers.push(Peer::new(folder.join("target/release").join(name))?);
    }
    match Peer::new(benches.join("node/runtime.js")) {
        Ok(node) => {
            run("npm", &["ci", "--silent"], &node.package)?;
            peers.push(node);
        }
        Err(error) => println!("Without the function in Node: {error}.\n"),
    }
    Ok(peers)
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<(), Error> {
    let mut command = Command::new(program);
    // The variables that cargo set for this program's own package would make it rebuild others.
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
