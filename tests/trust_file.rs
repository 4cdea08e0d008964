//! A trust file while programs run: who is added gets a channel, who is taken out loses it.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use ockam_actix_harness::{
    deadline::poll,
    echo,
    program::{clean, Program},
};

const DEADLINE: Duration = Duration::from_secs(30);

fn ockam(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.args(arguments).env("OCKAM_VAULT", directory.join("vault")).stdin(Stdio::null());
    command.env("OCKAM_ARBITERS", "1");
    command
}

fn open(inlet: SocketAddr) -> Result<TcpStream, String> {
    let mut stream = TcpStream::connect(inlet).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(b"hello").map_err(|error| error.to_string())?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).map_err(|error| error.to_string())?;
    Ok(stream)
}

#[test]
fn who_is_taken_out_loses_the_channel() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let [key, trusted] = ["key", "trusted"].map(|name| directory.join(name));
    let key = key.to_str().unwrap();
    let create = ["identity", "create", "laptop", "--key-file", key];
    let laptop = ockam(directory, &create).output().unwrap();
    let laptop = String::from_utf8(laptop.stdout).unwrap().trim().to_owned();
    let target = echo::start();
    let file = trusted.to_str().unwrap();
    let outlet = ["outlet", "--to", &target, "--listen", "127.0.0.1:0", "--trust-file", file];
    let outlet = Program::start(&mut ockam(directory, &outlet));
    let at = outlet.wait_for_address("listening for nodes on ");
    let route = format!("tcp#{at},,secure_channel_listener_service");
    let inlet = ["inlet", "--listen", "127.0.0.1:0", "--route", &route, "--resume-for", "0"];
    let with = ["--identity", "laptop", "--key-file", key];
    let inlet = Program::start(&mut ockam(directory, &[&inlet[..], &with].concat()));
    let at = inlet.wait_for_address("inlet on ");
    inlet.wait_for_line("does not trust");
    fs::write(&trusted, format!("# mine\nmy-laptop {laptop}\n")).unwrap();
    let mut stream = poll("the channel of who was added", DEADLINE, || open(at));
    outlet.wait_for_line(&format!("my-laptop ({}…) has opened", &laptop[..9]));
    fs::write(&trusted, "# nobody\n").unwrap();
    outlet.wait_for_line("is no longer trusted");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "the stream ends");
    assert!(open(at).is_err());
}
