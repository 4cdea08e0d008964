//! Printed commands work as they are, whatever the clients of the outlet speak.

use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use ockam_actix_harness::{deadline::poll, program::Program};

use crate::support::{hub, target, wait_for_echo, Machine, DEADLINE};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The line of an inlet that was printed, on any free port.
fn on_any_port(line: &str) -> String {
    line.replace(":4001 ", ":0 ").replace(":1080 ", ":0 ")
}

/// Has another machine join an outlet to `to` through a hub, and runs what that prints.
fn join_through_a_hub(to: &str) -> (Program, [Program; 2], [Machine; 2]) {
    let (home, laptop) = (Machine::new(), Machine::new());
    home.create("web");
    let (hub, at) = hub(&home);
    let trusted = home.file("trusted");
    let outlet = ["outlet", "--to", to, "--via", &at, "--identity", "web"];
    let outlet = home.start(&[&outlet[..], &["--trust-file", &trusted]].concat());
    outlet.wait_for_line("or, by its name");
    let mut invite = home.command(&["invite", "--trust-file", &trusted]);
    let invited = invite.env_remove("OCKAM_KEY_FILE").output().unwrap();
    let joined = laptop.output(&["join", String::from_utf8(invited.stdout).unwrap().trim()]);
    let printed = String::from_utf8(joined.stdout.clone()).unwrap();
    let line = printed.lines().find(|line| line.starts_with("ockam inlet "));
    let said = String::from_utf8_lossy(&joined.stderr);
    assert!(!said.contains("ERROR"), "what succeeds alarms nobody: {said}");
    let refused = outlet.wait_for_line("has shown an invitation");
    assert!(refused.contains("INFO"), "{refused}");
    let inlet = laptop.paste(&on_any_port(line.unwrap_or_else(|| panic!("{joined:?}"))));
    (inlet, [hub, outlet], [home, laptop])
}

#[test]
fn udp_outlets_are_joined_through_a_hub() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = format!("udp://{}", target.local_addr().unwrap());
    thread::spawn(move || {
        let mut datagram = [0; 100];
        while let Ok((length, from)) = target.recv_from(&mut datagram) {
            // The client asks again.
            let _ = target.send_to(&datagram[..length], from);
        }
    });
    let (inlet, _programs, _machines) = join_through_a_hub(&to);
    let at = inlet.wait_for_rest("inlet on udp://");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    poll("a datagram comes back", DEADLINE, || {
        client.send_to(b"hello", &at)?;
        client.recv(&mut [0; 100])
    });
}

#[test]
fn socks_outlets_are_joined_through_a_hub() {
    let target = target();
    let (inlet, _programs, _machines) = join_through_a_hub(&format!("{target},*.web.internal:443"));
    let at = inlet.wait_for_address("inlet on ");
    let port: u16 = target.rsplit(':').next().unwrap().parse().unwrap();
    poll("a target that the client has named echoes", DEADLINE, || -> std::io::Result<()> {
        let mut client = TcpStream::connect(at)?;
        client.set_read_timeout(Some(ATTEMPT))?;
        client.write_all(&[5, 1, 0])?;
        client.read_exact(&mut [0; 2])?;
        let [high, low] = port.to_be_bytes();
        client.write_all(&[5, 1, 0, 1, 127, 0, 0, 1, high, low])?;
        client.read_exact(&mut [0; 10])?;
        client.write_all(b"hello")?;
        client.read_exact(&mut [0; 5])
    });
}

#[test]
fn guarded_outlets_print_inlets_with_an_identity() {
    let machine = Machine::new();
    machine.create("web");
    let laptop = machine.create("laptop");
    let (_hub, at) = hub(&machine);
    let (to, trust) = (target(), format!("laptop={laptop}"));
    let outlet = ["outlet", "--to", &to, "--identity", "web", "--trust", &trust];
    for reached in [&["--via", &at][..], &["--listen", "127.0.0.1:0"]] {
        let outlet = machine.start(&[&outlet[..], reached].concat());
        outlet.wait_for_line("NAME stands for an identity");
        let line = on_any_port(&outlet.wait_for_line("ockam inlet "));
        let inlet = machine.paste(&line.replace("NAME", "laptop"));
        wait_for_echo("the inlet that was pasted", inlet.wait_for_address("inlet on "));
    }
}

#[test]
fn inlets_of_several_outlets_are_printed_apart() {
    let machine = Machine::new();
    let (_hub, at) = hub(&machine);
    let (web, db) = (format!("web={}", target()), format!("db={}", target()));
    let mut outlets = machine.command(&["outlet", "--to", &web, "--to", &db, "--via", &at]);
    let outlets = Program::start(outlets.env_remove("OCKAM_KEY_FILE"));
    for port in ["4001", "4002"] {
        outlets.wait_for_line(&format!("ockam inlet --listen 127.0.0.1:{port} "));
    }
}
