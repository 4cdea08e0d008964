//! The queue of lines that wait to be written, which nobody waits for.

use std::{
    io::{self, Write},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{sync_channel, Receiver, SyncSender, TrySendError},
        Arc,
    },
    time::Duration,
};

/// Lines that wait to be written.
const WAITING_LINES: usize = 1_024;

enum Item {
    Line(Vec<u8>),
    /// To be told when all before is written.
    Mark(SyncSender<()>),
}

/// Where lines are put, without waiting. Clones share the queue.
#[derive(Clone)]
pub(super) struct LineQueue {
    items: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

/// The end of the queue that the thread has.
pub(super) struct Waiting {
    items: Receiver<Item>,
    dropped: Arc<AtomicU64>,
}

impl LineQueue {
    pub(super) fn new() -> (Self, Waiting) {
        let (sender, items) = sync_channel(WAITING_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        (Self { items: sender, dropped: dropped.clone() }, Waiting { items, dropped })
    }

    pub(super) fn wait_for(&self, limit: Duration) {
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
    ///
    /// `lost` makes the line that says how many were dropped.
    pub(super) fn write_to(self, mut to: impl Write, lost: impl Fn(u64) -> String) {
        for item in self.items {
            match item {
                Item::Line(line) => drop(to.write_all(&line)),
                Item::Mark(written) => drop(written.try_send(())),
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let _ = to.write_all(lost(dropped).as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, thread};

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
        let stalled = Stalled { go: Some(told), read };
        let writing =
            thread::spawn(|| waiting.write_to(stalled, |lost| format!("{lost} are lost\n")));
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
        let dropped = [more, more + 1].map(|lines| format!("\n{lines} are lost\n"));
        assert!(dropped.iter().any(|said| lines.contains(said)), "{lines}");
    }

    #[test]
    fn the_last_lines_are_waited_for() {
        let (mut queue, waiting) = LineQueue::new();
        let (read, lines) = channel();
        let reader = Stalled { go: None, read };
        let writing = thread::spawn(|| waiting.write_to(reader, |_| String::new()));
        queue.write_all(b"the last\n").unwrap();
        queue.wait_for(Duration::from_secs(10));
        assert_eq!(lines.try_recv().unwrap(), "the last\n");
        drop(queue);
        writing.join().unwrap();
    }
}
