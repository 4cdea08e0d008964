//! The command `ockam`: the commands that it prints work, and each error is one line.

use std::{
    env,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

use ockam_actix_harness::{
    client::{connect, fetch, upload_until_closed},
    deadline::{poll, PATIENCE},
    network::in_own_network,
    program::{clean, example, Program},
    target::{Target, PAGE},
};

/// How long a program may take to end while nothing is open.
const ENDING: Duration = Duration::from_secs(5);

/// What the demo's page says.
const DEMO_MARK: &str = "only the two ends of the tunnel can read this";

fn ockam() -> Command {
    clean(env!("CARGO_BIN_EXE_ockam"))
}

#[test]
fn demo_shows_that_the_hub_reads_nothing() {
    let mut demo = Program::start(ockam().args(["demo", "--once"]));
    let status = demo.wait_for_exit(PATIENCE);
    assert!(status.success(), "{status}: {demo}");
    let picture = demo.stdout();
    let lines_with = |text: &str| picture.iter().filter(|line| line.contains(text)).count();
    assert_eq!(lines_with("bytes, the page not among them"), 2, "{demo}");
    assert_eq!(lines_with("CANNOT read the page"), 1, "{demo}");
    assert_eq!(lines_with(DEMO_MARK), 1, "{demo}");
    assert_eq!(lines_with("reads the page"), 3, "{demo}");
    assert!(picture.iter().all(|line| line.chars().count() <= 80), "{demo}");
    assert_eq!(demo.stderr(), [""; 0], "{demo}");
}

#[test]
fn demo_kills_its_hub_without_harm() {
    in_own_network(|| {
        let mut demo = Program::start(ockam().args(["demo", "--kill-hub", "--once"]));
        let status = demo.wait_for_exit(PATIENCE);
        assert!(status.success(), "{status}: {demo}");
        let (lines, mut told) = (demo.stdout(), 0);
        for what in [
            "bytes  the page begins: 11,9",
            "bytes  the hub is process ",
            "bytes  the hub is killed: kill -9 ",
            "bytes  both ends wait for another path",
            "bytes  the hub is back after ",
            "bytes  the stream goes on after a stall of ",
            "bytes  the page is complete and byte-equal",
            "bytes, the page not among them",
            "bytes, the page not among them",
        ] {
            let found = lines[told..].iter().position(|line| line.contains(what));
            told += 1 + found.unwrap_or_else(|| panic!("{what:?} is not told: {demo}"));
        }
        let away = lines.iter().find_map(|line| line.split("the hub is back after ").nth(1));
        let away =
            away.and_then(|rest| rest.split(' ').next()?.replace(',', "").parse::<u64>().ok());
        assert!(away.is_some_and(|millis| millis >= 1_000), "{away:?}: {demo}");
        let story: Vec<_> = lines.iter().filter_map(|line| line.find(" bytes  ")).collect();
        assert_eq!(story, vec![story[0]; 7], "{demo}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{demo}");
        assert_eq!(demo.stderr(), [""; 0], "{demo}");
    });
}

#[test]
fn demo_fails_if_its_page_breaks_off() {
    in_own_network(|| ockam_fails("demo --kill-hub --resume-for 0", &["the page broke off after"]));
}

#[test]
fn demo_stays_up_until_terminated() {
    let mut demo = Program::start(ockam().arg("demo"));
    let address = demo.wait_for_address("curl http://");
    for _ in 0..2 {
        let page = fetch(address, "/").unwrap();
        assert!(page.contains(DEMO_MARK), "{page}");
    }
    assert!(demo.is_running());
    demo.terminate();
    let status = demo.wait_for_exit(ENDING);
    assert!(status.success(), "{status}: {demo}");
}

#[test]
fn printed_inlet_command_works_through_a_hub() {
    in_own_network(|| {
        let hub = Program::start(ockam().args(["hub", "127.0.0.1:0"]));
        let hub_address = hub.wait_for_address("hub on ").to_string();
        works_as_printed(&["--via", &hub_address]);
    });
}

#[test]
fn printed_inlet_command_works_for_a_listening_outlet() {
    in_own_network(|| works_as_printed(&["--listen", "127.0.0.1:0"]));
}

#[test]
fn printed_inlet_command_works_for_a_plain_outlet() {
    let options = ["--plain", "--listen", "0.0.0.0:4000", "--resume-for", "10m"];
    in_own_network(|| works_as_printed(&options));
}

#[test]
fn clients_move_on_to_the_hub_that_lives() {
    in_own_network(|| {
        let hub_at = |address: &str| Program::start(ockam().args(["hub", address]));
        let mut hubs = ["127.0.0.1:0", "127.0.0.1:0"].map(hub_at);
        let addresses = hubs.each_ref().map(|hub| hub.wait_for_address("hub on ").to_string());
        let target = Target::start();
        let via = addresses.join(",");
        let mut outlet = ockam();
        outlet.args(["outlet", "--to", &target.address()]).env("OCKAM_HUB", &via);
        let outlet = Program::start(&mut outlet);
        let line = outlet.wait_for_line("ockam inlet --listen 127.0.0.1:4001");
        let route = line.split('\'').nth(1).unwrap();
        // The hubs are named in an order that depends on the forwarder's address.
        let [one, other] = &addresses;
        let lists = [format!("tcp#{one},{other} => F"), format!("tcp#{other},{one} => F")];
        assert!(lists.iter().any(|list| route.starts_with(list)), "{line}");
        let mut inlet = ockam();
        inlet.args(["inlet", "--listen", "127.0.0.1:0", "--route", route]);
        let inlet = Program::start(&mut inlet);
        let address = inlet.wait_for_address("inlet on ");
        assert_eq!(fetch(address, "/"), Ok(PAGE.into()), "{outlet} {inlet}");
        let mut client = connect(address, PATIENCE).unwrap();
        client.write_all(b"ECHO\n").unwrap();
        let mut echoes = |text: &[u8; 3]| {
            let mut echo = [0; 3];
            client.write_all(text).and_then(|()| client.read_exact(&mut echo)).unwrap();
            assert_eq!(&echo, text);
        };
        echoes(b"one");
        for (number, other) in [(0, 1), (1, 0)] {
            let before = outlet.line_count();
            hubs[number].kill();
            hubs[number].wait_for_exit(ENDING);
            // Clients of the lost path wait for the next one.
            let page = poll("a page through the other hub", PATIENCE, || fetch(address, "/"));
            assert_eq!(page, PAGE, "{inlet}");
            echoes(b"two");
            assert!(hubs[other].is_running());
            hubs[number] = hub_at(&addresses[number]);
            outlet.wait_for_line_after(before, "forwards here again", PATIENCE);
        }
    });
}

/// Starts an outlet, and an inlet with the command that it prints.
fn works_as_printed(options: &[&str]) {
    let target = Target::start();
    let mut outlet =
        Program::start(ockam().args(["outlet", "--to", &target.address()]).args(options));
    outlet.wait_for_line("start an inlet for it with:");
    let line = outlet.wait_for_line("ockam inlet --listen 127.0.0.1:4001");
    assert_eq!(line.contains(" --resume-for 600s "), options.contains(&"10m"), "{line}");
    // All is on one machine here, whatever its name is.
    let line = match (line.find("'tcp#"), line.find(":4000 ")) {
        (Some(from), Some(to)) => format!("{}'tcp#127.0.0.1{}", &line[..from], &line[to..]),
        _ => line,
    };
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_ockam")).parent().unwrap().to_owned();
    let path = env::join_paths([folder, "/usr/bin".into(), "/bin".into()]).unwrap();
    let mut inlet = Program::start_line(&line, &path);
    let address = inlet.wait_for_address("inlet on ");
    assert_eq!(fetch(address, "/"), Ok(PAGE.into()), "{outlet} {inlet}");
    assert_eq!(upload_until_closed(address, 10_000_000, 1).unwrap(), "took 10000000");
    outlet.terminate();
    let status = outlet.wait_for_exit(ENDING);
    assert!(status.success(), "{status}: {outlet}");
    assert!(inlet.is_running(), "{inlet}");
}

#[test]
fn the_help_of_every_command_has_an_example() {
    for command in ["demo", "hub", "outlet", "inlet"] {
        let mut program = Program::start(ockam().args([command, "--help"]));
        let status = program.wait_for_exit(PATIENCE);
        assert!(status.success(), "{status}: {program}");
        let help = program.stdout();
        let example = format!("  ockam {command} ");
        assert!(help.iter().any(|line| line.starts_with("Example")), "{program}");
        assert!(help.iter().any(|line| line.starts_with(&example)), "{program}");
    }
}

/// Waits for a command that must fail; its one line of error must have all of `named`.
fn fails_and_names(program: Program, named: &[&str]) {
    let mut program = program;
    let status = program.wait_for_exit(PATIENCE);
    assert!(!status.success(), "{named:?}: {program}");
    let stderr = program.stderr();
    let errors: Vec<_> = stderr.iter().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{named:?}: {program}");
    for name in named {
        // clap puts what is missing into lines of its own.
        let said = errors[0].contains(name)
            || (status.code() == Some(2) && stderr.iter().any(|line| line.contains(name)));
        assert!(said, "{name:?} is not named: {program}");
    }
}

fn ockam_fails(arguments: &str, named: &[&str]) {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    fails_and_names(Program::start(ockam().args(arguments)), named);
}

#[test]
fn arguments_that_are_missing_or_wrong_are_named() {
    ockam_fails("frobnicate", &["'frobnicate'"]);
    ockam_fails("hub 127.0.0.1:0 more", &["'more'"]);
    ockam_fails("outlet --listen 127.0.0.1:0", &["--to"]);
    ockam_fails("outlet --to 127.0.0.1:5000", &["--listen", "--via"]);
    ockam_fails("outlet --to a:1 --listen a:1 --via a:1", &["--listen", "--via"]);
    ockam_fails("outlet --to a:1 --via a:1 --plain", &["--plain", "--via"]);
    ockam_fails("inlet --listen 127.0.0.1:0", &["--route"]);
    ockam_fails("inlet --route a", &["--listen"]);
}

#[test]
fn addresses_without_a_port_are_named() {
    ockam_fails("hub localhost", &["'localhost'", "host:port"]);
    ockam_fails("hub localhost:99999", &["'localhost:99999'", "host:port"]);
    ockam_fails("outlet --to localhost --listen 127.0.0.1:0", &["\"localhost\"", "localhost:5000"]);
    ockam_fails("outlet --to :1 --listen 127.0.0.1:0", &["\":1\"", "127.0.0.1:1"]);
    ockam_fails("outlet --to a:1 --listen localhost", &["'localhost'", "host:port"]);
    ockam_fails("outlet --to a:1 --via localhost", &["'localhost'", "host:port"]);
    ockam_fails("inlet --listen localhost --route tcp#a:1=>b", &["\"localhost\"", "host:port"]);
    ockam_fails("demo --once --listen localhost", &["\"localhost\"", "host:port"]);
}

#[test]
fn durations_in_another_form_are_named() {
    for text in ["2min", "-1", "", "forever"] {
        let option = format!("--resume-for={text}");
        let named = ["--resume-for <DURATION>", "such as 30s, 2m"];
        ockam_fails(&format!("inlet --listen 127.0.0.1:0 --route a {option}"), &named);
        ockam_fails(&format!("outlet --to a:1 --listen a:1 {option}"), &named);
    }
}

#[test]
fn invalid_routes_are_named() {
    ockam_fails("inlet --listen 127.0.0.1:0 --route nobody", &["\"nobody\""]);
    ockam_fails("inlet --listen 127.0.0.1:0 --route nobody --plain", &["\"nobody\""]);
    ockam_fails("inlet --listen 127.0.0.1:0 --route tcp#nowhere=>a", &["\"nowhere\"", "host:port"]);
    ockam_fails("inlet --listen 127.0.0.1:0 --route udp#a:1=>a", &["\"udp#a:1\""]);
    let cut = "inlet --listen 127.0.0.1:0 --route tcp#a:1=>F15807b56d6d6dbaa0421f7e71722de67.I60ed";
    ockam_fails(cut, &["F15807b56d6d6dbaa0421f7e71722de67.I60ed", "copy the whole address again"]);
    let mut empty = ockam();
    empty.args(["inlet", "--listen", "127.0.0.1:0", "--route", ""]);
    fails_and_names(Program::start(&mut empty), &["route"]);
    let mut gap = ockam();
    gap.args(["inlet", "--listen", "127.0.0.1:0", "--route", "tcp#a:1 => => b"]);
    fails_and_names(Program::start(&mut gap), &["route"]);
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let named = [&taken[..], "in use"];
    ockam_fails(&format!("hub {taken}"), &named);
    ockam_fails(&format!("outlet --to 127.0.0.1:1 --listen {taken}"), &named);
    ockam_fails(&format!("inlet --listen {taken} --route tcp#127.0.0.1:1=>a"), &named);
    ockam_fails(&format!("demo --once --listen {taken}"), &named);
    let inlet = Program::start(example("01-inlet-outlet").args([&taken, "127.0.0.1:1"]));
    fails_and_names(inlet, &named);
}

#[test]
fn unknown_hosts_are_named() {
    // Without a network no name server is asked, so the answer comes at once.
    in_own_network(|| {
        let unknown = ["no-such-host.invalid:4000", "resolve"];
        ockam_fails("hub no-such-host.invalid:4000", &unknown);
        ockam_fails("inlet --listen no-such-host.invalid:4000 --route tcp#a:1=>b", &unknown);
    });
}

#[test]
fn an_outlet_waits_for_its_mended_hub() {
    in_own_network(|| {
        let outlet = |hub: &str| {
            Program::start(ockam().args(["outlet", "--to", "127.0.0.1:9", "--via", hub]))
        };
        let says = |outlet: &Program, named: &str| {
            let line = outlet.wait_for_line("trying again in");
            assert!(line.contains(named), "{named:?} is not named: {outlet}");
        };
        says(&outlet("no-such-host.invalid:4000"), "no-such-host.invalid:4000");
        // A server that speaks something else is no hub, and a node without the service is none.
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap().to_string();
        let ssh = holder.try_clone().unwrap();
        let answering =
            thread::spawn(move || ssh.accept().unwrap().0.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n"));
        let mut waiting = outlet(&address);
        says(&waiting, "protocol");
        drop((answering.join(), holder));
        let node = ["outlet", "--to", "127.0.0.1:9", "--listen", &address];
        let mut node = Program::start(ockam().args(node));
        node.wait_for_line("listening for nodes on ");
        waiting.wait_for_line("has no forwarding service");
        assert!(waiting.is_running());
        node.terminate();
        node.wait_for_exit(PATIENCE);
        let _hub = Program::start(ockam().args(["hub", &address]));
        waiting.wait_for_line("start an inlet for it with:");
    });
}

#[test]
fn examples_without_their_arguments_say_which() {
    for (name, named) in [
        ("01-inlet-outlet", "inlet address"),
        ("02-inlet", "inlet address"),
        ("02-outlet", "target address"),
        ("03-inlet", "inlet address"),
        ("03-outlet", "target address"),
        ("04-inlet", "inlet address"),
        ("04-outlet", "target address"),
    ] {
        fails_and_names(Program::start(&mut example(name)), &[named]);
    }
    fails_and_names(
        Program::start(example("04-inlet").arg("127.0.0.1:0")),
        &["forwarding address"],
    );
}
