//! Invitations: one string, good once, from the outlet's machine to another one.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};

use ockam_actix_harness::{deadline::poll, program::Program};

use crate::support::{hub, target, wait_for_echo, Machine, DEADLINE};

/// An outlet with a trust file, at a hub.
struct Site {
    machine: Machine,
    _hub: Program,
    at: String,
    target: String,
    web: String,
}

impl Site {
    fn new() -> Self {
        let machine = Machine::new();
        let web = machine.create("web");
        let (_hub, at) = hub(&machine);
        Self { machine, _hub, at, target: target(), web }
    }

    fn outlet(&self) -> Program {
        let trusted = self.machine.file("trusted");
        let outlet = ["outlet", "--to", &self.target, "--via", &self.at, "--service", "db"];
        let with = ["--identity", "web", "--trust-file", &trusted];
        let outlet = self.machine.start(&[&outlet[..], &with].concat());
        outlet.wait_for_line("or, by its name");
        outlet
    }

    fn invite(&self, more: &[&str]) -> Output {
        let mut invite = self.invite_command(more);
        invite.output().unwrap()
    }

    fn invite_command(&self, more: &[&str]) -> Command {
        let trusted = self.machine.file("trusted");
        let invite = ["invite", "--trust-file", &trusted, "--name", "laptop"];
        let mut command = self.machine.command(&[&invite[..], more].concat());
        command.env_remove("OCKAM_KEY_FILE");
        command
    }

