//! What is looked at before anything starts: `ockam check` refuses what cannot start, and a route
//! is read once.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use ockam_actix_harness::{
    client::fetch,
    deadline::PATIENCE,
    program::{clean, Program},
    target::{Target, PAGE},
};

fn ockam() -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.env("OCKAM_ARBITERS", "1");
    command
}

fn check(file: &Path) -> Output {
    ockam().arg("check").arg(file).stdin(Stdio::null()).output().unwrap()
}

/// Asserts that a check has failed with one line, which has all of `named`.
fn refused(checked: &Output, named: &[&str]) {
    let error = String::from_utf8_lossy(&checked.stderr);
    let names_all = named.iter().all(|name| error.contains(name));
    assert!(!checked.status.success() && names_all && error.lines().count() == 1, "{error}");
}

#[test]
fn two_sections_with_one_address_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tunnel.toml");
    let inlet = "[[inlet]]\nroute = 'tcp#h:1 => x'\nlisten = '127.0.0.1:4001'\n";
    fs::write(&file, format!("{inlet}{inlet}")).unwrap();
    refused(&check(&file), &["tunnel.toml:1: ", "tunnel.toml:4: ", "127.0.0.1:4001"]);
    let outlet = "[[outlet]]\nto = 'a:1'\nvia = 'h:1'\nidentity = 'web'\n";
    fs::write(&file, format!("{outlet}{outlet}")).unwrap();
    refused(&check(&file), &["tunnel.toml:1: ", "tunnel.toml:5: ", "\"service\""]);
    // The hub may also be given by the environment.
    let of_environment = outlet.replace("via = 'h:1'\n", "");
    fs::write(&file, format!("{outlet}{of_environment}")).unwrap();
    let checked = ockam().arg("check").arg(&file).env("OCKAM_HUB", "i:1,h:1").output().unwrap();
    refused(&checked, &["tunnel.toml:1: ", "tunnel.toml:5: ", "\"service\""]);
}

#[test]
fn check_opens_what_the_file_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = at("tunnel.toml");
    let outlet = |more: &str| {
        let text = "[[outlet]]\nto = 'unix:/no/socket'\nlisten = '127.0.0.1:0'\n";
        fs::write(&file, format!("{text}{more}")).unwrap();
        check(&file)
    };
    let checked = outlet("");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.starts_with("warning: "), "{checked:?}");
    assert!(said.contains("tunnel.toml:1: ") && said.contains("/no/socket"), "{said}");

    let identity = "identity = 'web'\nvault = 'vault'\nkey_file = 'key'\n";
    refused(&outlet(identity), &["tunnel.toml:1: ", "there is no vault"]);
    let [vault, key] = ["vault", "key"].map(at);
    let create = |name: &str| {
        let mut command = ockam();
        command.args(["identity", "create", name, "--vault"]).arg(&vault);
        let created = command.arg("--key-file").arg(&key).output().unwrap();
        assert!(created.status.success(), "{created:?}");
    };
    create("other");
    refused(&outlet(identity), &["tunnel.toml:1: ", "ockam identity create web"]);
    create("web");
    assert!(outlet(identity).status.success());

    fs::write(at("trusted"), "not an identifier\n").unwrap();
    refused(&outlet("trust_file = 'trusted'\n"), &["tunnel.toml:1: ", "trusted"]);
    fs::write(at("cert"), "no certificate").unwrap();
    refused(&outlet("tls_cert = 'cert'\ntls_key = 'cert'\n"), &["tunnel.toml:1: ", "cert"]);
    refused(&outlet("tls_ca = 'cert'\n"), &["tunnel.toml:1: ", "cert"]);
}

