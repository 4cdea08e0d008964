//! Real programs of UDP through the command `ockam`: a resolver's questions through a hub, and
//! WireGuard in user space over a line that is cut.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    net::UdpSocket,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ockam_actix_harness::{
    installed::{installed, is_installed},
    network::{in_own_network, is_own},
    program::{clean, Program},
    wan::Wan,
};

/// The limit of every wait.
const DEADLINE: Duration = Duration::from_secs(60);

fn ockam(arguments: &str) -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.args(arguments.split(' ')).env("OCKAM_ARBITERS", "1");
    command
}

/// The inlet that an outlet's command line is for.
fn inlet_for(outlet: &Program, listen: &str) -> Program {
    let line = outlet.wait_for_rest("ockam inlet --listen ");
    let route = line.split('\'').nth(1).unwrap().to_owned();
    let mut inlet = ockam(&format!("inlet --listen {listen} --idle-timeout 3m --route"));
    let inlet = Program::start(inlet.arg(route));
    inlet.wait_for_line("inlet on udp://");
    inlet
}

/// Whether all of these are installed; says so if not.
fn are_installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED: not installed: {missing:?}");
    }
    missing.is_empty()
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a command line that has to succeed, and returns what it said.
fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{complaint}");
    said
}

fn line(line: &str) -> Command {
    let mut words = line.split(' ');
    let program = words.next().unwrap();
    let mut command = clean(installed(program).unwrap());
    command.args(words);
    command
}

#[test]
fn a_resolver_answers_through_a_hub() {
    if !are_installed(&["dnsmasq", "dig"]) {
        return;
    }
    in_own_network(|| {
        let text = "x".repeat(200);
        let mut dnsmasq = line(
            "dnsmasq --keep-in-foreground --log-facility=- --port=5300 --no-resolv --no-hosts \
             --conf-file=/dev/null --pid-file= --user=root --listen-address=127.0.0.1 \
             --bind-interfaces --address=/tunnel.test/192.0.2.7 --edns-packet-max=4096",
        );
        for number in 0..10 {
            dnsmasq.arg(format!("--txt-record=long.test,{number}{text}"));
        }
        let dnsmasq = Program::start(&mut dnsmasq);
        dnsmasq.wait_for_line("started");
        let hub = Program::start(&mut ockam("hub 127.0.0.1:4000"));
        hub.wait_for_line("listening");
        let outlet = "outlet --to udp://localhost:5300 --via 127.0.0.1:4000";
        let outlet = Program::start(&mut ockam(outlet));
        let _inlet = inlet_for(&outlet, "udp://127.0.0.1:5353");
        let dig = "dig @127.0.0.1 -p 5353 +tries=5 +timeout=2 +noall +answer +ignore";
        let answer = succeed(&mut line(&format!("{dig} tunnel.test")));
        assert!(answer.contains("192.0.2.7"), "{answer}");
        let long = succeed(&mut line(&format!("{dig} +bufsize=4096 long.test TXT")));
        assert_eq!(
            long.matches(&text).count(),
            10,
            "one datagram of more than 2,000 bytes: {long}"
        );
        let folder = tempfile::tempdir().unwrap();
        let questions: String = (0..200).map(|number| format!("{number}.tunnel.test\n")).collect();
        fs::write(folder.path().join("questions"), questions).unwrap();
        let mut batch = line(dig);
        let answers = succeed(batch.arg("-f").arg(folder.path().join("questions")));
        assert_eq!(answers.matches("192.0.2.7").count(), 200, "{answers}");
    });
}

#[test]
fn clients_are_answered_from_where_they_sent() {
    in_own_network(|| {
        if !is_own() {
            return eprintln!("SKIPPED: no network whose addresses may be changed");
        }
        let target = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = format!("udp://{}", target.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((length, from)) = target.recv_from(&mut buffer) {
                let _ = target.send_to(&buffer[..length], from);
            }
        });
        let outlet = format!("outlet --to {to} --listen 127.0.0.1:4000");
        let outlet = Program::start(&mut ockam(&outlet));
        let mut all = vec![("0.0.0.0:5301", "127.0.0.1", "198.51.100.1")];
        if UdpSocket::bind("[::1]:0").is_ok() {
            all.push(("[::]:5302", "[::1]", "[fd00::1]"));
            all.push(("[::]:5303", "127.0.0.1", "198.51.100.1"));
        }
        for (listen, from, to) in all {
            let _inlet = inlet_for(&outlet, &format!("udp://{listen}"));
            let ip = to.trim_matches(['[', ']']);
            succeed(&mut line(&format!("ip address replace {ip} dev lo")));
            let client = UdpSocket::bind(format!("{from}:0")).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            // It takes answers from there alone.
            let port = listen.rsplit(':').next().unwrap();
            client.connect(format!("{to}:{port}")).unwrap();
            let mut answer = [0; 10];
            let begun = Instant::now();
            // Datagrams may be lost, so it asks again, as clients do.
            let length = loop {
                client.send(b"hello").unwrap();
                match client.recv(&mut answer) {
                    Ok(length) => break length,
                    Err(error) => assert!(begun.elapsed() < DEADLINE, "{listen}: {error}"),
                }
            };
            assert_eq!(&answer[..length], b"hello");
        }
    });
}

