//! Where Docker's containers reach this machine.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::process::Stdio;

use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::Error;

/// A part of Docker's default bridge network.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    subnet: String,
    /// Left out by some versions until the engine has restarted.
    #[serde(default)]
    gateway: String,
}

/// Returns this machine's address on Docker's bridge. `None` if it has none, since the engine runs in a virtual machine,
/// as Docker Desktop's does: its containers reach this machine's loopback.
pub(crate) async fn bridge() -> Result<Option<Ipv4Addr>, Error> {
    let mut docker = Command::new("docker");
    docker.args([
        "network",
        "inspect",
        "bridge",
        "--format",
        "{{json .IPAM.Config}}",
    ]);
    let run = docker.stdin(Stdio::null()).output().await;
    let output =
        run.map_err(|error| format!("--docker needs Docker, but can't run `docker`: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "--docker needs Docker's engine, but it says: {}",
            why.trim()
        )
        .into());
    }
    let parts: Vec<Part> = serde_json::from_slice(&output.stdout).map_err(|error| {
        format!("can't read what `docker network inspect bridge` says: {error}")
    })?;
    let address = parts
        .iter()
        .find_map(Part::address)
        .ok_or("Docker's bridge has no IPv4 address")?;
    match TcpListener::bind((address, 0)).await {
        Ok(_) => Ok(Some(address)),
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Ok(None),
        Err(error) => Err(format!("can't listen on Docker's bridge, {address}: {error}").into()),
    }
}

impl Part {
    /// Returns the gateway, which is the subnet's first address unless the engine's settings say otherwise.
    fn address(&self) -> Option<Ipv4Addr> {
        let (network, _length) = self.subnet.split_once('/')?;
        let first = || {
            Some(Ipv4Addr::from_bits(
                network.parse::<Ipv4Addr>().ok()?.to_bits() | 1,
            ))
        };
        self.gateway.parse().ok().or_else(first)
    }
}
