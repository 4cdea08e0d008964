//! A folder with a vault, and programs that use it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use ockam_actix_harness::{
    deadline::poll,
    echo,
    program::{clean, Program},
};

const OCKAM: &str = env!("CARGO_BIN_EXE_ockam");

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One machine: its vault, its key file, and what else it keeps.
pub(crate) struct Machine(tempfile::TempDir);

impl Machine {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A path as an argument.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(OCKAM);
        self.surround(command.args(arguments));
        command
    }

    /// Starts what a program has printed, as a person who pastes it into a shell.
    pub(crate) fn paste(&self, line: &str) -> Program {
        let mut shell = clean("/bin/sh");
        shell.args(["-c", &format!("exec {line}")]);
        shell.env("PATH", Path::new(OCKAM).parent().unwrap());
        self.surround(&mut shell);
        Program::start(&mut shell)
    }

    fn surround(&self, command: &mut Command) {
        command.env("OCKAM_VAULT", self.path("vault")).stdin(Stdio::null());
        command.env("OCKAM_ARBITERS", "1").env("OCKAM_KEY_FILE", self.path("key"));
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        Program::start(&mut self.command(arguments))
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Creates an identity, and returns its identifier.
    pub(crate) fn create(&self, name: &str) -> String {
        let output = self.output(&["identity", "create", name]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A hub, and its address.
pub(crate) fn hub(machine: &Machine) -> (Program, String) {
    let mut hub = machine.command(&["hub", "127.0.0.1:0"]);
    // It has no identity.
    let hub = Program::start(hub.env_remove("OCKAM_KEY_FILE"));
    let at = hub.wait_for_rest("hub on ");
    (hub, at)
}

/// The address of a server that echoes.
pub(crate) fn target() -> String {
    echo::start()
}

/// Waits until the inlet reaches its target.
pub(crate) fn wait_for_echo(what: &str, inlet: SocketAddr) {
    poll(what, DEADLINE, || echoed(inlet));
}

/// Whether the inlet reaches its target.
pub(crate) fn echoed(inlet: SocketAddr) -> Result<(), String> {
    let mut stream = TcpStream::connect(inlet).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"hello").map_err(|error| error.to_string())?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).map_err(|error| error.to_string())?;
    Ok(())
}
