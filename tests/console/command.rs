//! `--console` and `ockam status`.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Output},
    time::Duration,
};

use ockam_actix_harness::{
    process::Process,
    program::{example, Program},
};
use serde_json::Value;

use crate::network::{ask, get};

const LIMIT: Duration = Duration::from_secs(30);

fn status(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ockam")).arg("status").args(arguments).output().unwrap()
}

#[test]
fn status_shows_what_a_console_tells() {
    let mut hub = Command::new(env!("CARGO_BIN_EXE_ockam"));
    hub.args(["hub", "127.0.0.1:0", "--console", ":0"]);
    let mut hub = Process::start("the hub", &mut hub).unwrap();
    let line = hub.wait_for_line(0, "console on http://127.0.0.1:", LIMIT).unwrap();
    let bound = hub.wait_for_line(0, "hub on ", LIMIT).unwrap();
    let port = line.trim_end().trim_end_matches('/').rsplit_once(':').unwrap().1;
    let shown = status(&[port]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success(), "{text}");
    let address = bound.trim().rsplit_once(' ').unwrap().1;
    assert!(text.contains(&format!("listening for nodes on {address}")), "{text}");
    let json = status(&[&format!("127.0.0.1:{port}"), "--json"]).stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["process"]["pid"], hub.id());
    hub.terminate().unwrap();
    assert!(hub.wait_for_exit(LIMIT).unwrap().success());
    let gone = status(&[port]);
    let error = String::from_utf8(gone.stderr).unwrap();
    assert!(!gone.status.success() && error.contains("started with --console"), "{error}");
}

#[test]
fn status_shows_why_a_console_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let console = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        assert!(client.read(&mut [0; 1_024]).unwrap() > 0);
        let body = "not by this name: permit it, with --console-host\n";
        let head = "HTTP/1.1 421 Misdirected Request\r\nconnection: close\r\ncontent-length";
        write!(client, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let refused = status(&[&address]);
    console.join().unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && error.contains("421 Misdirected Request"), "{error}");
    assert!(error.contains("permit it, with --console-host"), "{error}");
}

#[test]
fn an_application_has_the_console_in_a_scope() {
    let program = Program::start(example("console-in-actix-web").arg("127.0.0.1:0"));
    let line = program.wait_for_line("open http://");
    let console = line.trim().rsplit("http://").next().unwrap();
    let address = console.trim_end_matches("/node/").parse().unwrap();
    actix_rt::System::new().block_on(async {
        assert!(get(address, "/").await.contains("own page"));
        assert!(get(address, "/node/").await.contains("<title>ockam console</title>"));
        assert!(get(address, "/node/page.js").await.contains("api/v1/"));
        assert!(get(address, "/node/api/v1/workers").await.contains("\"echoer\""));
        let (head, _) = ask(address, "GET /node", "localhost").await;
        assert!(head.contains("location: node/"), "{head}");
    });
}
