//! One TCP connection: what the systems of its two hosts would keep of it.

use std::{collections::VecDeque, io::ErrorKind, net::SocketAddr, task::Waker, time::Duration};

use bytes::{Bytes, BytesMut};

use crate::{clock::Instant, socket::Keepalive};

/// The pause before what was lost is sent again; it doubles while it is lost again.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(200);

/// Bytes that a system takes from its program before they are sent.
pub(super) const SEND_BUFFER: usize = 256 * 1024;

/// Bytes that may be under way to a program, or wait for it, in each direction.
pub(super) const WINDOW: usize = 256 * 1024;

/// One connection. The end that connected has the index 0, and the flow of the same index is what
/// it sends.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) hosts: [usize; 2],
    pub(super) addresses: [SocketAddr; 2],
    pub(super) ends: [End; 2],
    pub(super) flows: [Flow; 2],
}

/// One end.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Whether a program has it.
    pub(super) is_held: bool,
    /// Whether the connection is made, as this end knows it.
    pub(super) is_established: bool,
    /// Whether the system has forgotten it, or never knew it: it answers with resets.
    pub(super) is_dead: bool,
    pub(super) received: BytesMut,
    pub(super) has_received_fin: bool,
    /// What the next call of the program fails with.
    pub(super) error: Option<ErrorKind>,
    pub(super) was_reset: bool,
    /// Whether closing it before all was sent, or read, resets the connection.
    pub(super) resets_on_close: bool,
    pub(super) user_timeout: Option<Duration>,
    pub(super) keepalive: Option<Probing>,
    wakers: [Option<Waker>; 3],
}

/// Keep-alive of one end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probing {
    pub(super) options: Keepalive,
    pub(super) heard_at: Instant,
    /// Probes that nobody answered.
    pub(super) unanswered: u32,
}

/// What a program waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Awaited {
    Read,
    Write,
    Error,
}

impl End {
    pub(super) fn wait(&mut self, what: Awaited, waker: &Waker) {
        self.wakers[what as usize] = Some(waker.clone());
    }

    /// Adds who waits for `what` to those to be woken.
    pub(super) fn wake(&mut self, what: Awaited, woken: &mut Vec<Waker>) {
        woken.extend(self.wakers[what as usize].take());
    }

    pub(super) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(self.wakers.iter_mut().filter_map(Option::take));
    }

    /// Ends it with an error for its program.
    pub(super) fn fail(&mut self, error: ErrorKind, woken: &mut Vec<Waker>) {
        self.is_dead = true;
        self.was_reset = true;
        self.error = Some(error);
        self.wake_all(woken);
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.received.is_empty() || self.has_received_fin || self.is_dead
    }
}

/// What one end sends to the other.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) unsent: BytesMut,
    pub(super) fin: Fin,
    pub(super) wire: VecDeque<Segment>,
    pub(super) in_flight: usize,
    /// Whether an event for the first segment is due.
    pub(super) is_scheduled: bool,
    pub(super) retry: Duration,
    /// Since when the first segment does not arrive.
    pub(super) stalled: Option<Instant>,
    /// Since when the other end's window is full.
    pub(super) blocked: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    None,
    Queued,
    Sent,
}

/// What is under way.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) due: Instant,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Syn,
    SynAck,
    Data(Bytes),
    Fin,
    Reset,
}

impl Flow {
    fn new(retry: Duration) -> Self {
        Self {
            unsent: BytesMut::new(),
            fin: Fin::None,
            wire: VecDeque::new(),
            in_flight: 0,
            is_scheduled: false,
            retry,
            stalled: None,
            blocked: None,
        }
    }

    /// Forgets all that was to be sent.
    pub(super) fn clear(&mut self) {
        *self = Self { is_scheduled: self.is_scheduled, ..Self::new(FIRST_RETRY) };
    }

    fn is_over(&self) -> bool {
        self.wire.is_empty() && self.unsent.is_empty()
    }
}

impl Connection {
    /// A connection that is about to be made. `retry` is the first pause before what was lost is
    /// sent again.
    pub(super) fn new(hosts: [usize; 2], addresses: [SocketAddr; 2], retry: Duration) -> Self {
        let held = End { is_held: true, ..End::default() };
        let flows = [Flow::new(retry), Flow::new(retry)];
        Self { hosts, addresses, ends: [held, End::default()], flows }
    }

    /// Whether nobody knows of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| !end.is_held) && self.flows.iter().all(Flow::is_over)
    }

    /// How many more bytes the end `from` may send.
    pub(super) fn window(&self, from: usize) -> usize {
        let waiting = self.ends[1 - from].received.len() + self.flows[from].in_flight;
        WINDOW.saturating_sub(waiting)
    }
}
