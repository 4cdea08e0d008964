//! Programs that people use, through steps 03 and 04: they must not notice the tunnel.
//!
//! | module | what is in it |
//! |---|---|
//! | [`http`] | curl over HTTP/1.1 and HTTP/2 |
//! | [`ssh`] | commands, scp and rsync over a private OpenSSH server |
//! | [`redis`] | redis-cli: large values, a pipeline, a subscriber |
//! | [`proxies`] | `ockam` itself through tinyproxy and microsocks |
//!
//! `nc -N` and WebSocket are here. A program that is not installed is skipped, and a line says so.

mod http;
mod http2;
mod proxies;
mod redis;
mod ssh;

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
};

use ockam_actix_harness::{
    installed::is_installed,
    network::in_own_network,
    pattern::Pattern,
    program::{clean, Program},
    target::Target,
    transfer::send,
};

use crate::tunnel::{step_03, step_04, Step};

/// Runs `test` with the inlet of a step's tunnel to `target`.
fn through(step: Step, target: SocketAddr, test: impl FnOnce(SocketAddr)) {
    let mut tunnel = step(&target.to_string(), 2);
    test(tunnel.inlet);
    for program in &mut tunnel.programs {
        assert!(program.is_running(), "{program}");
    }
}

/// Whether all of them are installed; prints which are not.
fn are_installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        println!("skipped: not installed: {missing:?}");
    }
    missing.is_empty()
}

/// A program that is ended after a minute.
fn within_a_minute(program: &str) -> Command {
    let mut command = clean("timeout");
    command.args(["60", program]).stdin(Stdio::null());
    command
}

/// Runs a command, which must succeed; returns what it wrote.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A free address, for a server that cannot choose a port itself. Nobody else is in the test's own
/// network.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}

/// `nc -N` ends its direction when its input ends, and then waits for the answer.
fn netcat(step: Step) {
    if !are_installed(&["nc"]) {
        return;
    }
    let target = Target::start();
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    let mut bytes = b"COUNT 3\n".to_vec();
    send(&mut bytes, 5_000_000, &Pattern::new(3)).unwrap();
    fs::write(&input, bytes).unwrap();
    through(step, target.address().parse().unwrap(), |inlet| {
        let mut nc = within_a_minute("nc");
        nc.args(["-N", "127.0.0.1", &inlet.port().to_string()]);
        let answer = succeed(nc.stdin(fs::File::open(&input).unwrap()));
        assert_eq!(answer, "took 5000000\n");
    });
}

fn websocket(step: Step) {
    if !are_installed(&["python3"]) {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/programs/websocket.py");
    let server = Program::start(clean("python3").args([script, "server"]));
    let line = server.wait_for_line("port ");
    let target = format!("127.0.0.1:{}", line.trim_start_matches("port ")).parse().unwrap();
    through(step, target, |inlet| {
        let mut client = within_a_minute("python3");
        client.args([script, "client", &inlet.port().to_string()]);
        assert_eq!(succeed(&mut client), "echoed 3131323\n");
    });
}

/// Each program through both steps, each a test of its own.
macro_rules! through_both {
    ($($test:ident = $carries:path;)+) => {
        through_both!(step_03: $($test = $carries;)+);
        through_both!(step_04: $($test = $carries;)+);
    };
    ($step:ident: $($test:ident = $carries:path;)+) => {
        mod $step {
            use super::*;

            $(#[test]
            fn $test() {
                in_own_network(|| $carries(super::$step));
            })+
        }
    };
}

through_both! {
    curl_downloads_and_uploads_over_http_1 = http::one;
    curl_downloads_and_uploads_over_http_2 = http::two;
    netcat_gets_its_answer_after_ending_its_direction = netcat;
    ssh_runs_commands = ssh::commands;
    scp_copies_both_ways = ssh::copies;
    rsync_synchronises_over_ssh = ssh::synchronises;
    redis_answers_and_carries_large_values = redis::answers;
    redis_answers_a_pipeline = redis::pipelines;
    redis_reaches_a_quiet_subscriber = redis::publishes;
    a_websocket_echoes_every_size_of_frame = websocket;
}
