//! What surrounds a program ends and stalls no node: output that nobody takes, a terminal that goes
//! away.

use std::{
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use ockam_actix_harness::{
    deadline::{poll, wait_for, PATIENCE},
    program::clean,
};

const OCKAM: &str = env!("CARGO_BIN_EXE_ockam");

/// Waits until a hub listens on `socket`.
fn until_it_listens(socket: &Path) {
    poll("a hub that listens", PATIENCE, || UnixStream::connect(socket).map(drop));
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits for the end of a program, which does not outlive the test.
fn code(mut child: Child) -> Option<i32> {
    let waited_for = || child.try_wait().unwrap().ok_or("it is still running");
    let ended = wait_for("a program's end", PATIENCE, waited_for);
    let _ = child.kill();
    ended.unwrap().code()
}

/// A hub whose outputs are as `redirection` says goes on until it is told to stop.
fn hub_goes_on(redirection: &str) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("hub.sock");
    let line = format!("exec {OCKAM} -vv hub unix:{} {redirection}", socket.display());
    let hub = clean("sh").args(["-c", &line]).spawn().unwrap();
    until_it_listens(&socket);
    signal(&hub, "HUP");
    // A stranger who is not a node is something to log.
    drop(UnixStream::connect(&socket).unwrap());
    until_it_listens(&socket);
    signal(&hub, "TERM");
    assert_eq!(code(hub), Some(0), "{redirection}");
    assert!(!socket.exists());
}

#[test]
fn closed_outputs_end_no_node() {
    hub_goes_on(">&- 2>&-");
}

#[test]
fn a_full_disk_ends_no_node() {
    hub_goes_on(">/dev/full 2>/dev/full");
}

#[test]
fn a_log_that_nobody_reads_stalls_nothing() {
    let mut demo = clean(OCKAM);
    demo.args(["demo", "--kill-hub", "--once", "-vv"]).stdout(Stdio::null());
    let mut child = demo.stderr(Stdio::piped()).spawn().unwrap();
    // It has more to say than a pipe takes.
    let log = child.stderr.take();
    assert_eq!(code(child), Some(0));
    drop(log);
}

#[test]
fn lost_output_fails_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    let line = format!("exec {OCKAM} identity create web --vault {} >/dev/full", vault.display());
    let mut create = clean("sh");
    create.args(["-c", &line]).env("OCKAM_PASSPHRASE", "secret").stderr(Stdio::piped());
    let output = create.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot write to standard output"), "{said}");
}
