//! Unix sockets at both ends.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use ockam_actix_harness::{
    deadline::{poll, PATIENCE},
    program::{clean, Program},
    target::{Target, PAGE},
};

use crate::{are_installed, output, succeed, Portal};

#[test]
fn redis_answers_between_unix_sockets() {
    if !are_installed(&["redis-server", "redis-cli"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (target, inlet) = (path("redis"), path("inlet"));
    let mut server = clean("redis-server");
    server.args(["--port", "0", "--unixsocket", &target, "--save", "", "--appendonly", "no"]);
    let server = Program::start(&mut server);
    server.wait_for_line("eady to accept connections");
    let (to, listen) = (format!("unix:{target}"), format!("unix:{inlet}"));
    let mut portal = Portal::start(&["--to", &to], &["--listen", &listen, "--listen-mode", "660"]);
    assert_eq!(fs::metadata(&inlet).unwrap().permissions().mode() & 0o777, 0o660);
    let cli = |arguments: &[&str]| succeed(&[&["redis-cli", "-s", &inlet], arguments].concat());
    assert_eq!(cli(&["ping"]), "PONG\n");
    let value = "0123456789abcdef".repeat(5_000);
    assert_eq!(cli(&["set", "large", &value]), "OK\n");
    assert_eq!(cli(&["get", "large"]).trim_end(), value);
    portal.inlet.terminate();
    portal.inlet.wait_for_exit(Duration::from_secs(5));
    assert!(!fs::exists(&inlet).unwrap(), "the file is removed");
    // A killed program leaves its file behind, and the next one replaces it.
    let again = || Portal::start(&["--to", &to], &["--listen", &listen]);
    let mut killed = again();
    killed.inlet.kill();
    killed.inlet.wait_for_exit(PATIENCE);
    assert!(fs::exists(&inlet).unwrap(), "nobody could remove it");
    let _portal = again();
    assert_eq!(cli(&["ping"]), "PONG\n");
}

#[test]
fn curl_fetches_through_a_unix_socket() {
    if !are_installed(&["curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let inlet = folder.path().join("inlet").display().to_string();
    let target = Target::start();
    let listen = format!("unix://{inlet}");
    let portal = Portal::start(&["--to", &target.address()], &["--listen", &listen]);
    let fetched = poll("a page", PATIENCE, || {
        match output(&["curl", "-sS", "--unix-socket", &inlet, "http://any.example/"]) {
            (true, page) => Ok(page),
            (false, why) => Err(why),
        }
    });
    assert_eq!(fetched, PAGE, "{} {}", portal.outlet, portal.inlet);
}
