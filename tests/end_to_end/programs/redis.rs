//! redis-cli and redis-server: questions and answers, large values, a pipeline, a quiet subscriber.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::SocketAddr,
    process::Command,
};

use super::{are_installed, free_address, succeed, through, within_a_minute};
use ockam_actix_harness::{
    client::connect,
    deadline::{poll, PATIENCE},
    program::{clean, Program},
};

use crate::tunnel::Step;

const COMMANDS: usize = 20_000;

fn start_server(address: SocketAddr) -> Program {
    let mut server = clean("redis-server");
    server.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    server.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
    let server = Program::start(&mut server);
    server.wait_for_line("Ready to accept connections");
    server
}

fn with_server(step: Step, test: impl FnOnce(SocketAddr, SocketAddr)) {
    if are_installed(&["redis-server", "redis-cli"]) {
        let address = free_address();
        let _server = start_server(address);
        through(step, address, |inlet| test(inlet, address));
    }
}

fn cli(at: SocketAddr) -> Command {
    let mut cli = within_a_minute("redis-cli");
    cli.args(["-p", &at.port().to_string()]);
    cli
}

pub(super) fn answers(step: Step) {
    with_server(step, |inlet, _| {
        assert_eq!(succeed(cli(inlet).arg("ping")), "PONG\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("value");
        let value = "0123456789abcdef".repeat(1_000_000);
        fs::write(&file, &value).unwrap();
        let set =
            succeed(cli(inlet).args(["-x", "set", "large"]).stdin(fs::File::open(file).unwrap()));
        assert_eq!(set, "OK\n");
        assert!(succeed(cli(inlet).args(["get", "large"])).trim_end() == value);
    });
}

/// All commands are sent before an answer is read.
pub(super) fn pipelines(step: Step) {
    with_server(step, |inlet, _| {
        let (mut commands, mut answers) = (String::new(), String::new());
        for number in 0..COMMANDS {
            write!(commands, "SET key{number} {number}\r\nGET key{number}\r\n").unwrap();
            write!(answers, "+OK\r\n${}\r\n{number}\r\n", number.to_string().len()).unwrap();
        }
        let mut client = connect(inlet, PATIENCE).unwrap();
        client.write_all(commands.as_bytes()).unwrap();
        let mut answered = vec![0; answers.len()];
        client.read_exact(&mut answered).unwrap();
        assert!(answered == answers.as_bytes());
    });
}

/// A subscriber that sends nothing hears what is published at the server's own address.
pub(super) fn publishes(step: Step) {
    with_server(step, |inlet, server| {
        let port = inlet.port().to_string();
        let subscriber = Program::start(clean("stdbuf").args([
            "-oL",
            "redis-cli",
            "-p",
            &port,
            "subscribe",
            "news",
        ]));
        // Into a pipe, redis-cli writes nothing about the subscription before the first message.
        poll("the subscription", PATIENCE, || {
            let heard = succeed(cli(server).args(["publish", "news", "hello"]));
            if heard == "1\n" {
                Ok(())
            } else {
                Err(heard)
            }
        });
        subscriber.wait_for_line("hello");
        for number in 0..10 {
            let text = format!("message {number}");
            assert_eq!(succeed(cli(server).args(["publish", "news", &text])), "1\n");
            subscriber.wait_for_line(&text);
        }
    });
}
