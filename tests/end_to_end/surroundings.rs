//! What surrounds a program ends and stalls no node: output that nobody takes, a terminal that goes
//! away, files that cannot be written, limits, a clock that is set.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use ockam_actix_harness::{
    client::{connect, fetch},
    deadline::{poll, wait_for, PATIENCE},
    program::{clean, Program},
    target::{Target, PAGE},
};

const OCKAM: &str = env!("CARGO_BIN_EXE_ockam");

/// Waits until a hub listens on `socket`.
fn until_it_listens(socket: &Path) {
    poll("a hub that listens", PATIENCE, || UnixStream::connect(socket).map(drop));
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits for the end of a program, which does not outlive the test.
fn code(mut child: Child) -> Option<i32> {
    let waited_for = || child.try_wait().unwrap().ok_or("it is still running");
    let ended = wait_for("a program's end", PATIENCE, waited_for);
    let _ = child.kill();
    ended.unwrap().code()
}

/// A hub whose descriptors are as `redirection` says goes on until it is told to stop.
fn hub_goes_on(redirection: &str) {
    limited_hub_goes_on("-c 0", redirection);
}

/// The same, with these limits.
fn limited_hub_goes_on(limits: &str, redirection: &str) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("hub.sock");
    let hub = format!("exec {OCKAM} -vv hub unix:{}", socket.display());
    let line = format!("ulimit {limits} && {hub} {redirection}");
    let mut shell = clean("sh");
    let hub = shell.current_dir(&folder).args(["-c", &line]).spawn().unwrap();
    until_it_listens(&socket);
    let outputs = [0, 1, 2].map(|number| format!("/proc/{}/fd/{number}", hub.id()));
    let is_socket = |path| fs::read_link(path).is_ok_and(|file| file.starts_with("socket:"));
    assert!(!outputs.into_iter().any(is_socket), "lines would go to a connection");
    signal(&hub, "HUP");
    // A stranger who is not a node is something to log.
    drop(UnixStream::connect(&socket).unwrap());
    until_it_listens(&socket);
    signal(&hub, "TERM");
    assert_eq!(code(hub), Some(0), "{redirection}");
    assert!(!socket.exists());
}

#[test]
fn closed_outputs_end_no_node() {
    hub_goes_on("<&- >&- 2>&-");
}

#[test]
fn outputs_whose_reader_has_left_end_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("hub.sock");
    let mut hub = clean(OCKAM);
    hub.args(["-vv", "hub", &format!("unix:{}", socket.display())]);
    let mut hub = hub.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((hub.stdout.take(), hub.stderr.take()));
    until_it_listens(&socket);
    signal(&hub, "TERM");
    assert_eq!(code(hub), Some(0));
}

#[test]
fn a_limit_of_file_sizes_ends_no_node() {
    limited_hub_goes_on("-f 0", ">out 2>err");
}

#[cfg(target_os = "linux")]
#[test]
fn too_few_descriptors_are_one_clear_error() {
    // With fewer, the system does not load the program.
    for limit in 6..24 {
        let line = format!("ulimit -n {limit} && exec {OCKAM} hub 127.0.0.1:0");
        let mut hub = Program::start(clean("sh").args(["-c", &line]));
        let mut has_said_or_ended = || !hub.stdout().is_empty() || !hub.is_running();
        let waited = || has_said_or_ended().then_some(()).ok_or("neither listens nor ends");
        poll("a hub with few descriptors", PATIENCE, waited);
        if hub.stdout().is_empty() {
            assert_eq!(hub.wait_for_exit(PATIENCE).code(), Some(1), "{limit}: {hub}");
            let said = hub.wait_for_line("error: cannot ");
            assert!(said.contains("Too many open files"), "{limit}: {hub}");
        }
    }
}

#[test]
fn a_full_disk_ends_no_node() {
    hub_goes_on(">/dev/full 2>/dev/full");
}

#[test]
fn a_log_that_nobody_reads_stalls_nothing() {
    let mut demo = clean(OCKAM);
    demo.args(["demo", "--kill-hub", "--once", "-vv"]).stdout(Stdio::null());
    let mut child = demo.stderr(Stdio::piped()).spawn().unwrap();
    // It has more to say than a pipe takes.
    let log = child.stderr.take();
    assert_eq!(code(child), Some(0));
    drop(log);
}

#[test]
fn lost_output_fails_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    let line = format!("exec {OCKAM} identity create web --vault {} >/dev/full", vault.display());
    let mut create = clean("sh");
    create.args(["-c", &line]).env("OCKAM_PASSPHRASE", "secret").stderr(Stdio::piped());
    let output = create.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot write to standard output"), "{said}");
}

/// The address of an inlet for what an outlet has printed, and its program.
fn inlet(outlet: &Program, run: &mut Command) -> (Program, SocketAddr) {
    let line = outlet.wait_for_line("ockam inlet --listen 127.0.0.1:4001");
    let route = line.split('\'').nth(1).unwrap();
    let inlet = Program::start(run.args(["inlet", "--listen", "127.0.0.1:0", "--route", route]));
    let address = inlet.wait_for_address("inlet on ");
    (inlet, address)
}

