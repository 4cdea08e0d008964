//! `ockam run` and `ockam check`: sections of a file as real programs, and what a changed file
//! changes.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixDatagram,
    path::Path,
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use ockam_actix_harness::{
    client::{connect, fetch},
    deadline::{poll, PATIENCE},
    network::in_own_network,
    program::{clean, Program},
    target::{Target, PAGE},
};

fn ockam() -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.env("OCKAM_ARBITERS", "1");
    command
}

fn run(file: impl AsRef<Path>) -> Program {
    Program::start(ockam().arg("run").arg(file.as_ref()))
}

/// Replaces a file as editors do.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

fn hangup(program: &Program) {
    let id = program.id().to_string();
    assert!(Command::new("kill").args(["-s", "HUP", &id]).status().unwrap().success());
}

/// A client whose stream is open.
struct Client(TcpStream);

impl Client {
    fn new(inlet: SocketAddr) -> Self {
        let mut client = Self(connect(inlet, PATIENCE).unwrap());
        client.0.write_all(b"ECHO\n").unwrap();
        client.echoes();
        client
    }

    fn echoes(&mut self) {
        let mut echo = [0; 4];
        self.0.write_all(b"text").and_then(|()| self.0.read_exact(&mut echo)).unwrap();
        assert_eq!(&echo, b"text");
    }
}

#[test]
fn the_examples_run_in_any_order() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config");
    for file in fs::read_dir(&examples).unwrap() {
        let checked = ockam().arg("check").arg(file.unwrap().path()).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
    let target = Target::start();
    let text = |name: &str| {
        let text = fs::read_to_string(examples.join(name)).unwrap();
        text.replace("127.0.0.1:5000", &target.address())
    };
    let folder = tempfile::tempdir().unwrap();
    for name in ["hub.toml", "inlet.toml", "outlet.toml", "everything.toml"] {
        fs::write(folder.path().join(name), text(name)).unwrap();
    }
    in_own_network(|| {
        let page = |programs: &[Program]| {
            let inlet = "127.0.0.1:4001".parse().unwrap();
            let page = poll("a page", PATIENCE, || fetch(inlet, "/"));
            assert_eq!(page, PAGE, "{}", programs[0]);
        };
        let start = |name: &&str| run(folder.path().join(name));
        page(&["inlet.toml", "outlet.toml"].each_ref().map(start));
        let all = ["everything.toml"].each_ref().map(start);
        all[0].wait_for_line("--route 'tcp#127.0.0.1:4000 => F");
        page(&all);
    });
}

#[test]
fn a_changed_file_changes_only_what_it_says() {
    let target = Target::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tunnel.toml");
    let outlet = format!(
        "[node]\ndrain_timeout = '60s'\n[[outlet]]\nto = '{}'\nlisten = '127.0.0.1:4100'\n",
        target.address()
    );
    let inlet = |port: u16| {
        let route = "tcp#127.0.0.1:4100 => secure_channel_listener_service";
        format!("[[inlet]]\nlisten = '127.0.0.1:{port}'\nroute = '{route}'\n")
    };
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    fs::write(&file, format!("{outlet}{}{}", inlet(4001), inlet(4002))).unwrap();
    in_own_network(|| {
        let notified = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        let state = || {
            let mut state = [0; 32];
            let length = notified.recv(&mut state).unwrap();
            String::from_utf8_lossy(&state[..length]).into_owned()
        };
        let mut program = ockam();
        program.arg("run").arg(&file).env("NOTIFY_SOCKET", folder.path().join("notify"));
        let mut program = Program::start(&mut program);
        assert_eq!(state(), "READY=1", "{program}");
        let (mut stays, mut drains) = (Client::new(at(4001)), Client::new(at(4002)));

        let before = program.line_count();
        replace(&file, &format!("{outlet}{}{}", inlet(4001), inlet(4003)));
        program.wait_for_line_after(before, "inlet on 127.0.0.1:4003", PATIENCE);
        assert_eq!([state(), state()], ["RELOADING=1", "READY=1"]);
        stays.echoes();
        drains.echoes();
        poll("the removed inlet to be closed", PATIENCE, || {
            connect(at(4002), Duration::from_secs(1)).map_or(Ok(()), |_| Err("it is open"))
        });
        assert_eq!(fetch(at(4003), "/"), Ok(PAGE.into()), "{program}");

        let before = program.line_count();
        replace(&file, &format!("{outlet}{}\nlisen = 1", inlet(4001)));
        let said = program.wait_for_line_after(before, "nothing is changed", PATIENCE);
        assert!(said.contains("tunnel.toml:10: ") && said.contains("\"listen\"?"), "{said}");
        stays.echoes();
        assert_eq!(fetch(at(4003), "/"), Ok(PAGE.into()), "{program}");

        let before = program.line_count();
        fs::remove_file(&file).unwrap();
        program.wait_for_line_after(before, "nothing is changed: cannot read ", PATIENCE);
        stays.echoes();

        let before = program.line_count();
        fs::write(&file, format!("{outlet}{}", inlet(4004))).unwrap();
        hangup(&program);
        program.wait_for_line_after(before, "inlet on 127.0.0.1:4004", PATIENCE);
        stays.echoes();
        drop((stays, drains));
        assert!(program.is_running());
        program.terminate();
        let status = program.wait_for_exit(PATIENCE);
        assert!(status.success(), "{status}: {program}");
    });
}

