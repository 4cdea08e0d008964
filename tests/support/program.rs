//! Child processes, their output, and their end.

use std::{
    env,
    ffi::OsStr,
    fmt, fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::deadline::PATIENCE;

/// The command for one of the repository's examples.
pub(crate) fn example(name: &str) -> Command {
    let path = examples().join(name);
    assert!(
        path.exists(),
        "{} was not built: `cargo test` builds examples, `cargo test --test NAME` does not; run `cargo build --examples` first",
        path.display()
    );
    clean(path)
}

/// The command `ockam`.
pub(crate) fn ockam() -> Command {
    clean(env!("CARGO_BIN_EXE_ockam"))
}

/// The command for any other program.
pub(crate) fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in ["RUST_LOG", "RUST_LOG_STYLE", "OCKAM_HUB", "OCKAM_ARBITERS", "http_proxy"] {
        command.env_remove(variable);
    }
    command
}

/// Test executables are in `target/PROFILE/deps`, examples in `target/PROFILE/examples`.
fn examples() -> PathBuf {
    let executable = env::current_exe().unwrap();
    executable.parent().and_then(|deps| deps.parent()).unwrap().join("examples")
}

/// Whether a program of the system is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A running program. It is killed when this is dropped, and must not have panicked by then.
pub(crate) struct Program {
    name: String,
    child: Child,
    output: Arc<Output>,
    /// Whether it may have children, which end with it.
    is_group: bool,
}

/// What a program has written so far.
#[derive(Default)]
struct Output {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<Line>,
    /// Streams that have ended, of two.
    ended: usize,
}

#[derive(Clone)]
struct Line {
    is_error: bool,
    text: String,
}

impl Program {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = PathBuf::from(command.get_program());
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = Arc::new(Output::default());
        collect(child.stdout.take().unwrap(), false, output.clone());
        collect(child.stderr.take().unwrap(), true, output.clone());
        Self { name, child, output, is_group: false }
    }

    /// Starts a line of the shell.
    pub(crate) fn start_line(line: &str, path: &OsStr) -> Self {
        let mut shell = clean("sh");
        shell.args(["-c", line]).env("PATH", path).process_group(0);
        let mut program = Self::start(&mut shell);
        program.is_group = true;
        program
    }

    /// Waits for a line with `text` in it, on either stream, and gives it.
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        self.wait_for_line_within(text, PATIENCE)
    }

    /// As [`Program::wait_for_line`], for at most `limit`.
    pub(crate) fn wait_for_line_within(&self, text: &str, limit: Duration) -> String {
        self.wait_for_line_after(0, text, limit)
    }

    /// As [`Program::wait_for_line_within`], among the lines behind the first `before`.
    pub(crate) fn wait_for_line_after(&self, before: usize, text: &str, limit: Duration) -> String {
        let found = self.wait(limit, |written| {
            let mut lines = written.lines.iter().skip(before);
            let found = lines.find(|line| line.text.contains(text)).map(|line| line.text.clone());
            match found {
                Some(line) => Some(Ok(line)),
                None if written.ended == 2 => Some(Err("it ended without it")),
                None => None,
            }
        });
        let found = found.unwrap_or(Err("it did not come in time"));
        found.unwrap_or_else(|why| {
            panic!("waited up to {limit:?} for a line with {text:?}; {why}: {self}")
        })
    }

    /// The address that stands behind `text` in a line.
    pub(crate) fn wait_for_address(&self, text: &str) -> SocketAddr {
        let line = self.wait_for_line(text);
        let (_, behind) = line.split_once(text).unwrap();
        let end = behind.find([' ', '/']).unwrap_or(behind.len());
        let address = behind[..end].parse();
        address.unwrap_or_else(|error| panic!("no address behind {text:?} in {line:?}: {error}"))
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait_for_exit(&mut self, limit: Duration) -> ExitStatus {
        let ended = self.wait(limit, |written| (written.ended == 2).then_some(()));
        assert!(ended.is_some(), "waited {limit:?} for the end of a program: {self}");
        self.child.wait().unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its end without a chance to do anything about it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, with SIGTERM.
    pub(crate) fn terminate(&self) {
        assert!(send_signal("TERM", &self.child.id().to_string()), "{self}");
    }

    /// The most memory that it had resident so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = status(self.child.id());
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        1024 * peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    /// How many lines it has written.
    pub(crate) fn line_count(&self) -> usize {
        self.output.written.lock().unwrap().lines.len()
    }

    /// The lines on its standard output.
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.lines(false)
    }

    /// The lines on its standard error.
    pub(crate) fn stderr(&self) -> Vec<String> {
        self.lines(true)
    }

    fn lines(&self, is_error: bool) -> Vec<String> {
        let written = self.output.written.lock().unwrap();
        let lines = written.lines.iter().filter(|line| line.is_error == is_error);
        lines.map(|line| line.text.clone()).collect()
    }

    /// Looks at what it has written, now and whenever there is more, until `found` finds something.
    fn wait<T>(&self, limit: Duration, mut found: impl FnMut(&Written) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut written = self.output.written.lock().unwrap();
        loop {
            if let Some(found) = found(&written) {
                return Some(found);
            }
            let rest = end.checked_duration_since(Instant::now())?;
            written = self.output.changed.wait_timeout(written, rest).unwrap().0;
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.output.written.lock().unwrap();
        write!(f, "{} has written {} lines", self.name, written.lines.len())?;
        for line in &written.lines {
            write!(f, "\n  {} {}", if line.is_error { "2>" } else { "1>" }, line.text)?;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_group {
            send_signal("KILL", &format!("-{}", self.child.id()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What it wrote last is still in the pipes.
        self.wait(Duration::from_secs(5), |written| (written.ended == 2).then_some(()));
        if thread::panicking() {
            return println!("{self}");
        }
        let panicked = self.stderr().iter().any(|line| line.contains("panicked"));
        assert!(!panicked, "{self}");
    }
}

/// What the system says of a process of this one's namespace. `/proc` may be that of a namespace
/// around it, and list it under another number.
fn status(id: u32) -> String {
    let namespace = |process: &Path| fs::read_link(process.join("ns/pid"));
    let own = namespace(Path::new("/proc/self")).unwrap();
    let is_sought = |status: &String| {
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        ids.and_then(|ids| ids.split_whitespace().last()) == Some(id.to_string().as_str())
    };
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes
        .filter(|process| namespace(process).is_ok_and(|namespace| namespace == own))
        .filter_map(|process| fs::read_to_string(process.join("status")).ok())
        .find(is_sought)
        .unwrap_or_else(|| panic!("no process {id}"))
}

/// Without unsafe code only a program can send signals other than SIGKILL.
fn send_signal(signal: &str, to: &str) -> bool {
    let kill = format!("kill -s {signal} -- {to}");
    Command::new("sh").args(["-c", &kill]).status().is_ok_and(|status| status.success())
}

fn collect(stream: impl Read + Send + 'static, is_error: bool, output: Arc<Output>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let text = String::from_utf8_lossy(&line).into_owned();
            output.written.lock().unwrap().lines.push(Line { is_error, text });
            output.changed.notify_all();
        }
        output.written.lock().unwrap().ended += 1;
        output.changed.notify_all();
    });
}
