//! Inlets that name their outlets.

use std::fs;

use ockam_actix_harness::program::Program;

use crate::support::{echoed, hub, target, wait_for_echo, Machine};

fn outlet(machine: &Machine, hub: &str, more: &[&str]) -> Program {
    let target = target();
    let outlet = ["outlet", "--to", &target, "--via", hub, "--identity", "web", "--service", "db"];
    machine.start(&[&outlet[..], more].concat())
}

#[test]
fn an_inlet_runs_before_its_outlet_ever_did() {
    let machine = Machine::new();
    let [web, laptop, other] = ["web", "laptop", "other"].map(|name| machine.create(name));
    let (_hub, at) = hub(&machine);
    let to = format!("{web}/db");
    let inlet = |identity| {
        let inlet = ["inlet", "--listen", "127.0.0.1:0", "--to", &to, "--via", &at];
        let inlet = machine.start(&[&inlet[..], &["--identity", identity]].concat());
        let at = inlet.wait_for_address("inlet on ");
        (inlet, at)
    };
    let (early, at_early) = inlet("laptop");
    early.wait_for_line("trying again in");
    let outlet = outlet(&machine, &at, &["--trust", &format!("laptop={laptop}")]);
    let printed = outlet.wait_for_rest("ockam inlet --listen 127.0.0.1:4001 --to ");
    assert_eq!(printed, format!("{to} --via {at} --identity NAME"));
    wait_for_echo("the inlet that was first", at_early);
    // Whoever knows the name is not trusted for that.
    let (stranger, at_stranger) = inlet("other");
    stranger.wait_for_line("does not trust");
    assert!(echoed(at_stranger).is_err());
    outlet.wait_for_line(&format!("{}… is not the trusted identity", &other[..9]));
}

#[test]
fn a_file_names_outlets_by_a_peers_name() {
    let machine = Machine::new();
    let [web, laptop] = ["web", "laptop"].map(|name| machine.create(name));
    let (_hub, at) = hub(&machine);
    fs::write(machine.path("peers"), format!("web {web}\nlaptop {laptop}\n")).unwrap();
    let key = machine.file("key");
    let text = format!(
        "[[inlet]]\nlisten = '127.0.0.1:0'\nto = 'web/db'\nvia = '{at}'\nidentity = 'laptop'\n\
         key_file = '{key}'\ntrust_file = 'peers'\n"
    );
    fs::write(machine.path("file.toml"), text).unwrap();
    let inlet = machine.start(&["run", &machine.file("file.toml")]);
    let at_inlet = inlet.wait_for_address("inlet on ");
    let _outlet = outlet(&machine, &at, &["--trust-file", &machine.file("peers")]);
    wait_for_echo("the inlet of the file", at_inlet);
}

#[test]
fn mistaken_names_are_explained() {
    let machine = Machine::new();
    let web = machine.create("web");
    let inlet = ["inlet", "--listen", "127.0.0.1:0", "--identity", "web"];
    for (more, said) in [
        (&["--to", "laptop/db", "--via", "127.0.0.1:9"][..], "no name in --trust"),
        (&["--to", "127.0.0.1:9"], "the hub goes to --via"),
        (&["--to", &web], "OCKAM_HUB"),
        (&["--to", &web, "--via", "127.0.0.1:9", "--plain"], "--plain"),
        (&["--via", "127.0.0.1:9"], "--to"),
    ] {
        let output = machine.output(&[&inlet[..], more].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(said), "{more:?}: {error}");
    }
}