#[test]
fn a_section_that_cannot_start_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    fs::write(&file, format!("\n[[hub]]\nlisten = '{}'\n", holder.local_addr().unwrap())).unwrap();
    let mut program = run(&file);
    let status = program.wait_for_exit(PATIENCE);
    let error = program.stderr().join("\n");
    assert!(!status.success() && error.contains("hub.toml:2: [[hub]]"), "{error}");
}

#[test]
fn a_vault_that_does_not_open_changes_nothing() {
    let target = Target::start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (vault, key) in [("vault", "key"), ("other-vault", "other-key")] {
        let mut create = ockam();
        create.args(["identity", "create", "web", "--vault"]).arg(at(vault));
        assert!(create.arg("--key-file").arg(at(key)).output().unwrap().status.success());
    }
    let file = at("tunnel.toml");
    let text = |listen: &str, key: &str| {
        let to = target.address();
        format!(
            "[[outlet]]\nto = '{to}'\nlisten = '{listen}'\nidentity = 'web'\nvault = 'vault'\n\
             key_file = '{key}'\n"
        )
    };
    fs::write(&file, text("127.0.0.1:0", "key")).unwrap();
    let program = run(&file);
    let route = program.wait_for_line("ockam inlet ");
    let mut inlet = ockam();
    inlet.args(["inlet", "--listen", "127.0.0.1:0", "--route", route.split('\'').nth(1).unwrap()]);
    let inlet = Program::start(&mut inlet);
    let mut client = Client::new(inlet.wait_for_address("inlet on "));
    for (key, said) in [("other-key", "does not open"), ("no-key", "no-key")] {
        let before = program.line_count();
        replace(&file, &text("localhost:0", key));
        let line = program.wait_for_line_after(before, "nothing is changed: ", PATIENCE);
        assert!(line.contains("tunnel.toml:1: [[outlet]]") && line.contains(said), "{line}");
        client.echoes();
    }
    let before = program.line_count();
    replace(&file, &text("localhost:0", "key"));
    program.wait_for_line_after(before, "ockam inlet ", PATIENCE);
}

#[test]
fn what_cannot_start_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tunnel.toml");
    let console = "[console]\nlisten = 0\n";
    let hub = format!("{console}[[hub]]\nlisten = '127.0.0.1:0'\n");
    fs::write(&file, &hub).unwrap();
    let mut program = run(&file);
    program.wait_for_line("hub on ");
    let cluster = "cluster = 'nats://127.0.0.1:1'\nadvertise = '127.0.0.1:1'\n";
    for (changed, said) in [
        (format!("{hub}connections = 99"), "tunnel.toml:5: connections: 99"),
        (format!("{hub}{cluster}cluster_name = 'a b'"), "tunnel.toml:3: [[hub]]: \"a b\""),
        (format!("{hub}{cluster}cluster_ca = 'none'"), "tunnel.toml:3: [[hub]]: cannot read "),
        (format!("{hub}known = 'no/folder/known'"), "tunnel.toml:3: [[hub]]: there is no folder "),
        (
            format!("{console}[[hub]]\nlisten = 'unix:/no/folder/x'"),
            "there is no folder /no/folder",
        ),
        (format!("{console}[[hub]]\nlisten = 'wss://localhost:0'"), "give --tls-cert"),
    ] {
        let before = program.line_count();
        replace(&file, &changed);
        let line = program.wait_for_line_after(before, "nothing is changed: ", PATIENCE);
        assert!(line.contains(said), "{line}");
    }
    program.terminate();
    assert!(program.wait_for_exit(PATIENCE).success(), "{program}");
    assert!(!program.to_string().contains("trying again"), "{program}");
    assert_eq!(program.stdout().join("\n").matches("hub on ").count(), 1, "{program}");
}

