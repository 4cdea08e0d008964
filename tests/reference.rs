//! `ockam completions` and `ockam man` know every command and option.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{fs, process::Command};

use ockam_actix_harness::program::clean;

fn ockam(arguments: &[&str]) -> String {
    let mut command: Command = clean(env!("CARGO_BIN_EXE_ockam"));
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn shells_complete_commands_and_options() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ockam(&["completions", shell]);
        assert!(script.contains("inlet") && script.contains("resume-for"), "{shell}");
    }
}

#[test]
fn each_command_has_a_manual_page() {
    assert!(ockam(&["man"]).contains(".TH ockam 1"));
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    ockam(&["man", pages.to_str().unwrap()]);
    for name in ["ockam", "ockam-inlet", "ockam-trace", "ockam-identity-create"] {
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
}