#[test]
fn check_looks_for_every_host() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tunnel.toml");
    let route = "route = 'ws#route.invalid:80/path,tcp#other.invalid:1 => worker'";
    let to = format!("to = 'I{}'\nvia = 'via.invalid:1'", "0".repeat(64));
    let text = format!(
        "[[hub]]\nlisten = ['hub.invalid:1', 'quic://quic.invalid:1', '127.0.0.1:1']\n\
         cluster = 'nats://user:secret@nats.invalid,nats://127.0.0.1'\n\
         advertise = 'here.invalid:1'\n\
         [[outlet]]\nto = 'target.invalid:1'\nlisten = 'outlet.invalid:1'\n\
         [[outlet]]\nto = '127.0.0.1:1'\nvia = 'hub-of-outlet.invalid:1'\n\
         [[inlet]]\nlisten = 'inlet.invalid:1'\n{route}\n\
         [[inlet]]\nlisten = 'unix:/no/folder/socket'\n{to}\n"
    );
    fs::write(&file, text).unwrap();
    let checked = check(&file);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{checked:?}");
    for (line, missing) in [
        (1, "hub.invalid:1"),
        (1, "quic.invalid:1"),
        (1, "nats.invalid:4222"),
        (1, "here.invalid:1"),
        (5, "target.invalid:1"),
        (5, "outlet.invalid:1"),
        (8, "hub-of-outlet.invalid:1"),
        (11, "inlet.invalid:1"),
        (11, "route.invalid:80"),
        (11, "other.invalid:1"),
        (14, "/no/folder"),
        (14, "via.invalid:1"),
    ] {
        let is_named = |one: &str| one.contains(&format!("toml:{line}: ")) && one.contains(missing);
        assert!(said.lines().any(is_named), "{missing} is not named: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("warning: ")).count(), 12, "{said}");
    assert!(!said.contains("secret"), "{said}");
}

/// A name and a file, with its mode.
type Beside<'a> = (&'a str, &'a str, u32);

#[test]
fn what_cannot_start_is_refused_before() {
    let ids = ["0", "1"].map(|digit| format!("'name=I{}'", digit.repeat(64)));
    let long = format!("[[hub]]\nlisten = 'unix:/{}'", "x".repeat(120));
    let names = format!("[[outlet]]\nto = 'a:1'\nlisten = 'a:1'\ntrust = [{}]", ids.join(","));
    let cluster = "[[hub]]\nadvertise = 'a:1'\ncluster";
    let servers = format!("{cluster} = 'nats://user:secret@:x'");
    let cluster_name = format!("{cluster} = 'nats://127.0.0.1:1'\ncluster_name = 'a b'");
    let many = vec!["'hub.example.org:4000'"; 100].join(",");
    let via = format!("[[outlet]]\nto = 'a:1'\nvia = [{many}]");
    let none: Beside<'_> = ("other", "", 0o600);
    let cases: [(&str, Beside<'_>, &str); 20] = [
        ("[[hub]]\nconnections = 99", none, ":2: connections: 99 is not in 1..=16"),
        ("[[outlet]]\nto = 'a:1'\nvia = 'a:1'\nservice = 'a b'", none, ":4: service: \"a b\" ca"),
        ("[[hub]]\nlisten = 'wss://127.0.0.1:0'", none, ":1: [[hub]]: to listen on wss://, give"),
        ("[[hub]]\nlisten = 'ws://127.0.0.1:0/a<b'", none, ":2: listen: "),
        (&long, none, ":2: listen: "),
        ("[[hub]]\nlisten = ['127.0.0.1:4', '127.0.0.1:4']", none, "127.0.0.1:4 already"),
        (&servers, none, ":1: [[hub]]: one of the NATS servers"),
        (&cluster_name, none, ":1: [[hub]]: \"a b\" is no name of a cluster"),
        (&names, none, ":1: [[outlet]]: --trust: the name \"name\""),
        (&via, none, ":1: [[outlet]]: the hubs cannot be used: "),
        ("[[outlet]]\nto = 'a:1'\nlisten = 'a:1'\nvault = 'v'", none, "add --identity NAME"),
        ("[[inlet]]\nlisten = 'a:1'\nroute = 'worker => x'", none, "\"worker\", which is no node"),
        ("[[inlet]]\nlisten = 'a:1'\nroute = 'tpc#a:1 => x'", none, "no transport \"tpc\""),
        ("[[inlet]]\nlisten = 'a:1'\nroute = 'tcp#a => x'", none, "did you mean a:4000?"),
        ("[[inlet]]\nlisten = 'unix:a'\nroute = 'tcp#a:1 => x'", none, "did you mean unix:/a?"),
        ("[[inlet]]\nlisten = 'a:1'\nto = 'name/web'\nvia = 'a:1'", none, "\"name\" is no name"),
        ("[console]\nlisten = 'a:b:c'", none, ":2: \"a:b:c\" is not a TCP address"),
        ("[[hub]]\nconsole = 'a:b:c'", none, ":2: console: \"a:b:c\" is not"),
        ("[[hub]]\nlisten = '127.0.0.1:0'\nknown = 'known'", ("known", "", 0o666), "chmod 600"),
        (
            "[[outlet]]\nto = 'a:1'\nlisten = '127.0.0.1:0'\ntrust_file = 'trusted'",
            ("trusted", "", 0o666),
            "chmod go-w",
        ),
    ];
    for (text, (name, content, mode), said) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (file, beside) = (folder.path().join("tunnel.toml"), folder.path().join(name));
        fs::write(&beside, content).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(&file, text).unwrap();
        refused(&check(&file), &["tunnel.toml:", said]);
        // It is no mistake that starting would not have found.
        let mut program = Program::start(ockam().arg("run").arg(&file));
        assert!(!program.wait_for_exit(PATIENCE).success(), "{program}");
        let last = program.stderr().pop().unwrap();
        assert!(last.contains(said) && !last.contains("secret"), "{said}: {last}");
    }
}

#[test]
fn check_reads_what_clusters_and_names_need() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tunnel.toml");
    let cluster = "[[hub]]\nadvertise = 'a:1'\ncluster = 'tls://127.0.0.1:1'\ncluster_ca = 'ca'";
    fs::write(&file, cluster).unwrap();
    refused(&check(&file), &["tunnel.toml:1: [[hub]]: cannot read "]);
    fs::write(folder.path().join("ca"), "no certificate").unwrap();
    refused(&check(&file), &["tunnel.toml:1: [[hub]]: ", "no certificate"]);

    let inlet = "[[inlet]]\nlisten = '127.0.0.1:0'\nto = 'web/site'\nvia = '127.0.0.1:1'\n";
    fs::write(&file, format!("{inlet}trust_file = 'trusted'")).unwrap();
    refused(&check(&file), &["tunnel.toml:1: [[inlet]]: ", "\"web\" is no name"]);
    fs::write(folder.path().join("trusted"), format!("web I{}\n", "0".repeat(64))).unwrap();
    let checked = check(&file);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_route_may_be_read_only_once() {
    let target = Target::start();
    let to = target.address();
    let outlet = ["outlet", "--to", &to, "--listen", "127.0.0.1:0", "--plain"];
    let outlet = Program::start(ockam().args(outlet));
    let route = outlet.wait_for_line("ockam inlet ").split('\'').nth(1).unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let lines = [
        "printf %s \"$1\" | \"$0\" inlet --listen 127.0.0.1:0 --plain --route-file -",
        "printf %s \"$1\" > \"$2\" & exec \"$0\" inlet --listen 127.0.0.1:0 --plain --route-file \"$2\"",
    ];
    for line in lines {
        let mut shell = clean("sh");
        shell.args(["-c", line, env!("CARGO_BIN_EXE_ockam"), &route]).arg(&pipe);
        let inlet = Program::start(shell.env("OCKAM_ARBITERS", "1"));
        assert_eq!(fetch(inlet.wait_for_address("inlet on "), "/"), Ok(PAGE.into()), "{inlet}");
    }
    // A section that runs is not read again, although another one was added.
    let file = folder.path().join("tunnel.toml");
    let inlet = "[[inlet]]\nlisten = '127.0.0.1:0'\nroute_file = 'pipe'\nplain = true\n";
    fs::write(&file, inlet).unwrap();
    let line = "printf %s \"$1\" > \"$2\" & exec \"$0\" run \"$3\"";
    let mut shell = clean("sh");
    shell.args(["-c", line, env!("CARGO_BIN_EXE_ockam"), &route]).arg(&pipe).arg(&file);
    let program = Program::start(shell.env("OCKAM_ARBITERS", "1"));
    program.wait_for_line("inlet on ");
    fs::write(&file, format!("{inlet}[[hub]]\nlisten = '127.0.0.1:0'\n")).unwrap();
    program.wait_for_line("hub on ");
}
