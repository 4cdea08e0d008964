//! The commands with identities from a vault: a hub that registers only known nodes, and an outlet
//! that trusts one inlet.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use ockam_actix_harness::{
    client::fetch,
    deadline::poll,
    echo,
    program::{clean, Program},
    target::{Target, PAGE},
};

const DEADLINE: Duration = Duration::from_secs(30);

fn start(directory: &Path, arguments: &[&str]) -> Program {
    Program::start(&mut ockam(directory, arguments))
}

fn ockam(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.args(arguments).env("OCKAM_VAULT", directory.join("vault")).stdin(Stdio::null());
    command.env("OCKAM_ARBITERS", "1");
    command
}

fn key(directory: &Path) -> PathBuf {
    directory.join("key")
}

fn create(directory: &Path, name: &str) -> String {
    let key = key(directory);
    let arguments = ["identity", "create", name, "--key-file", key.to_str().unwrap()];
    let output = ockam(directory, &arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn echoed(inlet: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(inlet)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"hello")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

#[test]
fn outlet_keeps_its_address_and_serves_trusted_inlets() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let [hub_id, web, laptop, other] =
        ["hub", "web", "laptop", "other"].map(|name| create(directory, name));
    let key = key(directory);
    let key = key.to_str().unwrap();
    let as_whom = |name, trust| ["--identity", name, "--key-file", key, "--trust", trust];
    let known = format!("{web},{other}");
    let hub_arguments = ["hub", "127.0.0.1:0", "--require-channel"];
    let hub = start(directory, &[&hub_arguments[..], &as_whom("hub", &known)].concat());
    let at = hub.wait_for_rest("hub on ");
    let target = echo::start();
    let channel = format!("--hub-channel={hub_id}");
    let outlet = ["outlet", "--to", &target, "--via", &at, &channel];
    let outlet = [&outlet[..], &as_whom("web", &laptop)].concat();
    let route_of = |outlet: &Program| {
        let route = outlet.wait_for_rest("--route '");
        route.trim_end_matches('\'').to_owned()
    };
    let first = start(directory, &outlet);
    let route = route_of(&first);
    assert!(route.contains(&format!(".{web}.S")), "the whole address is printed");
    drop(first);
    let second = start(directory, &outlet);
    assert_eq!(route_of(&second), route);
    let inlet = |name| {
        let inlet = ["inlet", "--listen", "127.0.0.1:0", "--route", &route];
        let inlet = start(directory, &[&inlet[..], &as_whom(name, &web)].concat());
        let at = inlet.wait_for_address("inlet on ");
        (inlet, at)
    };
    let (_trusted, at_trusted) = inlet("laptop");
    poll("the trusted inlet to reach the target", DEADLINE, || match echoed(at_trusted) {
        Ok(answer) if answer == b"hello" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let (_stranger, at_stranger) = inlet("other");
    for _ in 0..3 {
        let answer = echoed(at_stranger).unwrap_or_default();
        assert!(answer.is_empty(), "a stranger gets nothing");
    }
}

#[test]
fn hub_that_requires_a_channel_registers_no_stranger() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let trusted = create(directory, "web");
    let hub = start(directory, &["hub", "127.0.0.1:0", "--require-channel", "--trust", &trusted]);
    let at = hub.wait_for_rest("hub on ");
    let outlet = ["outlet", "--to", "127.0.0.1:9", "--via", &at];
    for (more, said) in [(&[][..], "no forwarding service"), (&["--hub-channel"], "does not trust")]
    {
        let outlet = start(directory, &[&outlet[..], more].concat());
        let line = outlet.wait_for_line("trying again in");
        assert!(line.contains(said), "{said:?} is not said: {outlet}");
        assert!(outlet.stdout().iter().all(|line| !line.contains("--route")), "{outlet}");
    }
}

#[test]
fn a_mended_trust_needs_no_restarted_inlet() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let [web, laptop, other] = ["web", "laptop", "other"].map(|name| create(directory, name));
    let key = key(directory);
    let key = key.to_str().unwrap();
    let target = echo::start();
    let outlet = |listen: &str, trust: &str| {
        let outlet = ["outlet", "--to", &target, "--listen", listen];
        let web = ["--identity", "web", "--key-file", key, "--trust", trust];
        start(directory, &[&outlet[..], &web].concat())
    };
    let mut mistaken = outlet("127.0.0.1:0", &other);
    let at = mistaken.wait_for_address("listening for nodes on ").to_string();
    let route = format!("tcp#{at} => secure_channel_listener_service");
    let inlet = ["inlet", "--listen", "127.0.0.1:0", "--route", &route];
    let laptop_trusting = ["--identity", "laptop", "--key-file", key, "--trust", &web];
    let inlet = start(directory, &[&inlet[..], &laptop_trusting].concat());
    let at_inlet = inlet.wait_for_address("inlet on ");
    inlet.wait_for_line("does not trust");
    mistaken.terminate();
    mistaken.wait_for_exit(DEADLINE);
    let _mended = outlet(&at, &laptop);
    poll("the inlet to reach the target", DEADLINE, || match echoed(at_inlet) {
        Ok(answer) if answer == b"hello" => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// The identity `web` as two programs, whose targets say which of them is reached.
#[test]
fn the_last_outlet_of_a_service_is_reached() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    create(directory, "web");
    let key = key(directory);
    let hub = start(directory, &["hub", "127.0.0.1:0"]);
    let at = hub.wait_for_rest("hub on ");
    let (first_target, second_target, other_target) =
        (Target::start(), Target::start(), Target::start());
    let outlet = |target: &Target, service: &str| {
        let to = target.address();
        let arguments = ["outlet", "--to", &to, "--via", &at, "--service", service];
        let identity = ["--identity", "web", "--key-file", key.to_str().unwrap()];
        let outlet = start(directory, &[&arguments[..], &identity].concat());
        let route = outlet.wait_for_rest("--route '").trim_end_matches('\'').to_owned();
        (outlet, route)
    };
    let inlet = |route: &str| {
        let inlet = start(directory, &["inlet", "--listen", "127.0.0.1:0", "--route", route]);
        let at = inlet.wait_for_address("inlet on ");
        (inlet, at)
    };
    let (mut first, route) = outlet(&first_target, "web");
    hub.wait_for_line("registered F");
    let (_other, other_route) = outlet(&other_target, "database");
    assert_ne!(route, other_route);
    let (_inlet, at_web) = inlet(&route);
    let (_inlet, at_database) = inlet(&other_route);
    let reached = |what: &str, inlet, target: &Target| {
        poll(what, DEADLINE, || {
            let before = target.accepted();
            let page = fetch(inlet, "/")?;
            (page.contains(PAGE) && target.accepted() > before).then_some(()).ok_or(page)
        });
    };
    reached("the first outlet", at_web, &first_target);
    reached("the other service", at_database, &other_target);
    // Another start, as of a second machine, or after a power cut that the hub has not noticed.
    let begun = Instant::now();
    let (_second, same) = outlet(&second_target, "web");
    println!("the second outlet had the address after {:.1?}", begun.elapsed());
    assert_eq!(same, route);
    hub.wait_for_line("this newer registration displaces the one before");
    let error = first.wait_for_line("another program has registered this identity and service");
    assert!(error.contains("ERROR"), "{error}");
    let (_inlet, at_second) = inlet(&route);
    reached("the second outlet", at_second, &second_target);
    let before = first_target.accepted();
    for _ in 0..20 {
        fetch(at_second, "/").unwrap();
    }
    assert_eq!(first_target.accepted(), before);
    // It stays, so that nothing that starts it again makes it take the address back.
    assert!(first.is_running());
    drop(first);
    // A channel with the first lasted until now.
    reached("the second outlet", at_web, &second_target);
    reached("the other service", at_database, &other_target);
    drop(_other);
    hub.wait_for_line("has left: its connection is gone");
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let id = create(directory, "web");
    let outlet = ["outlet", "--to", "127.0.0.1:9", "--listen", "127.0.0.1:0"];
    let with = |more: &[&'static str]| [&outlet[..], more].concat();
    let hub = vec!["hub", "127.0.0.1:0", "--trust", &id];
    let cases = [
        (with(&["--plain", "--identity", "web"]), "--plain"),
        (with(&["--key-file", "nowhere"]), "--identity NAME"),
        (with(&["--identity", "web"]), "OCKAM_PASSPHRASE"),
        (hub, "--require-channel"),
    ];
    for (arguments, named) in cases {
        let output = ockam(directory, &arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(named), "{arguments:?}: {error}");
    }
}
