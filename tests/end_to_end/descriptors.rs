//! Programs that may have few descriptors: nobody takes them all, and each is told why.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
};

use ockam_actix_harness::{
    client::{connect, fetch},
    deadline::PATIENCE,
    program::{clean, Program},
    target::{Target, PAGE},
};
use socket2::{Domain, Socket, Type};

/// `ockam`, by a shell that lowers its limits first.
fn limited(limits: &str) -> Command {
    let mut shell = clean("sh");
    let line = format!("ulimit {limits} && exec \"$0\" \"$@\"");
    shell.args(["-c", &line, env!("CARGO_BIN_EXE_ockam")]);
    shell
}

/// An inlet for what an outlet has printed, with an identity of its own, and its address.
fn inlet(outlet: &Program) -> (Program, SocketAddr) {
    let line = outlet.wait_for_line("ockam inlet --listen 127.0.0.1:4001");
    let route = line.split('\'').nth(1).unwrap();
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    let inlet =
        Program::start(command.args(["inlet", "--listen", "127.0.0.1:0", "--route", route]));
    let address = inlet.wait_for_address("inlet on ");
    (inlet, address)
}

/// A silent connection from another address of this machine.
fn silent_stranger(to: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket
}

/// A stream whose target echoes what it is sent, unless the stream is refused.
fn echoed_stream(inlet: SocketAddr) -> Option<TcpStream> {
    let mut client = connect(inlet, PATIENCE).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = client.write_all(b"ECHO\nx").and_then(|()| client.read_exact(&mut [0]));
    asked.is_ok().then_some(client)
}

/// The values in a line of `/proc/PID/limits`.
fn limit_of(program: &Program, name: &str) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut values = line.split_whitespace().map(str::to_owned);
    [values.next().unwrap(), values.next().unwrap()]
}

#[cfg(target_os = "linux")]
#[test]
fn programs_raise_their_limit_and_dump_no_core() {
    let hub = Program::start(limited("-Sn 64").args(["hub", "127.0.0.1:0"]));
    hub.wait_for_line("hub on ");
    let [soft, hard] = limit_of(&hub, "Max open files");
    assert_eq!(soft, hard);
    assert_ne!(soft, "64");
    assert_eq!(limit_of(&hub, "Max core file size")[0], "0");
}

#[cfg(target_os = "linux")]
#[test]
fn silent_strangers_lock_nobody_out() {
    let target = Target::start();
    let hub = Program::start(limited("-n 160").args(["hub", "127.0.0.1:0"]));
    let address = hub.wait_for_address("hub on ");
    let mut outlet = clean(env!("CARGO_BIN_EXE_ockam"));
    outlet.args(["outlet", "--to", &target.address(), "--via", &address.to_string()]);
    let outlet = Program::start(&mut outlet);
    outlet.wait_for_line("start an inlet for it with:");
    let strangers: Vec<_> = (0..200).map(|_| silent_stranger(address)).collect();
    hub.wait_for_line("(connections-source-share");
    let (_inlet, inlet) = inlet(&outlet);
    assert_eq!(fetch(inlet, "/"), Ok(PAGE.into()));
    let refused = hub.stderr().iter().any(|line| line.contains("accept-failed"));
    assert!(!refused, "the last descriptors stay free: {hub}");
    drop(strangers);
}

#[test]
fn one_peers_streams_leave_room_for_another() {
    let target = Target::start();
    let mut command = limited("-n 160");
    command.args(["outlet", "--to", &target.address(), "--listen", "127.0.0.1:0"]);
    let outlet = Program::start(&mut command);
    let (first, first_inlet) = inlet(&outlet);
    let (_second, second_inlet) = inlet(&outlet);
    let held: Vec<_> = (0..160).map_while(|_| echoed_stream(first_inlet)).collect();
    assert!((10..150).contains(&held.len()), "{}", held.len());
    outlet.wait_for_line("(too-many-streams-of-peer");
    first.wait_for_line("the outlet is at its limits");
    assert_eq!(fetch(second_inlet, "/"), Ok(PAGE.into()));
    drop(held);
}
