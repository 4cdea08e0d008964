//! A pair of streams with an application at each end and an in-order link between, all moved by
//! hand.

use std::{collections::VecDeque, time::Duration};

use crate::portal::protocol::{
    action::{Action, End},
    message::{data_header, decode, Control, Decoded},
    reason::StreamRefusal,
    stream::Stream,
};

pub(super) const INLET: usize = 0;
pub(super) const OUTLET: usize = 1;

/// How an application saw its connection end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    Eof,
    Reset,
}

/// The application, its socket and the stream of one end.
pub(super) struct Side {
    pub(super) stream: Option<Stream>,
    /// What the application sends, and how much of it was read.
    pub(super) to_send: Vec<u8>,
    pub(super) sent: usize,
    pub(super) sent_eof: bool,
    queue: VecDeque<u8>,
    pub(super) got: Vec<u8>,
    pub(super) seen: Seen,
    /// Whether the application itself reset the connection.
    pub(super) gone: bool,
    pub(super) end: Option<End>,
    connected: bool,
    cap: u64,
}

impl Side {
    fn new(stream: Option<Stream>, to_send: Vec<u8>, cap: u64) -> Self {
        Self {
            connected: stream.is_some(),
            stream,
            to_send,
            sent: 0,
            sent_eof: false,
            queue: VecDeque::new(),
            got: Vec::new(),
            seen: Seen::Nothing,
            gone: false,
            end: None,
            cap,
        }
    }
}

/// Both sides and what is in flight between them.
pub(super) struct Pair {
    pub(super) sides: [Side; 2],
    /// Messages in flight to each side; `None` once the link is lost.
    pub(super) link: Option<[VecDeque<Vec<u8>>; 2]>,
    pub(super) now: Duration,
}

impl Pair {
    pub(super) fn new(to_send: [Vec<u8>; 2], caps: [u64; 2]) -> Self {
        let [first, second] = to_send;
        let inlet = Side::new(Some(Stream::inlet(caps[INLET])), first, caps[INLET]);
        let outlet = Side::new(None, second, caps[OUTLET]);
        let mut pair =
            Self { sides: [inlet, outlet], link: Some(Default::default()), now: Duration::ZERO };
        pair.act(INLET);
        pair
    }

    /// A pair whose target is connected and whose inlet knows.
    pub(super) fn open(to_send: [Vec<u8>; 2], caps: [u64; 2]) -> Self {
        let mut pair = Self::new(to_send, caps);
        pair.carry(OUTLET);
        pair.connect();
        pair.carry(INLET);
        pair
    }

    fn transmit(&mut self, from: usize, message: Vec<u8>) {
        if let Some(link) = &mut self.link {
            link[1 - from].push_back(message);
        }
    }

    /// Does all that a side asks for, and checks what must always hold.
    pub(super) fn act(&mut self, at: usize) {
        loop {
            let side = &mut self.sides[at];
            let Some(stream) = &mut side.stream else {
                return;
            };
            let Some(action) = stream.poll_action() else {
                break;
            };
            assert_eq!(side.end, None, "{action:?} after the end");
            match action {
                Action::Send(message) => self.transmit(at, message.encode()),
                Action::ShutdownWrite => {
                    assert!(
                        side.connected && side.queue.is_empty() && !side.gone,
                        "a shutdown before the last byte"
                    );
                    side.seen = Seen::Eof;
                }
                Action::ResetSocket => {
                    side.queue.clear();
                    side.seen = Seen::Reset;
                }
                Action::Finished(end) => side.end = Some(end),
            }
        }
        let side = &self.sides[at];
        let buffered = side.stream.as_ref().map_or(0, Stream::buffered);
        assert_eq!(buffered, side.queue.len() as u64);
        assert!(buffered <= side.cap, "{buffered} bytes wait");
    }

