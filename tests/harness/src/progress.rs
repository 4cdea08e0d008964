//! What long work is doing, for whoever waits for it: one line on a terminal that is written again
//! and again, elsewhere a line every few seconds.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        mpsc::{channel, RecvTimeoutError, Sender},
        Arc, Mutex, PoisonError,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often the line of a terminal is written, and how often one elsewhere.
const TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Characters of a line of a terminal, so that it does not wrap.
const WIDTH: usize = 78;

/// Work that is under way. The line ends when this is dropped.
#[derive(Debug)]
pub struct Progress {
    doing: Arc<Mutex<String>>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to show what is done, on standard error.
    pub fn of(doing: impl Into<String>) -> Self {
        let doing = Arc::new(Mutex::new(doing.into()));
        let (end, ended) = channel();
        let shown = doing.clone();
        let thread = thread::spawn(move || {
            let is_terminal = io::stderr().is_terminal();
            let every = if is_terminal { TERMINAL } else { ELSEWHERE };
            let begun = Instant::now();
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let doing = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let line = line(begun.elapsed(), &doing);
                match is_terminal {
                    true => eprint!("\r{line:<WIDTH$}\r"),
                    false => eprintln!("{line}"),
                }
            }
            if is_terminal {
                eprint!("{:<WIDTH$}\r", "");
            }
            // It is only shown.
            let _ = io::stderr().flush();
        });
        Self { doing, end: Some(end), thread: Some(thread) }
    }

    /// Shows something else from now on.
    pub fn now(&self, doing: impl Into<String>) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing.into();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end.take();
        // A panic there has shown itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn line(since: Duration, doing: &str) -> String {
    let seconds = since.as_secs();
    let line = format!("{:>3}:{:02}  {doing}", seconds / 60, seconds % 60);
    line.chars().take(WIDTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_minutes_and_fit() {
        assert_eq!(line(Duration::from_secs(61), "step 03"), "  1:01  step 03");
        assert_eq!(line(Duration::ZERO, &"x".repeat(100)).len(), WIDTH);
    }
}
