//! The lines of docs/cluster.md, as they are there.

use std::{fs, net::TcpStream, path::Path};

use ockam_actix_harness::{
    client::connect,
    deadline::{poll, PATIENCE},
    echo,
    installed::is_installed,
    network::in_own_network,
    program::Program,
};

use crate::{behind_hub, echoes, inlet, HUBS};

/// Where the guide's target is.
const TARGET: &str = "127.0.0.1:5000";

/// The first code of the page that begins with this.
fn code_beginning(first: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cluster.md");
    let page = fs::read_to_string(page).unwrap();
    let begin = format!("```sh\n{first}");
    let (_, code) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin:?}"));
    let (code, _) = code.split_once("```").unwrap();
    format!("{first}{code}")
}

/// Runs it in a shell that finds `ockam`.
fn run(code: &str) -> Program {
    let ockam = Path::new(env!("CARGO_BIN_EXE_ockam")).parent().unwrap();
    let system = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        [ockam.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&system))
            .chain(["/usr/sbin".into()]),
    );
    Program::start_line(code, &path.unwrap())
}

fn can_run() -> bool {
    let can = is_installed("nats-server");
    if !can {
        println!("skipped: nats-server is not installed");
    }
    can
}

fn wait_for_hubs(program: &Program) {
    for hub in &HUBS[..2] {
        program.wait_for_line(&format!("hub on {hub}"));
    }
}

#[test]
fn the_first_example_works() {
    if !can_run() {
        return;
    }
    in_own_network(|| {
        echo::start_at(TARGET);
        let example = run(&code_beginning("nats-server "));
        poll("hubs that hear each other", PATIENCE, || {
            let lines = example.stderr();
            let connected = lines.iter().filter(|line| line.contains("connected to NATS")).count();
            (connected == 2).then_some(()).ok_or(format!("{connected} of 2: {example}"))
        });
        let (_inlet, address) = inlet(HUBS[1], &behind_hub(&example));
        echoes(&mut connect(address, PATIENCE).unwrap());
    });
}

#[test]
fn the_script_runs_a_cluster_until_stopped() {
    if !can_run() {
        return;
    }
    in_own_network(|| {
        echo::start_at(TARGET);
        // Ctrl-C reaches all of the group; whoever stops a service may tell the shell alone.
        for (signal, of_group) in [("INT", true), ("TERM", false)] {
            let mut script = run(&code_beginning("#!/bin/sh"));
            wait_for_hubs(&script);
            let (_outlet, behind) = crate::outlet_to(TARGET, HUBS[0]);
            let (_inlet, address) = inlet(HUBS[1], &behind);
            echoes(&mut connect(address, PATIENCE).unwrap());
            let to = format!("{}{}", if of_group { "-" } else { "" }, script.id());
            crate::signal(signal, &to);
            script.wait_for_exit(PATIENCE);
            // It waits for all that it has started.
            for address in ["127.0.0.1:4222", HUBS[0], HUBS[1]] {
                let listens = TcpStream::connect(address).is_ok();
                assert!(!listens, "{address} after {signal}: {script}");
            }
        }
    });
}
