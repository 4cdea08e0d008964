//! One process of a benchmark: started, listened to, and ended, with whatever it started itself.

use super::{scratch::Scratch, usage};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

/// How long a process may take until it is ready.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(15);

/// A child of this program. Dropping it ends it and its descendants, by their ids.
pub(crate) struct Process {
    title: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it says goes to a file that errors quote from.
    pub(crate) fn start(
        title: &'static str,
        command: &mut Command,
        scratch: &Scratch,
    ) -> io::Result<Self> {
        let log = scratch.path(&format!("{title}.log"));
        let said = File::create(&log)?;
        command.stdout(said.try_clone()?).stderr(said);
        Self::spawn(title, command, log)
    }

    /// Starts this program again as `role` and waits until it says that it is ready, and where.
    pub(crate) fn role(
        title: &'static str,
        role: &str,
        arguments: &[&str],
        scratch: &Scratch,
    ) -> io::Result<(Self, String)> {
        let log = scratch.path(&format!("{title}.log"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--role", role, "--"]).args(arguments);
        command.stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut process = Self::spawn(title, &mut command, log)?;
        let address = process.await_ready()?;
        Ok((process, address))
    }

    fn spawn(title: &'static str, command: &mut Command, log: PathBuf) -> io::Result<Self> {
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::piped()).spawn();
        let child = child.map_err(|error| {
            io::Error::other(format!("cannot start {}: {error}", program.display()))
        })?;
        Ok(Self { title, child, log })
    }

    fn await_ready(&mut self) -> io::Result<String> {
        match self.lines().recv_timeout(READY_WITHIN) {
            Ok(address) => Ok(address),
            Err(RecvTimeoutError::Timeout) => Err(self.complaint("is not ready in time")),
            Err(RecvTimeoutError::Disconnected) => Err(self.complaint("ended before it was ready")),
        }
    }

    /// The addresses of the lines `ready ADDRESS`. All else is read and dropped, lest the process blocks on a full pipe.
    fn lines(&mut self) -> Receiver<String> {
        let (found, addresses) = mpsc::channel();
        let output = self.child.stdout.take();
        thread::spawn(move || {
            for line in output
                .into_iter()
                .flat_map(|output| BufReader::new(output).lines())
                .map_while(Result::ok)
            {
                if let Some(address) = line.strip_prefix("ready ") {
                    // Nobody listens for a second address.
                    let _ = found.send(address.trim().to_owned());
                }
            }
        });
        addresses
    }

    /// What to call it in a table.
    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails, with its last words, when it has ended.
    pub(crate) fn check_alive(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.complaint(&format!("ended with {status}"))),
        }
    }

    /// Ends it, with SIGKILL, and waits until it has ended.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> io::Result<String> {
        // A line may be written right now, and end within a letter.
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// An error about this process with the last lines it wrote.
    pub(crate) fn complaint(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let mut last: Vec<&str> = log.lines().rev().take(3).collect();
        last.reverse();
        io::Error::other(format!("{} {what}: {}", self.title, last.join(" / ")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            // Its id may be another process's by now.
            return;
        }
        let family = usage::family(self.id());
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for member in family.iter().filter(|member| member.id != self.id() && member.lives()) {
            let _ = Command::new("kill")
                .args(["-KILL", &member.id.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}
