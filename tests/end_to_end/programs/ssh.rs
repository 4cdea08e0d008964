//! A private OpenSSH server with keys of its own, and what runs over it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{are_installed, free_address, succeed, through, within_a_minute};
use ockam_actix_harness::program::{clean, Program};

use crate::tunnel::Step;

/// Where Debian puts it; it has to be started with an absolute path.
const SSHD: &str = "/usr/sbin/sshd";

/// Its folder for unprivileged processes, which the system's own service would create.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

struct Server {
    folder: TempDir,
    address: SocketAddr,
    _program: Program,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for key in ["host", "user"] {
            let mut keygen = clean("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            succeed(keygen.arg(folder.path().join(key)));
        }
        fs::create_dir_all(PRIVILEGE_SEPARATION).unwrap();
        let address = free_address();
        let path = folder.path().display();
        let config = format!(
            "ListenAddress {address}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        );
        let file = folder.path().join("config");
        fs::write(&file, config).unwrap();
        let program = Program::start(clean(SSHD).args(["-D", "-e", "-f"]).arg(file));
        program.wait_for_line("Server listening on");
        Self { folder, address, _program: program }
    }

    /// What `ssh` and `scp` need to know.
    fn options(&self) -> Vec<String> {
        let key = self.folder.path().join("user").display().to_string();
        let mut options = vec!["-i".into(), key, "-F".into(), "none".into()];
        let host_key = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"];
        for option in [&host_key[..], &["LogLevel=ERROR", "BatchMode=yes"]].concat() {
            options.extend(["-o".into(), option.into()]);
        }
        options
    }

    fn command(&self, program: &str, port_option: &str, inlet: SocketAddr) -> Command {
        let mut command = within_a_minute(program);
        command.args(self.options()).args([port_option, &inlet.port().to_string()]);
        command
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        file
    }
}

/// Bytes that compress badly.
fn some_bytes(count: usize) -> Vec<u8> {
    ockam_actix_harness::pattern::Pattern::new(6).bytes(0, count)
}

fn with_server(step: Step, programs: &[&str], test: impl FnOnce(&Server, SocketAddr)) {
    let all = [&["ssh", "sshd", "ssh-keygen"], programs].concat();
    if !are_installed(&all) || !may_serve() {
        return;
    }
    let server = Server::start();
    through(step, server.address, |inlet| test(&server, inlet));
}

/// The server switches to its user, for which root of a namespace is not enough.
fn may_serve() -> bool {
    let whole =
        fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.contains("4294967295"));
    if !whole {
        println!("skipped: an SSH server needs to be started by root");
    }
    whole
}

pub(super) fn commands(step: Step) {
    with_server(step, &[], |server, inlet| {
        let ssh = |line: &str| {
            let mut ssh = server.command("ssh", "-p", inlet);
            ssh.args(["root@127.0.0.1", line]);
            ssh
        };
        assert_eq!(succeed(&mut ssh("echo hello")), "hello\n");
        // The end of the input reaches the server, and the end of the output comes back.
        let input = server.file("input", &some_bytes(1_000_000));
        let count = succeed(ssh("wc -c").stdin(fs::File::open(input).unwrap()));
        assert_eq!(count.trim(), "1000000");
        let status = ssh("exit 7").stdin(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(7));
    });
}

pub(super) fn copies(step: Step) {
    with_server(step, &["scp"], |server, inlet| {
        let bytes = some_bytes(1_000_000).repeat(10);
        let (here, there) = (server.file("here", &bytes), server.file("there", b""));
        let back = server.file("back", b"");
        let remote = |file: &Path| format!("root@127.0.0.1:{}", file.display());
        let scp = || server.command("scp", "-P", inlet);
        succeed(scp().arg(&here).arg(remote(&there)));
        succeed(scp().arg(remote(&there)).arg(&back));
        assert!(fs::read(&there).unwrap() == bytes && fs::read(&back).unwrap() == bytes);
    });
}

pub(super) fn synchronises(step: Step) {
    with_server(step, &["rsync"], |server, inlet| {
        let (from, to) = (server.folder.path().join("from"), server.folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        for number in 0..200 {
            fs::write(from.join(number.to_string()), some_bytes(number * 1_000)).unwrap();
        }
        let shell = format!("ssh {} -p {}", server.options().join(" "), inlet.port());
        let rsync = || {
            let mut rsync = within_a_minute("rsync");
            let destination = format!("root@127.0.0.1:{}", to.display());
            rsync.args(["-a", "--stats", "-e", &shell]).arg(format!("{}/", from.display()));
            rsync.arg(destination);
            rsync
        };
        succeed(&mut rsync());
        for number in 0..200 {
            assert_eq!(fs::read(to.join(number.to_string())).unwrap(), some_bytes(number * 1_000));
        }
        // The second time there is nothing to do, which takes a dialogue to find out.
        let stats = succeed(&mut rsync());
        assert!(stats.contains("Number of regular files transferred: 0"), "{stats}");
    });
}
