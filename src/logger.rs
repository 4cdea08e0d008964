//! The logger of programs that are a node.
//!
//! Lines go to standard error by a thread of their own, through a bounded queue: where nobody reads
//! them, a terminal that was stopped or a full pipe, the node goes on, and lines are dropped and
//! counted.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{sync_channel, Receiver, SyncSender, TrySendError},
        Arc, OnceLock,
    },
    thread,
    time::Duration,
};

use env_logger::{Builder, Env, Target, WriteStyle};
use log::LevelFilter;

/// Lines that wait to be written.
const WAITING_LINES: usize = 1_024;

/// How long the end of a program waits for the lines that it logged last.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The queue of the process, once the logger has started.
static QUEUE: OnceLock<LineQueue> = OnceLock::new();

/// Starts a logger that writes to standard error what `RUST_LOG` asks for, by default `level` and
/// above. A program that has installed a logger of its own keeps it.
pub(crate) fn start(level: LevelFilter) {
    // The console's web server tells of each start and end.
    let filter = format!("{level},actix_server=warn");
    let mut builder = Builder::from_env(Env::default().default_filter_or(filter));
    let has_colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if has_colours && std::env::var_os("RUST_LOG_STYLE").is_none() {
        builder.write_style(WriteStyle::Always);
    }
    let (queue, waiting) = LineQueue::new();
    builder.format_target(false).target(Target::Pipe(Box::new(queue.clone())));
    // The error says that there is a logger already.
    if builder.try_init().is_ok() && QUEUE.set(queue).is_ok() {
        // Without the thread there are no lines, which stops nothing else.
        let _ = thread::Builder::new().name("log".into()).spawn(|| waiting.write_to(io::stderr()));
    }
}

/// Waits until the lines so far are written, but not for long.
pub(crate) fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.wait_for(LAST_LINES);
    }
}

enum Item {
    Line(Vec<u8>),
    /// To be told when all before is written.
    Mark(SyncSender<()>),
}

/// Where lines are put, without waiting. Clones share the queue.
#[derive(Clone)]
struct LineQueue {
    items: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

/// The end of the queue that the thread has.
struct Waiting {
    items: Receiver<Item>,
    dropped: Arc<AtomicU64>,
}

impl LineQueue {
    fn new() -> (Self, Waiting) {
        let (sender, items) = sync_channel(WAITING_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        (Self { items: sender, dropped: dropped.clone() }, Waiting { items, dropped })
    }

    fn wait_for(&self, limit: Duration) {
        let (written, mark) = sync_channel(1);
        // A full queue does not empty soon.
        if self.items.try_send(Item::Mark(written)).is_ok() {
            let _ = mark.recv_timeout(limit);
        }
    }
}

/// The logger writes each line in one call.
impl Write for LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.items.try_send(Item::Line(line.to_vec())) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Waiting {
    /// Writes lines for as long as there is a logger. One that cannot be written is lost: standard
    /// error is closed, or its disk is full, and there is nowhere else to say so.
    fn write_to(self, mut to: impl Write) {
        for item in self.items {
            match item {
                Item::Line(line) => drop(to.write_all(&line)),
                Item::Mark(written) => drop(written.try_send(())),
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let _ = writeln!(to, "{dropped} lines of the log were dropped: nobody read them");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// A reader that takes nothing until it is told to.
    struct Stalled {
        go: Option<Receiver<()>>,
        read: std::sync::mpsc::Sender<String>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(go) = self.go.take() {
                go.recv().unwrap();
            }
            self.read.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_lines_and_nothing_else() {
        let (mut queue, waiting) = LineQueue::new();
        let ((go, told), (read, lines)) = (channel(), channel());
        let writing = thread::spawn(|| waiting.write_to(Stalled { go: Some(told), read }));
        let more = 100;
        // One may be in the writer's hand.
        for number in 0..=WAITING_LINES + more {
            queue.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        queue.wait_for(Duration::ZERO);
        go.send(()).unwrap();
        drop(queue);
        writing.join().unwrap();
        let lines: String = lines.into_iter().collect();
        assert!(lines.starts_with("0\n") && lines.contains(&format!("\n{}\n", WAITING_LINES - 1)));
        let dropped = [more, more + 1].map(|lines| format!("\n{lines} lines of the log were"));
        assert!(dropped.iter().any(|said| lines.contains(said)), "{lines}");
    }

    #[test]
    fn the_last_lines_are_waited_for() {
        let (mut queue, waiting) = LineQueue::new();
        let (read, lines) = channel();
        let writing = thread::spawn(|| waiting.write_to(Stalled { go: None, read }));
        queue.write_all(b"the last\n").unwrap();
        queue.wait_for(Duration::from_secs(10));
        assert_eq!(lines.try_recv().unwrap(), "the last\n");
        drop(queue);
        writing.join().unwrap();
    }
}
