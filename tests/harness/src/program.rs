//! Processes for tests: every failure is a panic that shows all that the process has written, and a
//! process that has itself panicked fails the test.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, ExitStatus},
    thread,
    time::Duration,
};

use crate::{
    built,
    deadline::PATIENCE,
    process::{Line, Process},
    usage,
};

/// Environment variables that a user may have set, beside those of the commands' options.
const VARIABLES: [&str; 9] = [
    "RUST_LOG",
    "RUST_LOG_STYLE",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// The command for one of the repository's examples.
pub fn example(name: &str) -> Command {
    clean(built::example(name).unwrap_or_else(|error| panic!("{error}")))
}

/// The command for a program, as a user runs it, whatever is set where this runs.
pub fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let own = env::vars_os().map(|(name, _)| name);
    let own = own.filter(|name| name.to_string_lossy().starts_with("OCKAM_"));
    for variable in VARIABLES.into_iter().map(OsString::from).chain(own) {
        command.env_remove(variable);
    }
    command
}

/// A running program. It is killed when this is dropped, and must not have panicked by then, unless
/// it [may](Self::may_panic).
#[derive(Debug)]
pub struct Program {
    process: Process,
    may_panic: bool,
}

impl Program {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let program = PathBuf::from(command.get_program());
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::from(started(Process::start(name, command)))
    }

    /// Starts a shell with a command line.
    pub fn start_line(line: &str, path: &OsStr) -> Self {
        let mut shell = clean("sh");
        Self::from(started(Process::start_group("sh", shell.args(["-c", line]).env("PATH", path))))
    }

    /// Lets it panic: that is what it shows.
    pub fn may_panic(&mut self) {
        self.may_panic = true;
    }

    /// Waits for a line with `text` in it, on either stream, and returns it.
    pub fn wait_for_line(&self, text: &str) -> String {
        self.wait_for_line_within(text, PATIENCE)
    }

    /// As [`Program::wait_for_line`], for at most `limit`.
    pub fn wait_for_line_within(&self, text: &str, limit: Duration) -> String {
        self.wait_for_line_after(0, text, limit)
    }

    /// As [`Program::wait_for_line_within`], among the lines after the first `before`.
    pub fn wait_for_line_after(&self, before: usize, text: &str, limit: Duration) -> String {
        self.must(self.process.wait_for_line(before, text, limit))
    }

    /// Waits for a line with `text` in it, and returns what follows that.
    pub fn wait_for_rest(&self, text: &str) -> String {
        let line = self.wait_for_line(text);
        let rest = line.split_once(text).map(|(_, rest)| rest.trim_end().to_owned());
        rest.expect("the line has the text that was waited for")
    }

    /// Waits for a line with `text` in it, and returns the address that follows that.
    pub fn wait_for_address(&self, text: &str) -> SocketAddr {
        let rest = self.wait_for_rest(text);
        let address = rest.split([' ', '/']).next().unwrap_or_default();
        let parsed = address.parse();
        parsed.unwrap_or_else(|error| panic!("no address after {text:?}, {rest:?}: {error}"))
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_exit(&mut self, limit: Duration) -> ExitStatus {
        let ended = self.process.wait_for_exit(limit);
        self.must(ended)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        let killed = self.process.kill();
        self.must(killed);
    }

    /// Asks it to end, with SIGTERM.
    pub fn terminate(&self) {
        self.must(self.process.terminate());
    }

    /// Has it stand still, as a suspended laptop does, until it [goes on](Self::go_on).
    pub fn stand_still(&self) {
        self.must(self.process.stand_still());
    }

    /// Has it go on.
    pub fn go_on(&self) {
        self.must(self.process.go_on());
    }

    /// The memory that it has resident, in bytes.
    pub fn memory(&self) -> u64 {
        usage::memory_now(self.process.id())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that it had resident so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let bytes = usage::peak_memory(self.process.id());
        assert!(bytes > 0, "the system reports no memory of process {}: {self}", self.process.id());
        bytes
    }

    /// How many lines it has written.
    pub fn line_count(&self) -> usize {
        self.process.line_count()
    }

    /// The lines on its standard output.
    pub fn stdout(&self) -> Vec<String> {
        self.lines(false)
    }

    /// The lines on its standard error.
    pub fn stderr(&self) -> Vec<String> {
        self.lines(true)
    }

    fn lines(&self, is_error: bool) -> Vec<String> {
        let lines = self.process.lines().into_iter().filter(|line| line.is_error == is_error);
        lines.map(|line| line.text).collect()
    }

    fn must<T>(&self, outcome: io::Result<T>) -> T {
        outcome.unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

fn started(process: io::Result<Process>) -> Process {
    process.unwrap_or_else(|error| panic!("{error}"))
}

impl From<Process> for Program {
    fn from(process: Process) -> Self {
        Self { process, may_panic: false }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.process.lines();
        write!(f, "{} has written {} lines", self.process.title(), lines.len())?;
        for Line { is_error, text } in lines {
            write!(f, "\n  {} {text}", if is_error { "2>" } else { "1>" })?;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.end();
        if thread::panicking() {
            return println!("{self}");
        }
        assert!(self.may_panic || self.process.panicked().is_none(), "{self}");
    }
}