#[test]
fn nodes_need_no_home_and_no_variable() {
    let demo = Command::new(OCKAM).args(["demo", "--once"]).env_clear().output().unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    let list = Command::new(OCKAM).args(["identity", "list"]).env_clear().output().unwrap();
    assert_eq!(list.status.code(), Some(1));
    let said = String::from_utf8_lossy(&list.stderr).into_owned();
    assert_eq!(said, "error: HOME is not set: give --vault PATH, or set OCKAM_VAULT\n");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_terminal_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    let mut create = clean("setsid");
    create.args(["--wait", OCKAM, "identity", "create", "web", "--vault"]).arg(&vault);
    // A pipe that says nothing, and does not end.
    let mut child = create.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (open, mut stderr) = (child.stdin.take(), child.stderr.take().unwrap());
    assert_eq!(code(child), Some(1));
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.contains("set OCKAM_PASSPHRASE") && said.lines().count() == 1, "{said}");
    drop(open);
}

/// `ockam` where no file can be written.
#[cfg(target_os = "linux")]
fn read_only(program: &str) -> Command {
    let mut command = clean("unshare");
    let line = "mount -o remount,bind,ro / && exec \"$0\" \"$@\"";
    command.args(["--mount", "--map-root-user", "sh", "-c", line, program]);
    command
}

#[cfg(target_os = "linux")]
#[test]
fn nodes_need_no_file_that_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let [vault, key, file] = ["vault", "key", "file"].map(|name| folder.path().join(name));
    let mut create = clean(OCKAM);
    create.args(["identity", "create", "web", "--vault"]).arg(&vault).arg("--key-file").arg(&key);
    assert!(create.output().unwrap().status.success());
    if !read_only("true").output().is_ok_and(|done| done.status.success()) {
        return println!("skipped: the file system cannot be made read-only");
    }
    assert!(!read_only("touch").arg(&file).output().unwrap().status.success());
    let target = Target::start();
    let mut outlet = read_only(OCKAM);
    outlet.args(["outlet", "--to", &target.address(), "--listen", "127.0.0.1:0"]);
    outlet.args(["--identity", "web", "--vault"]).arg(&vault).arg("--key-file").arg(&key);
    let outlet = Program::start(&mut outlet);
    let (_inlet, address) = inlet(&outlet, &mut read_only(OCKAM));
    assert_eq!(fetch(address, "/"), Ok(PAGE.into()));
    outlet.wait_for_line("what is known of key histories is not kept");
}

/// `ockam` with a clock that is set by writing the file, as `+0` or `-10y`.
fn with_clock(library: &Path, file: &Path) -> Command {
    let mut command = clean(OCKAM);
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", file);
    command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
    command
}

/// Writes bytes to a client that echoes them, and reads them again.
fn echo(mut client: &TcpStream) -> io::Result<()> {
    let (sent, mut echoed) = ([7; 10_000], [0; 10_000]);
    client.write_all(&sent)?;
    client.read_exact(&mut echoed)?;
    assert_eq!(echoed, sent);
    Ok(())
}

#[test]
fn a_clock_that_is_set_stalls_nothing() {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut libraries = folders.map(|one| one.path().join("faketime/libfaketimeMT.so.1"));
    let Some(library) = libraries.find(|file| file.exists()) else {
        return println!("skipped: libfaketime is not installed");
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock");
    // At once, so that nobody reads half of it.
    let set = |to: &str| {
        let next = folder.path().join("next");
        fs::write(&next, to).and_then(|()| fs::rename(&next, &file)).unwrap();
    };
    set("+0");
    let run = || with_clock(&library, &file);
    let target = Target::start();
    let mut hub = Program::start(run().args(["hub", "127.0.0.1:0"]));
    let hub_address = hub.wait_for_address("hub on ").to_string();
    let mut outlet = run();
    outlet.args(["outlet", "--to", &target.address(), "--via", &hub_address]);
    let outlet = Program::start(&mut outlet);
    let (_inlet, first) = inlet(&outlet, &mut run());
    let mut client = connect(first, PATIENCE).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    writeln!(client, "ECHO").unwrap();
    for clock in ["+30y", "-30y", "+1h", "-1h"] {
        set(clock);
        echo(&client).unwrap();
        assert_eq!(fetch(first, "/"), Ok(PAGE.into()), "{clock}");
        let (_inlet, second) = inlet(&outlet, &mut run());
        assert_eq!(fetch(second, "/"), Ok(PAGE.into()), "{clock}");
    }
    // The outlet is known to have registered after this hub's time.
    set("-30y");
    hub.kill();
    let hub = Program::start(run().args(["hub", &hub_address]));
    hub.wait_for_line("registered F");
    echo(&client).unwrap();
    assert_eq!(fetch(first, "/"), Ok(PAGE.into()));
}
