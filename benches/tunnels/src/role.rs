//! What this program becomes when it starts itself again: the target, one side of the floor, or one
//! of our nodes.

use crate::{attack, crowd, floor, ours, target};
use ockam_actix_harness::role::end_with_the_parent;
use std::{process::ExitCode, thread};

/// Plays `role` until the parent goes away; returns only when it failed.
pub(crate) fn play(role: &str, arguments: &[String]) -> ExitCode {
    thread::spawn(end_with_the_parent);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match (role, arguments.as_slice()) {
        ("target", []) => target::run(),
        ("attack", [kind, victim]) => attack::run(kind, victim),
        ("dummy", []) => attack::run_dummy(),
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
