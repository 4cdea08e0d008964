//! What this program becomes when it starts itself again: the target, one side of the floor, or one of our nodes.
//!
//! A role says `ready ADDRESS` in one line on its standard output as soon as it can be used, and ends when its standard
//! input does. The input is a pipe that only the parent holds, so no role outlives a benchmark that was killed.

use crate::{crowd, floor, ours, target};
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::process::{self, ExitCode};
use std::thread;

/// Plays `role` until the parent goes away; returns only when it failed.
pub(crate) fn play(role: &str, arguments: &[String]) -> ExitCode {
    thread::spawn(end_with_the_parent);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match (role, arguments.as_slice()) {
        ("target", []) => target::run(),
        ("crowd-target", []) => crowd::run_target(),
        ("floor-entry", [exit]) => floor::run_entry(exit),
        ("floor-exit", [target]) => floor::run_exit(target),
        _ => return ours::play(role, &arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells the parent that the role can be used, and under which address.
pub(crate) fn ready(address: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "ready {address}")?;
    out.flush()
}

fn end_with_the_parent() {
    let mut nothing = [0; 64];
    while matches!(io::stdin().read(&mut nothing), Ok(count) if count > 0) {}
    process::exit(0);
}