    /// Brings the next message to a side.
    pub(super) fn carry(&mut self, to: usize) -> bool {
        let Some(message) = self.link.as_mut().and_then(|link| link[to].pop_front()) else {
            return false;
        };
        let side = &mut self.sides[to];
        match (&mut side.stream, decode(&message).unwrap().0) {
            (Some(stream), decoded) => {
                if let Some(range) = stream.handle_message(decoded).unwrap() {
                    assert_eq!(side.seen, Seen::Nothing, "bytes after the end");
                    side.queue.extend(&message[range]);
                }
            }
            (none, Decoded::Control(Control::Open { limit, .. })) => {
                *none = Some(Stream::outlet(limit, side.cap).unwrap());
            }
            (None, other) => panic!("{other:?} before Open"),
        }
        self.act(to);
        true
    }

    pub(super) fn connect(&mut self) {
        let side = &mut self.sides[OUTLET];
        if let Some(stream) = side.stream.as_mut().filter(|stream| stream.end().is_none()) {
            side.connected = true;
            stream.connected();
            self.act(OUTLET);
        }
    }

    pub(super) fn refuse(&mut self, reason: StreamRefusal) {
        self.with_stream(OUTLET, |stream| stream.refuse(reason));
    }

    /// The side reads up to `most` bytes from its application and sends them.
    pub(super) fn read(&mut self, at: usize, most: usize) -> bool {
        let side = &mut self.sides[at];
        let reads = side.connected && !side.gone && !side.sent_eof;
        let Some(stream) = side.stream.as_mut().filter(|_| reads) else {
            return false;
        };
        let n = most.min(stream.readable()).min(side.to_send.len() - side.sent);
        if n == 0 {
            return false;
        }
        assert_eq!(stream.next_offset().value(), side.sent as u64);
        let offset = stream.socket_read(n).unwrap();
        let bytes = &side.to_send[side.sent..side.sent + n];
        let message = [&data_header(offset, n as u32)[..], bytes].concat();
        side.sent += n;
        self.transmit(at, message);
        self.act(at);
        true
    }

    /// The application at a side takes up to `most` bytes.
    pub(super) fn write(&mut self, at: usize, most: usize, rtt: Duration) -> bool {
        let side = &mut self.sides[at];
        let n = most.min(side.queue.len());
        let writes = side.connected && !side.gone && n > 0;
        let Some(stream) = side.stream.as_mut().filter(|_| writes) else {
            return false;
        };
        assert_eq!(side.seen, Seen::Nothing, "bytes after the end");
        side.got.extend(side.queue.drain(..n));
        stream.socket_wrote(n, self.now, rtt).unwrap();
        self.act(at);
        true
    }

    /// The application at a side, all of whose bytes were read, ends its direction.
    pub(super) fn eof(&mut self, at: usize) -> bool {
        let side = &mut self.sides[at];
        let all = side.sent == side.to_send.len() && side.connected;
        let may = all && !side.sent_eof && !side.gone;
        let open = |stream: &&mut Stream| may && stream.end().is_none();
        let Some(stream) = side.stream.as_mut().filter(open) else {
            return false;
        };
        side.sent_eof = true;
        stream.socket_eof();
        self.act(at);
        true
    }

    /// The application at a side resets its connection.
    pub(super) fn reset(&mut self, at: usize) {
        let side = &mut self.sides[at];
        if let Some(stream) = side.stream.as_mut().filter(|_| side.connected) {
            side.gone = true;
            side.queue.clear();
            stream.socket_reset();
            self.act(at);
        }
    }

    pub(super) fn with_stream(&mut self, at: usize, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = &mut self.sides[at].stream {
            change(stream);
            self.act(at);
        }
    }

    /// Both ends learn, one after the other, that nothing passes any more.
    pub(super) fn lose_link(&mut self) {
        self.link = None;
        self.with_stream(INLET, Stream::give_up);
        self.with_stream(OUTLET, Stream::give_up);
    }
}
