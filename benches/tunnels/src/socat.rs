//! Peer: two `socat`, which seal nothing and start a process for every connection.

use crate::tunnel::{await_listening, free_address, Running};
use ockam_actix_harness::{installed::installed, process::Process};
use std::{io, net::SocketAddr, process::Command};

/// Starts both, with a buffer as large as those of the tunnels that seal and a backlog that 2 busy
/// clients cannot fill.
pub(crate) fn start(target: SocketAddr) -> io::Result<Running> {
    let middle = free_address()?;
    let listen = free_address()?;
    let mut exit = Process::start("exit", &mut command(middle, target)?)?;
    await_listening(&mut exit, middle)?;
    let entry = Process::start("entry", &mut command(listen, middle)?)?;
    Running::when_ready(listen, vec![entry, exit], None)
}

fn command(listen: SocketAddr, to: SocketAddr) -> io::Result<Command> {
    let mut command = Command::new(installed("socat")?);
    command.args(["-b", "131072"]);
    command.arg(format!(
        "TCP-LISTEN:{},bind={},fork,reuseaddr,nodelay,backlog=1024",
        listen.port(),
        listen.ip()
    ));
    command.arg(format!("TCP:{to},nodelay"));
    Ok(command)
}
