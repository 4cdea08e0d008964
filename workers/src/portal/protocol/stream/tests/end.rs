//! One end of a resumable stream with its application, as its caller would drive it. Bytes are not
//! stored: a byte's content is its offset, so that a gap or a repeat shows.

use std::{collections::VecDeque, ops::Range, time::Duration};

use crate::portal::protocol::{
    action::{Action, End},
    message::{Control, Decoded},
    offset::Offset,
    reason::ResetReason,
    stream::{tests::link::Seen, Stream},
};

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) enum Wire {
    Control(Control<'static>),
    /// The offsets of the bytes.
    Data(Range<u64>),
}

/// What an application wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Bytes that it sends before its end.
    pub(super) sends: u64,
    /// What may wait for it.
    pub(super) receive_cap: u64,
    /// What its end may keep for another path.
    pub(super) retain_cap: u64,
}

/// One end.
pub(super) struct Side {
    pub(super) stream: Stream,
    pub(super) plan: Plan,
    /// What was read from the application.
    pub(super) read: u64,
    pub(super) ended: bool,
    /// Whether the application reset its connection.
    pub(super) gone: bool,
    queue: VecDeque<Range<u64>>,
    /// What the application got.
    pub(super) got: u64,
    pub(super) seen: Seen,
    /// Whether bytes may have reached the application.
    pub(super) reached: bool,
    pub(super) connected: bool,
    pub(super) end: Option<End>,
}

impl Side {
    pub(super) fn new(mut stream: Stream, plan: Plan, connected: bool) -> Self {
        stream.set_retain_cap(plan.retain_cap);
        Self {
            stream,
            plan,
            read: 0,
            ended: false,
            gone: false,
            queue: VecDeque::new(),
            got: 0,
            seen: Seen::Nothing,
            reached: false,
            connected,
            end: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Does all that the stream asks for, and returns what it says.
    pub(super) fn act(&mut self) -> Vec<Wire> {
        let mut said = Vec::new();
        while let Some(action) = self.stream.poll_action() {
            assert_eq!(self.end, None, "{action:?} after the end");
            match action {
                Action::Send(control) => said.push(Wire::Control(control)),
                Action::ShutdownWrite => {
                    assert!(self.connected && self.queue.is_empty() && !self.gone);
                    assert_eq!(self.seen, Seen::Nothing);
                    self.seen = Seen::Eof;
                }
                Action::ResetSocket => {
                    let is_refused = matches!(self.stream.end(), Some(End::Refused(_)));
                    self.reached |= !self.queue.is_empty() && !is_refused;
                    self.queue.clear();
                    self.seen = Seen::Reset;
                }
                Action::Finished(end) => self.end = Some(end),
            }
        }
        let waiting: u64 = self.queue.iter().map(|range| range.end - range.start).sum();
        assert_eq!(self.stream.buffered(), waiting);
        assert!(waiting <= self.plan.receive_cap, "{waiting} bytes wait");
        said
    }

    /// Bytes that are kept for another path.
    pub(super) fn retained(&self) -> u64 {
        self.read - self.stream.acknowledged().value()
    }

    pub(super) fn handle(&mut self, wire: &Wire) {
        let decoded = match wire {
            Wire::Control(control) => Decoded::Control(*control),
            Wire::Data(bytes) => Decoded::Data {
                offset: Offset::new(bytes.start),
                range: 0..(bytes.end - bytes.start) as usize,
            },
        };
        let taken = self.stream.handle_message(decoded);
        let taken = taken.unwrap_or_else(|violation| panic!("{violation} by {wire:?}"));
        if let (Some(_), Wire::Data(bytes)) = (taken, wire) {
            assert_eq!(self.seen, Seen::Nothing, "bytes after the end");
            self.queue.push_back(bytes.clone());
        }
    }

    /// Sends up to `most` bytes, again or from the application; with `ride`, an owed `Ack` first.
    pub(super) fn send(&mut self, most: u64, ride: bool) -> Vec<Wire> {
        let mut said = Vec::new();
        let again = self.stream.resendable() as u64;
        let may_read = self.connected && !self.gone && !self.ended;
        let fresh = if may_read { self.stream.readable() as u64 } else { 0 };
        assert!(again == 0 || fresh == 0);
        let (new, resent) = (fresh.min(self.plan.sends - self.read).min(most), again.min(most));
        if new + resent == 0 {
            return said;
        }
        if ride {
            said.extend(self.stream.take_ack().map(Wire::Control));
        }
        let at = self.stream.next_offset();
        if new > 0 {
            assert_eq!(at.value(), self.read, "the next byte of the application");
            assert_eq!(self.stream.socket_read(new as usize), Ok(at));
            self.read += new;
        } else {
            assert!(at >= self.stream.acknowledged(), "it was forgotten");
            assert!(at.value() + resent <= self.read, "it was never read");
            assert_eq!(self.stream.resent(resent as usize), Ok(at));
        }
        said.push(Wire::Data(at.value()..at.value() + new + resent));
        said
    }

    /// The application takes up to `most` bytes.
    pub(super) fn take(&mut self, most: u64, now: Duration) -> bool {
        let mut taken = 0;
        while let Some(front) = self.queue.front_mut().filter(|_| self.connected && !self.gone) {
            let n = (most - taken).min(front.end - front.start);
            if n == 0 {
                break;
            }
            assert_eq!(front.start, self.got, "a gap or a repeat");
            (front.start, self.got, taken) = (front.start + n, self.got + n, taken + n);
            if front.start == front.end {
                self.queue.pop_front();
            }
        }
        self.reached |= taken > 0;
        if taken > 0 {
            let rtt = Duration::from_millis(5);
            self.stream.socket_wrote(taken as usize, now, rtt).unwrap();
        }
        taken > 0
    }

    /// The application, all of whose bytes were read, ends its direction.
    pub(super) fn end_direction(&mut self) -> bool {
        let may = self.connected && !self.ended && !self.gone && self.read == self.plan.sends;
        let ends = may && self.stream.end().is_none();
        if ends {
            self.ended = true;
            self.stream.socket_eof();
        }
        ends
    }

    /// The process ends, with all its sockets.
    pub(super) fn kill(&mut self) {
        self.gone = true;
        self.end = Some(End::Here(ResetReason::Stopped));
        self.seen = Seen::Reset;
    }

    /// The application resets its connection.
    pub(super) fn reset(&mut self) {
        if self.connected && !self.gone {
            self.gone = true;
            self.stream.socket_reset();
            if self.stream.end().is_some() {
                self.queue.clear();
            }
        }
    }
}
