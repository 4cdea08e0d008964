//! How much `ockam` logs, and how its lines look.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use ockam_actix_harness::{
    deadline::PATIENCE,
    program::{clean, Program},
};
use serde_json::Value;

fn ockam(arguments: &[&str]) -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.args(arguments).env("OCKAM_ARBITERS", "1");
    command
}

/// What a hub logs from its start to a clean end.
fn logged(command: &mut Command) -> Vec<String> {
    let mut hub = Program::start(command);
    hub.wait_for_line("hub on ");
    hub.terminate();
    assert!(hub.wait_for_exit(PATIENCE).success(), "{hub}");
    hub.stderr()
}

#[test]
fn each_line_of_json_is_an_object() {
    let hub = ["hub", "127.0.0.1:0", "--log-format", "json"];
    let lines = logged(&mut ockam(&hub));
    let by_variable = logged(ockam(&hub[..2]).env("OCKAM_LOG_FORMAT", "json"));
    for line in lines.iter().chain(&by_variable) {
        let line: Value = serde_json::from_str(line).unwrap();
        for key in ["time", "level", "target", "message"] {
            assert!(line[key].is_string(), "{line}");
        }
    }
    assert!(!lines.is_empty() && !by_variable.is_empty());
}

#[test]
fn a_failure_is_json_too() {
    let output = ockam(&["hub", "256.0.0.1:1", "--log-format=json"]).output().unwrap();
    let last = String::from_utf8(output.stderr).unwrap();
    let last: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert!(!output.status.success() && last["level"] == "error", "{last}");
    assert!(last["message"].as_str().unwrap().contains("256.0.0.1"), "{last}");
}

#[test]
fn quiet_leaves_warnings_and_standard_output() {
    let hub = ["hub", "127.0.0.1:0"];
    assert_eq!(logged(&mut ockam(&[&hub[..], &["--quiet"]].concat())), [""; 0]);
    for said in ["1", "true"] {
        assert_eq!(logged(ockam(&hub).env("OCKAM_QUIET", said)), [""; 0]);
    }
    let outlet = ["outlet", "--to", "127.0.0.1:1", "--listen", "127.0.0.1:0", "-q"];
    let outlet = Program::start(&mut ockam(&outlet));
    outlet.wait_for_line("ockam inlet");
    // The option that was given counts, and not the variable.
    let loud = logged(ockam(&[&hub[..], &["-v"]].concat()).env("OCKAM_QUIET", "true"));
    assert!(loud.iter().any(|line| line.contains("DEBUG")), "{loud:?}");
}

#[test]
fn a_wrong_directive_is_said() {
    for wrong in ["loud", "ockam=loud"] {
        let lines = logged(ockam(&["hub", "127.0.0.1:0"]).env("RUST_LOG", wrong));
        assert!(lines[0].contains("WARN") && lines[0].contains(wrong), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("listening for nodes")), "{lines:?}");
    }
}

#[test]
fn version_says_what_is_built_in() {
    let output = ockam(&["--version"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let version = concat!("ockam ", env!("CARGO_PKG_VERSION"), " (");
    assert!(text.starts_with(version) && text.contains("console quic tls"), "{text}");
}