    fn string(&self, more: &[&str]) -> String {
        let output = self.invite(more);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn trusted(&self) -> String {
        let text = fs::read_to_string(self.machine.path("trusted")).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    fn ledger(&self) -> String {
        fs::read_to_string(self.machine.path("trusted.invitations")).unwrap()
    }
}

/// Joins, and returns the identifier.
fn join(machine: &Machine, string: &str) -> Result<String, String> {
    said(machine.output(&["join", string]))
}

fn said(output: Output) -> Result<String, String> {
    let printed = String::from_utf8(output.stdout).unwrap();
    let id = printed.split_whitespace().nth(1).unwrap_or_default().to_owned();
    match output.status.success() {
        true => Ok(id),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

/// Starts the inlet that `join` has printed.
fn start_printed(machine: &Machine, printed: &str) -> (Program, SocketAddr) {
    let line = printed.lines().find_map(|line| line.strip_prefix("ockam inlet ")).unwrap();
    let line = line.replace("127.0.0.1:4001", "127.0.0.1:0");
    let words: Vec<_> = line.split(' ').collect();
    let inlet = machine.start(&[&["inlet"], &words[..]].concat());
    let at = inlet.wait_for_address("inlet on ");
    (inlet, at)
}

#[test]
fn another_machine_joins_with_one_string() {
    let site = Site::new();
    let outlet = site.outlet();
    let string = site.string(&[]);
    let laptop = Machine::new();
    let output = laptop.output(&["join", &string]);
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let id = said(output).unwrap();
    assert_eq!(site.trusted(), format!("laptop {id}\n"));
    outlet.wait_for_line(&format!("laptop ({}…) has taken an invitation", &id[..9]));
    assert!(printed.contains(&format!("--to {}/db --via {}", site.web, site.at)), "{printed}");
    let (_inlet, at) = start_printed(&laptop, &printed);
    wait_for_echo("the inlet of who has joined", at);
    // It may be tried again, and changes nothing then.
    assert_eq!(join(&laptop, &string), Ok(id.clone()));
    assert_eq!(site.trusted(), format!("laptop {id}\n"));
    // Nobody else has anything of it.
    let thief = Machine::new();
    let error = join(&thief, &string).unwrap_err();
    assert!(error.contains("another one has used the invitation"), "{error}");
    assert_eq!(site.trusted(), format!("laptop {id}\n"));
}

#[test]
fn an_outlet_that_listens_invites_as_well() {
    let machine = Machine::new();
    machine.create("web");
    let (target, trusted) = (target(), machine.file("trusted"));
    let outlet = ["outlet", "--to", &target, "--listen", "127.0.0.1:0", "--identity", "web"];
    let outlet = machine.start(&[&outlet[..], &["--trust-file", &trusted]].concat());
    outlet.wait_for_line("ockam inlet");
    let mut invite = machine.command(&["invite", "--trust-file", &trusted]);
    let output = invite.env_remove("OCKAM_KEY_FILE").output().unwrap();
    let string = String::from_utf8(output.stdout).unwrap();
    let laptop = Machine::new();
    fs::write(laptop.path("string"), &string).unwrap();
    let file = fs::File::open(laptop.path("string")).unwrap();
    said(laptop.command(&["join", "-"]).stdin(file).output().unwrap()).unwrap();
    // Joining again changes nothing.
    let inlet = laptop.start(&["join", string.trim(), "--start", "--listen", "127.0.0.1:0"]);
    let at = inlet.wait_for_address("inlet on ");
    wait_for_echo("the inlet that was started", at);
}

#[test]
fn the_printed_inlet_is_for_the_outlets_clients() {
    for (to, expected) in [
        ("udp://127.0.0.1:9", "ockam inlet --listen udp://127.0.0.1:4001 "),
        ("*.web.internal:443", "ockam inlet --listen 127.0.0.1:1080 --socks "),
    ] {
        let machine = Machine::new();
        machine.create("web");
        let trusted = machine.file("trusted");
        let outlet = ["outlet", "--to", to, "--listen", "127.0.0.1:0", "--identity", "web"];
        let outlet = machine.start(&[&outlet[..], &["--trust-file", &trusted]].concat());
        outlet.wait_for_line(expected);
        let mut invite = machine.command(&["invite", "--trust-file", &trusted]);
        let output = invite.env_remove("OCKAM_KEY_FILE").output().unwrap();
        let string = String::from_utf8(output.stdout).unwrap();
        let laptop = Machine::new();
        let vault = laptop.file("the vault");
        let joined = laptop.output(&["join", string.trim(), "--vault", &vault]);
        let printed = String::from_utf8_lossy(&joined.stdout);
        assert!(printed.contains(&format!("\n{expected}")), "{joined:?} {outlet}");
        assert!(printed.contains(&format!("--vault '{vault}'")), "{printed}");
    }
}

#[test]
fn nobody_is_invited_to_an_unknown_place() {
    let machine = Machine::new();
    let outlet = format!("outlet {} node tcp#YOUR-HOST:4000 \n", machine.create("web"));
    let mut ledger = fs::OpenOptions::new();
    let ledger = ledger.write(true).create_new(true).mode(0o600);
    let mut ledger = ledger.open(machine.path("trusted.invitations")).unwrap();
    ledger.write_all(outlet.as_bytes()).unwrap();
    let trusted = machine.file("trusted");
    let invite = |more: &[&str]| {
        let mut invite = machine.command(&[&["invite", "--trust-file", &trusted], more].concat());
        said(invite.env_remove("OCKAM_KEY_FILE").output().unwrap())
    };
    let error = invite(&[]).unwrap_err();
    assert!(error.contains("say with --at HOST:PORT"), "{error}");
    let ledger = || fs::read_to_string(machine.path("trusted.invitations")).unwrap();
    assert_eq!(ledger(), outlet, "nothing is written down");
    invite(&["--at", "here.example.org:4000"]).unwrap();
    assert_eq!(ledger().matches(" open").count(), 1);
}

#[test]
fn of_two_racers_one_is_trusted() {
    let site = Site::new();
    let _outlet = site.outlet();
    let string = site.string(&[]);
    let machines = [(); 2].map(|()| Machine::new());
    let joined = std::thread::scope(|scope| {
        let racers = machines.each_ref().map(|machine| scope.spawn(|| join(machine, &string)));
        racers.map(|racer| racer.join().unwrap())
    });
    let winners: Vec<_> = joined.iter().filter_map(|joined| joined.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1, "{joined:?}");
    assert_eq!(site.trusted(), format!("laptop {}\n", winners[0]));
    let loser = joined.iter().find_map(|joined| joined.as_ref().err()).unwrap();
    assert!(loser.contains("ask for another invitation"), "{loser}");
}

#[test]
fn a_claim_survives_the_outlets_death() {
    let site = Site::new();
    let mut outlet = site.outlet();
    let string = site.string(&[]);
    // Whoever writes the trust file waits for this lock, so nobody is admitted.
    let lock = fs::File::create(site.machine.path(".trusted.lock")).unwrap();
    lock.lock().unwrap();
    let laptop = Machine::new();
    let mut joining = laptop.start(&["join", &string]);
    poll("the claim", DEADLINE, || match site.ledger() {
        ledger if ledger.contains(" claimed ") => Ok(()),
        ledger => Err(ledger),
    });
    outlet.kill();
    joining.kill();
    lock.unlock().unwrap();
    assert_eq!(site.trusted(), "");
    let _outlet = site.outlet();
    let thief = Machine::new();
    assert!(join(&thief, &string).unwrap_err().contains("ask for another"));
    assert_eq!(site.trusted(), "");
    let id = join(&laptop, &string).unwrap();
    assert_eq!(site.trusted(), format!("laptop {id}\n"));
}

#[test]
fn useless_strings_are_told_apart() {
    let site = Site::new();
    let none = said(site.invite(&[])).unwrap_err();
    assert!(none.contains("no outlet has been started with this trust file"), "{none}");
    let _outlet = site.outlet();
    let [good, late] = [site.string(&[]), site.string(&["--for", "1s"])];
    assert_eq!(site.ledger().matches(" open").count(), 2);
    let laptop = Machine::new();
    let error = |string: &str| join(&laptop, string).unwrap_err();
    for mangled in [&good[1..], &good.to_lowercase(), "hello"] {
        let said = error(mangled);
        assert!(said.contains("copy all of the line"), "{mangled}: {said}");
    }
    let expires = late.parse::<ockam::Invitation>().unwrap().expires;
    poll("the end of a second", DEADLINE, || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        (now >= expires.into()).then_some(()).ok_or(now)
    });
    let said = error(&late);
    assert!(said.contains("the invitation has expired"), "{said}");
    let mut withdraw = ["invite", "--withdraw", "--trust-file"].map(str::to_owned).to_vec();
    withdraw.push(site.machine.file("trusted"));
    let withdraw: Vec<_> = withdraw.iter().map(String::as_str).collect();
    let mut withdraw = site.machine.command(&withdraw);
    assert!(withdraw.env_remove("OCKAM_KEY_FILE").status().unwrap().success());
    let said = error(&good);
    assert!(said.contains("knows no such invitation"), "{said}");
    assert_eq!(site.trusted(), "");
}
