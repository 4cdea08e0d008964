//! Peers: `ssh -L` to a private `sshd`, and the same through a second one as the hub (`ssh -J`).
//!
//! Keys are generated for each start, the client checks the servers' keys, and neither side reads
//! the user's or the system's configuration. A server that root starts needs the directory
//! `/run/sshd`; it is created where it is missing.

use crate::tunnel::{await_listening, free_address, Running};
use ockam_actix_harness::{installed::installed, process::Process, scratch::Scratch};
use std::{
    fmt::Write,
    fs, io,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

const CIPHER: &str = "aes256-gcm@openssh.com";

/// One server, and a client that forwards a port through it.
pub(crate) fn start_direct(target: SocketAddr) -> io::Result<Running> {
    let scratch = Scratch::new()?;
    let keys = Keys::generate(&scratch)?;
    let (exit, middle) = server("exit", &keys, &scratch)?;
    let hosts = [Host { name: "exit", address: middle, jump: "none" }];
    let (entry, listen) = client(target, &hosts, &keys, &scratch)?;
    Running::when_ready(listen, vec![entry, exit], Some(scratch))
}

/// Two servers: the client reaches the second one through the first, which sees only what the
/// second one can decrypt.
pub(crate) fn start_through_hub(target: SocketAddr) -> io::Result<Running> {
    let scratch = Scratch::new()?;
    let keys = Keys::generate(&scratch)?;
    let (hub, jump) = server("hub", &keys, &scratch)?;
    let (exit, middle) = server("exit", &keys, &scratch)?;
    let hosts = [
        Host { name: "hub", address: jump, jump: "none" },
        Host { name: "exit", address: middle, jump: "hub" },
    ];
    let (entry, listen) = client(target, &hosts, &keys, &scratch)?;
    Running::when_ready(listen, vec![entry, exit, hub], Some(scratch))
}

/// One `Host` section of the client's configuration.
struct Host {
    name: &'static str,
    address: SocketAddr,
    jump: &'static str,
}

/// The keys of the servers and of the user, and the user's name.
struct Keys {
    user: String,
    host_public: String,
}

impl Keys {
    fn generate(scratch: &Scratch) -> io::Result<Self> {
        for name in ["host_key", "user_key"] {
            let mut command = Command::new(installed("ssh-keygen")?);
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(scratch.path(name));
            if !command.stdin(Stdio::null()).status()?.success() {
                return Err(io::Error::other("ssh-keygen fails"));
            }
        }
        fs::copy(scratch.path("user_key.pub"), scratch.path("authorized_keys"))?;
        let user = Command::new("id").arg("-un").output()?.stdout;
        let user = String::from_utf8_lossy(&user).trim().to_owned();
        Ok(Self { user, host_public: fs::read_to_string(scratch.path("host_key.pub"))? })
    }
}

fn server(
    title: &'static str,
    keys: &Keys,
    scratch: &Scratch,
) -> io::Result<(Process, SocketAddr)> {
    let sshd = installed("sshd")?;
    if keys.user == "root" && !Path::new("/run/sshd").exists() {
        fs::create_dir("/run/sshd")?;
    }
    let address = free_address()?;
    let directory = scratch.directory().display();
    let text = format!(
        "ListenAddress {address}\nHostKey {directory}/host_key\n\
         AuthorizedKeysFile {directory}/authorized_keys\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         AllowTcpForwarding yes\nCiphers {CIPHER}\nCompression no\nPidFile none\nLogLevel ERROR\n"
    );
    let config = scratch.write(&format!("{title}.config"), &text)?;
    let mut process =
        Process::start(title, Command::new(sshd).args(["-D", "-e", "-f"]).arg(config))?;
    await_listening(&mut process, address)?;
    Ok((process, address))
}

/// Starts the client that forwards a free port to `target` from the host called `exit`.
fn client(
    target: SocketAddr,
    hosts: &[Host],
    keys: &Keys,
    scratch: &Scratch,
) -> io::Result<(Process, SocketAddr)> {
    let config = scratch.write("client.config", &client_config(hosts, keys, scratch)?)?;
    let listen = free_address()?;
    let mut command = Command::new(installed("ssh")?);
    command.arg("-F").arg(config).args(["-N", "-L", &format!("{listen}:{target}"), "exit"]);
    Ok((Process::start("entry", &mut command)?, listen))
}

fn client_config(hosts: &[Host], keys: &Keys, scratch: &Scratch) -> io::Result<String> {
    let directory = scratch.directory().display();
    let mut known = String::new();
    let mut text = String::new();
    for Host { name, address, jump } in hosts {
        let written =
            writeln!(known, "[{}]:{} {}", address.ip(), address.port(), keys.host_public.trim())
                .and_then(|()| {
                    writeln!(
                        text,
                        "Host {name}\n HostName {}\n Port {}\n User {}\n ProxyJump {jump}",
                        address.ip(),
                        address.port(),
                        keys.user
                    )
                });
        written.map_err(io::Error::other)?;
    }
    scratch.write("known_hosts", &known)?;
    let common = format!(
        "Host *\n IdentityFile {directory}/user_key\n IdentitiesOnly yes\n IdentityAgent none\n \
         StrictHostKeyChecking yes\n UserKnownHostsFile {directory}/known_hosts\n \
         GlobalKnownHostsFile none\n BatchMode yes\n ControlPath none\n \
         Ciphers {CIPHER}\n Compression no\n ExitOnForwardFailure yes\n LogLevel ERROR\n"
    );
    Ok(text + &common)
}
