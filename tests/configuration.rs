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
