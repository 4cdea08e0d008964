//! Python for the peer: finding it, and one running program.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

const PACKAGES: [&str; 3] = ["noiseprotocol", "cryptography", "msgpack"];

/// Whether there is a Python with the packages, or one could be made.
pub(crate) fn is_available() -> bool {
    python().is_some()
}

fn python() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| usable("python3".into()).or_else(virtual_environment)).as_deref()
}

/// `python`, if it has the packages.
fn usable(python: PathBuf) -> Option<PathBuf> {
    succeeds(&python, &["-c", "import noise.connection, cryptography, msgpack"]).then_some(python)
}

/// A virtual environment in the target folder, created the first time.
fn virtual_environment() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
    let python = folder.join("bin/python3");
    if let Some(python) = usable(python.clone()) {
        return Some(python);
    }
    let install = ["-m", "pip", "install", "--quiet", "--timeout=10", "--retries=1"];
    let made = succeeds(Path::new("python3"), &["-m", "venv", folder.to_str()?])
        && succeeds(&python, &[&install[..], &PACKAGES].concat());
    made.then(|| usable(python)).flatten()
}

fn succeeds(program: &Path, arguments: &[&str]) -> bool {
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A running `peer.py`; killed when the test ends first.
pub(crate) struct Peer {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/peer.py");
        let mut command = Command::new(python().unwrap());
        command.arg(script).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Its next line.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).await.unwrap();
        if line.is_empty() {
            self.end().await;
        }
        line.trim_end().to_owned()
    }

    /// Waits until it has ended, which must be a success; returns the rest of its output.
    pub(crate) async fn end(&mut self) -> String {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).await.unwrap();
        let mut errors = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut errors).await.unwrap();
        }
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "the peer ended with {status}: {rest}{errors}");
        rest
    }
}