/// One end of a WireGuard tunnel, as a device of this name.
struct Peer {
    device: String,
    key: std::path::PathBuf,
    public: String,
}

impl Peer {
    fn new(folder: &Path, end: &str) -> Self {
        // All networks of the machine share the names of WireGuard's sockets.
        let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros();
        let device = format!("ok{end}{number}");
        let key = folder.join(end);
        fs::write(&key, succeed(&mut line("wg genkey"))).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let shell = format!("wg pubkey < {}", key.display());
        let public = succeed(clean("sh").args(["-c", &shell]));
        Self { device, key, public: public.trim().to_owned() }
    }

    fn start(&self, inside: impl Fn(Command) -> Command) -> Program {
        let mut device = line(&format!("wireguard-go {}", self.device));
        device.env("WG_PROCESS_FOREGROUND", "1").env("LOG_LEVEL", "verbose");
        let program = Program::start(&mut inside(device));
        program.wait_for_line("UAPI listener started");
        program
    }

    /// Sets the other peer, and gives the device its address.
    fn set(&self, other: &Self, own: &str, more: &str, inside: impl Fn(Command) -> Command) {
        let Self { device, key, .. } = self;
        let peer = format!("private-key {} peer {}", key.display(), other.public);
        let ips = "allowed-ips 10.98.0.0/24";
        for text in [
            format!("wg set {device} {more} {peer} {ips}"),
            format!("ip addr add {own}/24 dev {device}"),
            format!("ip link set {device} up"),
        ] {
            succeed(&mut inside(line(text.replace("  ", " ").as_str())));
        }
    }
}

#[test]
fn wireguard_survives_a_cut_line() {
    if !are_installed(&["wireguard-go", "wg", "ping"]) {
        return;
    }
    if !Path::new("/dev/net/tun").exists() {
        eprintln!("SKIPPED: there is no /dev/net/tun");
        return;
    }
    in_own_network(|| match Wan::new() {
        Ok(wan) => wireguard_over(&wan),
        Err(missing) => eprintln!("SKIPPED: {missing}"),
    });
}

fn wireguard_over(wan: &Wan) {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = (Peer::new(folder.path(), "a"), Peer::new(folder.path(), "b"));
    let inside = |command: Command| wan.far(&command);
    let here = |command: Command| command;
    let _far = far.start(inside);
    let _near = near.start(here);
    let outlet = "outlet --to udp://127.0.0.1:51820 --idle-timeout 3m --listen 10.9.2.2:4000";
    let outlet = Program::start(&mut inside(ockam(outlet)));
    let _inlet = inlet_for(&outlet, "udp://127.0.0.1:51821");
    far.set(&near, "10.98.0.2", "listen-port 51820", inside);
    let peer = format!("private-key {} peer {}", near.key.display(), far.public);
    succeed(&mut line(&format!("wg set {} {peer} endpoint 127.0.0.1:51821", near.device)));
    near.set(&far, "10.98.0.1", "", here);
    ping();
    transfer(inside);
    wan.cut();
    let lost = run(&mut line("ping -c 1 -W 1 10.98.0.2"));
    assert!(!lost.status.success(), "the line is cut");
    // Longer than it takes to notice the loss.
    #[allow(clippy::disallowed_methods)]
    std::thread::sleep(Duration::from_secs(6));
    wan.mend();
    ping();
    transfer(inside);
}

/// Pings the far end until it answers.
fn ping() {
    let end = Instant::now() + DEADLINE;
    while !run(&mut line("ping -c 3 -i 0.2 -W 1 10.98.0.2")).status.success() {
        assert!(Instant::now() < end, "no answer to a ping within {DEADLINE:?}");
    }
}

/// Moves some megabytes each way through the WireGuard tunnel.
fn transfer(far: impl Fn(Command) -> Command) {
    if !are_installed(&["iperf3"]) {
        return;
    }
    for direction in ["", " --reverse"] {
        let server = Program::start(&mut far(line("iperf3 --server --one-off --forceflush")));
        server.wait_for_line("Server listening");
        let client = format!("timeout 60 iperf3 --client 10.98.0.2 --bytes 10M{direction}");
        let said = succeed(&mut line(&client));
        println!("{}", said.lines().rev().nth(2).unwrap_or_default());
    }
}