#[test]
fn a_new_include_is_followed_after_its_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (file, part) = (at("tunnel.toml"), at("part.d/hub.toml"));
    fs::create_dir(at("part.d")).unwrap();
    fs::write(&part, "[[hub]]\nlisen = '127.0.0.1:0'\n").unwrap();
    let console = "[console]\nlisten = 0\n";
    fs::write(&file, console).unwrap();
    let program = run(&file);
    program.wait_for_line("console on ");
    replace(&file, &format!("include = 'part.d/*.toml'\n{console}"));
    let line = program.wait_for_line("nothing is changed: ");
    assert!(line.contains("hub.toml:2: "), "{line}");
    replace(&part, "[[hub]]\nlisten = '127.0.0.1:0'\n");
    program.wait_for_line("hub on ");
    let lines = program.to_string();
    assert_eq!(lines.matches("nothing is changed").count(), 1, "{lines}");
    assert_eq!(lines.matches("was read again: 1 section").count(), 1, "{lines}");
}

#[test]
fn a_reading_that_waits_delays_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pipe) = (folder.path().join("tunnel.toml"), folder.path().join("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let hub = "[[hub]]\nlisten = '127.0.0.1:0'\n";
    fs::write(&file, hub).unwrap();
    let mut program = run(&file);
    program.wait_for_line("hub on ");
    replace(&file, &format!("{hub}[[inlet]]\nlisten = '127.0.0.1:0'\nroute_file = 'pipe'\n"));
    // It opens once somebody reads, who then waits for what never comes.
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(fs::OpenOptions::new().write(true).open(pipe)));
    let _writer = told.recv_timeout(PATIENCE).expect("the pipe should have been read").unwrap();
    program.terminate();
    assert!(program.wait_for_exit(PATIENCE).success(), "{program}");
}

#[test]
fn one_console_shows_all_sections() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tunnel.toml");
    let outlet = "[[outlet]]\nto = '127.0.0.1:1'\nlisten = '127.0.0.1:0'\nplain = true\n";
    let text = |listen: &str, more: &str| {
        format!("[console]\nlisten = '{listen}'\nhost = ['a.example']\n{outlet}{more}")
    };
    fs::write(&file, text("127.0.0.1:0", "[[hub]]\nlisten = '127.0.0.1:0'\n")).unwrap();
    let mut program = run(&file);
    let console = |after: usize| {
        let line = program.wait_for_line_after(after, "console on http://", PATIENCE);
        line.trim().trim_end_matches('/').rsplit("//").next().unwrap().to_owned()
    };
    let status = |console: &str, more: &[&str]| {
        let shown = ockam().args(["status", console]).args(more).output().unwrap();
        String::from_utf8(shown.stdout).unwrap()
    };
    let at = console(0);
    program.wait_for_line("hub on ");
    program.wait_for_line("ockam inlet ");
    let shown = status(&at, &[]);
    assert!(shown.contains("\nnodes 2\n") && shown.contains("NODE"), "{shown}");
    assert!(shown.contains("\n  outlet 127.0.0.1:1  outlet"), "{shown}");
    let metrics = fetch(at.parse().unwrap(), "/metrics").unwrap();
    for node in ["hub 127.0.0.1:0", "outlet 127.0.0.1:1"] {
        assert!(metrics.contains(&format!("\nockam_channels{{node=\"{node}\"}} 0\n")), "{metrics}");
    }

    // The console alone is replaced, and a section that is gone is not shown.
    let before = program.line_count();
    replace(&file, &text("localhost:0", ""));
    let again = console(before);
    poll("the hub to be gone", PATIENCE, || {
        let json = status(&again, &["--json"]);
        if json.contains("\"hub 127.0.0.1:0\"") {
            Err(json)
        } else {
            Ok(())
        }
    });
    assert!(connect(at.parse().unwrap(), Duration::from_secs(1)).is_err(), "{program}");
    let lines = program.stdout().join("\n");
    assert_eq!(lines.matches("start an inlet").count(), 1, "the outlet was replaced: {program}");

    // A console that cannot be had is said, and ends nothing.
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let before = program.line_count();
    replace(&file, &text(&holder.local_addr().unwrap().to_string(), ""));
    program.wait_for_line_after(before, "tunnel.toml:1: [console]: cannot", PATIENCE);
    program.terminate();
    assert!(program.wait_for_exit(PATIENCE).success(), "{program}");
    let mut program = run(&file);
    assert!(!program.wait_for_exit(PATIENCE).success(), "{program}");
    let error = program.stderr().join("\n");
    assert!(error.contains("tunnel.toml:1: [console]: "), "{error}");
}

