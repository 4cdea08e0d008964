//! How much `ockam` logs, and how its lines look.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::MetadataExt,
    process::Command,
    thread,
};

use ockam_actix_harness::{
    client::connect,
    deadline::PATIENCE,
    program::{clean, Program},
    target::Target,
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
fn journals_are_given_a_priority() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let found = file.as_file().metadata().unwrap();
    let stream = format!("{}:{}", found.dev(), found.ino());
    for (named, said) in [(stream.as_str(), "<3>"), ("1:1", "error: ")] {
        file.as_file().set_len(0).unwrap();
        let mut hub = ockam(&["hub", "256.0.0.1:1"]);
        let to = file.reopen().unwrap();
        let status = hub.env("JOURNAL_STREAM", named).stderr(to).status().unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(!status.success() && text.lines().last().unwrap().starts_with(said), "{text}");
    }
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

/// The guide's step 04 by this program: hub, outlet and inlet, and a client whose stream is idle.
struct Tunnel {
    programs: [Program; 3],
    client: Option<TcpStream>,
}

impl Tunnel {
    fn start(target: &Target, more: &[&str]) -> Self {
        let start = |arguments: &[&str]| Program::start(&mut ockam(&[arguments, more].concat()));
        let hub = start(&["hub", "127.0.0.1:0"]);
        let at = hub.wait_for_address("hub on ").to_string();
        let outlet = start(&["outlet", "--to", &target.address(), "--via", &at]);
        let route = outlet.wait_for_rest(" --route ");
        let inlet =
            start(&["inlet", "--listen", "127.0.0.1:0", "--route", route.trim_matches('\'')]);
        let mut client = connect(inlet.wait_for_address("inlet on "), PATIENCE).unwrap();
        client.write_all(b"ECHO\ntext").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        Self { programs: [hub, outlet, inlet], client: Some(client) }
    }
}

/// None of the programs has said anything that asks for a person, or a line that is too long.
fn is_calm(tunnel: &Tunnel, how: &str) {
    for program in &tunnel.programs {
        let said = program.stderr();
        let is_alarm = |line: &&String| line.contains(" WARN ") || line.contains(" ERROR]");
        assert_eq!(said.iter().find(is_alarm), None, "{how}: {program}");
        let long: Vec<_> = said.iter().filter(|line| line.chars().count() > 160).collect();
        assert!(!said.is_empty() && long.is_empty(), "{long:#?}");
    }
}

#[test]
fn a_clean_end_is_no_alarm() {
    let end = |order: [usize; 3]| {
        let target = Target::start();
        let mut tunnel = Tunnel::start(&target, &[]);
        for index in order {
            let program = &mut tunnel.programs[index];
            program.terminate();
            assert!(program.wait_for_exit(PATIENCE).success(), "{program}");
        }
        is_calm(&tunnel, &format!("{order:?}"));
    };
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    thread::scope(|scope| {
        let ending: Vec<_> =
            orders.into_iter().map(|order| scope.spawn(move || end(order))).collect();
        ending.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_common_end_is_no_alarm() {
    let target = Target::start();
    for _ in 0..10 {
        let mut tunnel = Tunnel::start(&target, &[]);
        // With nothing to finish, all of them end within a moment.
        tunnel.client = None;
        tunnel.programs.iter().rev().for_each(Program::terminate);
        for program in &mut tunnel.programs {
            assert!(program.wait_for_exit(PATIENCE).success(), "{program}");
        }
        is_calm(&tunnel, "all at once");
    }
}

#[test]
fn each_message_is_logged_if_asked_for() {
    let tunnel = Tunnel::start(&Target::start(), &["-vv"]);
    let [hub, outlet, inlet] = &tunnel.programs;
    hub.wait_for_line("TRACE] Data of ");
    outlet.wait_for_line(" to outlet; back: ");
    inlet.wait_for_line("from this node to ");
}
