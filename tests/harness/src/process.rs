//! A child process: started, observed, and ended with whatever it started itself.

use std::{
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{role::READY, usage};

/// How long a process may take until it is ready.
pub const READY_WITHIN: Duration = Duration::from_secs(15);

/// How long its last output may still take to arrive when it has ended.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// A child of this program. Dropping it ends it and its descendants, with SIGKILL.
#[derive(Debug)]
pub struct Process {
    title: String,
    child: Child,
    output: Arc<Output>,
    /// Whether it leads a group, which ends with it.
    is_group: bool,
}

/// What a process has written so far.
#[derive(Debug, Default)]
struct Output {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Written {
    lines: Vec<Line>,
    /// Streams that have ended, of two.
    ended: usize,
}

/// A line that a process has written.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whether it was written to standard error.
    pub is_error: bool,
    /// The line, without its end.
    pub text: String,
}

impl Process {
    /// Starts `command` without an input.
    pub fn start(title: impl Into<String>, command: &mut Command) -> io::Result<Self> {
        Self::spawn(title.into(), command.stdin(Stdio::null()))
    }

    /// As [`Process::start`], in a group of its own: its descendants end with it even where they
    /// have lost their parent.
    pub fn start_group(title: impl Into<String>, command: &mut Command) -> io::Result<Self> {
        let mut process = Self::start(title, command.process_group(0))?;
        process.is_group = true;
        Ok(process)
    }

    /// Starts this program again as `role`; waits until it is ready, and returns the address that
    /// it says.
    pub fn role(title: &str, role: &str, arguments: &[&str]) -> io::Result<(Self, String)> {
        Self::role_of(&std::env::current_exe()?, title, role, arguments)
    }

    /// As [`Process::role`], of another program that has such roles.
    pub fn role_of(
        program: &Path,
        title: &str,
        role: &str,
        arguments: &[&str],
    ) -> io::Result<(Self, String)> {
        let mut command = Command::new(program);
        command.args(["--role", role, "--"]).args(arguments).stdin(Stdio::piped());
        let process = Self::spawn(title.to_owned(), &mut command)?;
        let is_ready = |line: &Line| {
            let address = line.text.strip_prefix(READY).filter(|_| !line.is_error);
            address.map(|address| address.trim().to_owned())
        };
        let address =
            process.wait_for(0, "a line that says it is ready", READY_WITHIN, is_ready)?;
        Ok((process, address))
    }

    fn spawn(title: String, command: &mut Command) -> io::Result<Self> {
        let program = command.get_program().to_owned();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start {}: {error}", program.display()))
        })?;
        let output = Arc::new(Output::default());
        if let Some(stdout) = child.stdout.take() {
            output.collect(stdout, false);
        }
        if let Some(stderr) = child.stderr.take() {
            output.collect(stderr, true);
        }
        Ok(Self { title, child, output, is_group: false })
    }

    /// Its name in errors and tables.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with `text` in it, on either stream, after the first `before` lines.
    ///
    /// # Errors
    /// If it does not come in time, or the process ends without it.
    pub fn wait_for_line(&self, before: usize, text: &str, limit: Duration) -> io::Result<String> {
        let what = format!("a line with {text:?}");
        self.wait_for(before, &what, limit, |line| {
            line.text.contains(text).then(|| line.text.clone())
        })
    }

    fn wait_for(
        &self,
        before: usize,
        what: &str,
        limit: Duration,
        found: impl Fn(&Line) -> Option<String>,
    ) -> io::Result<String> {
        let outcome = self.output.wait(limit, |written| {
            match written.lines.iter().skip(before).find_map(&found) {
                Some(line) => Some(Ok(line)),
                None if written.ended == 2 => Some(Err("it ended without it")),
                None => None,
            }
        });
        outcome.unwrap_or(Err("it did not come in time")).map_err(|why| {
            self.complaint(&format!("should have written {what} within {limit:?}; {why}"))
        })
    }

    /// Waits until it has ended by itself, and what it wrote has arrived.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn wait_for_exit(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        match self.output.wait_for_end(limit) {
            true => self.child.wait(),
            false => Err(self.complaint(&format!("has not ended after {limit:?}"))),
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Fails, with its last lines, if it has ended.
    pub fn check_alive(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.complaint(&format!("ended with {status}"))),
        }
    }

    /// Ends it with SIGKILL, and waits for its last output.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.output.wait_for_end(READ_WITHIN);
        Ok(())
    }

    /// Asks it to end, with SIGTERM.
    pub fn terminate(&self) -> io::Result<()> {
        match send_signal("TERM", &self.id().to_string()) {
            true => Ok(()),
            false => Err(self.complaint("cannot be sent SIGTERM")),
        }
    }

    /// Has it stand still, as a suspended laptop does, until it [goes on](Self::go_on).
    pub fn stand_still(&self) -> io::Result<()> {
        match send_signal("STOP", &self.id().to_string()) {
            true => Ok(()),
            false => Err(self.complaint("cannot be sent SIGSTOP")),
        }
    }

    /// Has it go on.
    pub fn go_on(&self) -> io::Result<()> {
        match send_signal("CONT", &self.id().to_string()) {
            true => Ok(()),
            false => Err(self.complaint("cannot be sent SIGCONT")),
        }
    }

    /// All lines so far, in the order in which they arrived.
    pub fn lines(&self) -> Vec<Line> {
        self.output.lock().lines.clone()
    }

    /// The number of lines so far.
    pub fn line_count(&self) -> usize {
        self.output.lock().lines.len()
    }

    /// The line that reports a panic, if there is one.
    pub fn panicked(&self) -> Option<String> {
        let written = self.output.lock();
        let reports = |line: &&Line| line.is_error && line.text.contains("panicked");
        written.lines.iter().find(reports).map(|line| line.text.clone())
    }

    /// An error about this process with the last lines it wrote.
    pub fn complaint(&self, what: &str) -> io::Error {
        let written = self.output.lock();
        let last = &written.lines[written.lines.len().saturating_sub(3)..];
        let last: Vec<&str> = last.iter().map(|line| line.text.as_str()).collect();
        io::Error::other(format!("{} {what}: {}", self.title, last.join(" / ")))
    }

    /// Ends it and whatever it has started, and waits for its last output.
    pub fn end(&mut self) {
        if self.is_group {
            send_signal("KILL", &format!("-{}", self.id()));
        }
        // The id of a process that has ended and was waited for may be another one's by now.
        if self.is_running() {
            let family = usage::family(self.id());
            // An error means that it has ended just now.
            let _ = self.child.kill();
            let _ = self.child.wait();
            for member in family.iter().skip(1).filter(|member| member.lives()) {
                if let Some(id) = member.id() {
                    send_signal("KILL", &id.to_string());
                }
            }
        }
        self.output.wait_for_end(READ_WITHIN);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

impl Output {
    /// Reads a stream, on a thread of its own, until it ends.
    fn collect(self: &Arc<Self>, stream: impl Read + Send + 'static, is_error: bool) {
        let output = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let text = String::from_utf8_lossy(&line).into_owned();
                output.lock().lines.push(Line { is_error, text });
                output.changed.notify_all();
            }
            output.lock().ended += 1;
            output.changed.notify_all();
        });
    }

    /// Calls `found` with what was written, now and whenever there is more, until it finds
    /// something.
    fn wait<T>(&self, limit: Duration, mut found: impl FnMut(&Written) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut written = self.lock();
        loop {
            if let Some(found) = found(&written) {
                return Some(found);
            }
            let rest = end.checked_duration_since(Instant::now())?;
            let waited = self.changed.wait_timeout(written, rest);
            written = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether both streams have ended in time.
    fn wait_for_end(&self, limit: Duration) -> bool {
        self.wait(limit, |written| (written.ended == 2).then_some(())).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without unsafe code, only another program can send other signals than SIGKILL, or send them to
/// processes that are no children.
fn send_signal(signal: &str, to: &str) -> bool {
    let mut kill = Command::new("sh");
    kill.args(["-c", &format!("kill -s {signal} -- {to}")]).stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}