#[test]
fn one_passphrase_opens_the_vault_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    let mut create = ockam();
    create.args(["identity", "create", "web"]).env("OCKAM_VAULT", &vault);
    assert!(create.env("OCKAM_PASSPHRASE", "correct horse").output().unwrap().status.success());
    let file = folder.path().join("tunnel.toml");
    let outlet = "[[outlet]]\nto = '127.0.0.1:1'\nlisten = '127.0.0.1:0'\nidentity = 'web'\n";
    let node = "[node]\nvault = 'vault'\npassphrase_fd = 0\n";
    fs::write(&file, format!("{node}{outlet}{outlet}")).unwrap();
    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "correct horse\n").unwrap();
    let mut shell = clean("sh");
    shell.args(["-c", "exec \"$0\" run \"$1\" < \"$2\"", env!("CARGO_BIN_EXE_ockam")]);
    let mut program = Program::start(shell.arg(&file).arg(&passphrase).env("OCKAM_ARBITERS", "1"));
    poll("both outlets", PATIENCE, || {
        let both = program.stdout().iter().filter(|line| line.contains("ockam inlet")).count() == 2;
        both.then_some(()).ok_or_else(|| program.to_string())
    });
    program.terminate();
    assert!(program.wait_for_exit(PATIENCE).success(), "{program}");
}

#[test]
fn several_targets_are_reached_each() {
    let targets = [Target::start(), Target::start()];
    let hub = Program::start(ockam().args(["hub", "127.0.0.1:0"]));
    let via = hub.wait_for_address("hub on ").to_string();
    let to = ["web", "db"].map(|name| {
        let target = &targets[usize::from(name == "db")];
        format!("{name}={}", target.address())
    });
    let mut outlet = ockam();
    outlet.args(["outlet", "--via", &via, "--to", &to[0], "--to", &to[1], "--console", "0"]);
    let mut outlet = Program::start(&mut outlet);
    for name in ["web", "db"] {
        let said = format!("start an inlet for {name} with:");
        let printed = || {
            let lines = outlet.stdout();
            let at = lines.iter().position(|line| *line == said);
            at.and_then(|at| lines.get(at + 1)).cloned().ok_or_else(|| outlet.to_string())
        };
        let command = poll("an inlet's command", PATIENCE, printed);
        let route = command.split('\'').nth(1).unwrap();
        let inlet = ["inlet", "--listen", "127.0.0.1:0", "--route", route];
        let inlet = Program::start(ockam().args(inlet));
        assert_eq!(fetch(inlet.wait_for_address("inlet on "), "/"), Ok(PAGE.into()), "{inlet}");
    }
    let console = outlet.wait_for_line("console on http://");
    let console = console.trim().trim_end_matches('/').rsplit("//").next().unwrap();
    let streams = fetch(console.parse().unwrap(), "/metrics").unwrap();
    for name in ["web", "db"] {
        assert!(streams.contains(&format!("begun_total{{node=\"outlet {name}\",")), "{streams}");
    }
    outlet.terminate();
    assert!(outlet.wait_for_exit(PATIENCE).success(), "{outlet}");
    assert_eq!(targets.map(|target| target.accepted()), [1, 1]);
}
