//! Portals at other sockets than TCP's, with clients that name their servers, and with targets that
//! are told of their clients: the command beside programs that people use.
//!
//! | module | what is in it |
//! |---|---|
//! | [`clients`] | nginx and haproxy, which log where their clients come from |
//! | [`socks`] | curl through a SOCKS inlet |
//! | [`unix`] | redis-cli and curl at Unix sockets |
//!
//! A program that is not installed is skipped, and a line says so.

// A test that fails panics with what it found.
#![allow(clippy::unwrap_used)]

mod clients;
mod socks;
mod unix;

use std::{
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
};

use ockam_actix_harness::{
    installed::is_installed,
    program::{clean, Program},
};

/// Whether all of them are installed; prints which are not.
fn are_installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        println!("skipped: not installed: {missing:?}");
    }
    missing.is_empty()
}

fn ockam(arguments: &[&str]) -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.args(arguments);
    command
}

/// An outlet's program and an inlet's, with a secure channel between them.
struct Portal {
    outlet: Program,
    inlet: Program,
}

impl Portal {
    /// Starts both; `outlet` and `inlet` are the options that say what they connect to and where
    /// they listen.
    fn start(outlet: &[&str], inlet: &[&str]) -> Self {
        let to = [&["outlet", "--listen", "127.0.0.1:0"], outlet].concat();
        let outlet = Program::start(&mut ockam(&to));
        let line = outlet.wait_for_line("ockam inlet --listen ");
        let is_socks = inlet.contains(&"--socks");
        assert_eq!(line.contains(" --socks"), is_socks, "{line}");
        let route = line.split('\'').nth(1).unwrap();
        let from = [&["inlet", "--route", route], inlet].concat();
        let inlet = Program::start(&mut ockam(&from));
        inlet.wait_for_line("inlet on ");
        Self { outlet, inlet }
    }

    /// Where clients connect over TCP.
    fn address(&self) -> SocketAddr {
        self.inlet.wait_for_address("inlet on ")
    }
}

/// A free address, for a server that cannot choose a port itself. Nobody else is in the test's own
/// network.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}

/// A program that is ended after a minute: whether it succeeded, and all that it wrote.
fn output(command: &[&str]) -> (bool, String) {
    let mut all = clean("timeout");
    let output = all.arg("60").args(command).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// What a program writes that must succeed.
fn succeed(command: &[&str]) -> String {
    let (succeeded, text) = output(command);
    assert!(succeeded, "{command:?}: {text}");
    text
}
