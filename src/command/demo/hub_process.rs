//! A hub that can be killed: the command `ockam hub`, as a process of its own.

use std::{
    env,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};

use ockam::{Error, Result};

/// What the hub says first.
const GREETING: &str = "hub on ";

/// The running hub; it is killed when this is dropped.
pub(crate) struct HubProcess {
    child: Child,
    address: SocketAddr,
    /// Kept open, so that the hub may go on writing.
    _output: BufReader<ChildStdout>,
}

impl HubProcess {
    /// Starts a hub on `address` and waits until it listens.
    ///
    /// # Errors
    /// If it does not start, or ends again, for example because another program has the port.
    pub(crate) async fn start(address: SocketAddr) -> Result<Self> {
        let starting = tokio::task::spawn_blocking(move || start(address));
        let started = starting.await.map_err(|error| Error::Bug(error.to_string()))?;
        started.map_err(|error| Error::transport("cannot start a hub", error))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it with SIGKILL: it can say no farewell.
    pub(crate) fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(address: SocketAddr) -> io::Result<HubProcess> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["hub", &address.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
    if env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "error");
    }
    let mut child = command.spawn()?;
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    output.read_line(&mut line)?;
    match line.strip_prefix(GREETING).and_then(|address| address.trim().parse().ok()) {
        Some(address) => Ok(HubProcess { child, address, _output: output }),
        None => {
            let _ = child.kill();
            Err(io::Error::other(format!("it has ended with {}", child.wait()?)))
        }
    }
}
