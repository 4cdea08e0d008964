//! One end of a stream, with a peer, a socket and paths that do anything in any order.

use std::time::Duration;

use arbitrary::Arbitrary;
use ockam_actix_workers::portal::protocol::{
    action::Action,
    message::{decode, Control, Decoded},
    offset::{Limit, Offset},
    reason::{ResetReason, StreamRefusal},
    resumption::{OutletLife, StreamSecret},
    stream::Stream,
};

use crate::structured;

/// Which end it is, and whether it is to outlive its path.
#[derive(Arbitrary, Debug)]
enum Begun {
    Inlet { secret: Option<[u8; 16]>, known: u8 },
    Outlet { peer_limit: u64, life: u8 },
}

#[derive(Arbitrary, Debug)]
enum Event {
    Message(Vec<u8>),
    Peer(Peer),
    Connected,
    Refused(u16),
    Read(u16),
    EndOfFile,
    Wrote(u16),
    SocketReset,
    Stop(u16),
    Silence,
    Suspend,
    GiveUp,
    Resume,
    ResumedBy { attempt: u8, received: u32, limit: u32 },
    Resent(u16),
    Acknowledge,
    TakeAck,
    RetainCap(u32),
}

/// A message that is more often in its place than random bytes are.
#[derive(Arbitrary, Debug)]
enum Peer {
    Opened { limit: u32, life: u8 },
    NextData(u16),
    NextFin,
    Window(u32),
    Ack(u32),
    Resumed { received: u32, limit: u32 },
    Unknown(u8),
}

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

fn check_one((begun, events): (Begun, Vec<Event>)) {
    let Some(stream) = begin(&begun) else { return };
    let mut end = End { stream, sent: 0, received: 0, retain_cap: u64::MAX };
    let mut finished = false;
    for event in events {
        end.apply(event);
        // An event asks for a handful of actions, and nothing follows the last one.
        for count in 0.. {
            assert!(count < 16, "actions without end");
            let was_suspended = end.stream.is_suspended();
            let Some(action) = end.stream.poll_action() else { break };
            assert!(!finished, "{action:?} after the end");
            finished = matches!(action, Action::Finished(_));
            if let Action::Send(control) = action {
                let is_farewell = matches!(control, Control::Reset { .. } | Control::Ack { .. });
                assert!(!was_suspended || (is_farewell && end.stream.end().is_some()));
            }
        }
        let waits = end.stream.is_suspended() && end.stream.end().is_some();
        assert_eq!(finished || waits, end.stream.end().is_some());
        end.check();
    }
}

fn begin(begun: &Begun) -> Option<Stream> {
    match begun {
        Begun::Inlet { secret, known } => {
            let stream = Stream::inlet(1 << 20);
            Some(match secret {
                Some(secret) => {
                    let secret = StreamSecret::from_bytes(*secret);
                    stream.resumable_by(secret, OutletLife::new((*known).into()))
                }
                None => stream,
            })
        }
        Begun::Outlet { peer_limit, life } => {
            let stream = Stream::outlet(Limit::new(*peer_limit), 1 << 20).ok()?;
            Some(match OutletLife::new((*life).into()) {
                Some(life) => stream.kept_by(life),
                None => stream,
            })
        }
    }
}

struct End {
    stream: Stream,
    sent: u64,
    received: u64,
    retain_cap: u64,
}

impl End {
    fn check(&self) {
        let stream = &self.stream;
        assert!(stream.buffered() <= 1 << 20);
        assert!(stream.acknowledged().value() <= self.sent);
        assert!(stream.next_offset().value() <= self.sent);
        if stream.resendable() > 0 {
            assert!(stream.acknowledged() <= stream.next_offset());
        }
        assert!(stream.readable() == 0 || stream.resendable() == 0);
        if stream.is_suspended() {
            assert!(stream.readable() + stream.resendable() == 0 && !stream.owes_ack());
        }
    }

    fn apply(&mut self, event: Event) {
        let stream = &mut self.stream;
        match event {
            Event::Message(bytes) => match decode(&bytes) {
                Ok((message, _)) => self.handle(message, bytes.len()),
                Err(_) => stream.handle_garbage(),
            },
            Event::Peer(peer) => self.handle_peer(&peer),
            Event::Connected => stream.connected(),
            Event::Refused(code) => stream.refuse(StreamRefusal::from_code(code)),
            Event::Read(bytes) => self.read(bytes.into()),
            Event::EndOfFile => stream.socket_eof(),
            Event::Wrote(bytes) => {
                let _ = stream.socket_wrote(bytes.into(), Duration::ZERO, Duration::from_millis(1));
            }
            Event::SocketReset => stream.socket_reset(),
            Event::Stop(code) => stream.stop(ResetReason::from_code(code)),
            Event::Silence => stream.handle_silence(),
            Event::Suspend => {
                let resumable = stream.is_resumable();
                assert_eq!(stream.suspend(), resumable);
            }
            Event::GiveUp => stream.give_up(),
            Event::Resume => {
                let _ = stream.resume();
            }
            Event::ResumedBy { attempt, received, limit } => {
                let (received, limit) = (Offset::new(received.into()), Limit::new(limit.into()));
                let _ = stream.resumed_by(attempt.into(), received, limit);
            }
            Event::Resent(bytes) => {
                let (resendable, resent) = (stream.resendable(), usize::from(bytes));
                assert_eq!(stream.resent(resent).is_ok(), resent <= resendable);
            }
            Event::Acknowledge => stream.acknowledge(),
            Event::TakeAck => {
                let owed = stream.owes_ack();
                assert_eq!(stream.take_ack().is_some(), owed);
                assert!(!stream.owes_ack());
            }
            Event::RetainCap(cap) => {
                self.retain_cap = cap.into();
                stream.set_retain_cap(cap.into());
            }
        }
    }

    fn read(&mut self, read: usize) {
        let (readable, offset) = (self.stream.readable(), self.stream.next_offset());
        let result = self.stream.socket_read(read);
        assert_eq!(result.is_ok(), read <= readable);
        if result.is_ok() && read > 0 {
            assert_eq!((result, offset.value()), (Ok(offset), self.sent));
            self.sent += read as u64;
            let retained = self.sent - self.stream.acknowledged().value();
            assert!(retained <= self.retain_cap, "{retained} bytes are kept");
        }
    }

    fn handle_peer(&mut self, peer: &Peer) {
        let (next, life) = (Offset::new(self.received), |life: u8| OutletLife::new(life.into()));
        let control = match *peer {
            Peer::NextData(len) => {
                let len = usize::from(len).max(1);
                return self.handle(Decoded::Data { offset: next, range: 0..len }, len);
            }
            Peer::Opened { limit, life: number } => {
                Control::Opened { limit: Limit::new(limit.into()), life: life(number) }
            }
            Peer::NextFin => Control::Fin { offset: next },
            Peer::Window(limit) => Control::Window { limit: Limit::new(limit.into()) },
            Peer::Ack(received) => Control::Ack { received: Offset::new(received.into()) },
            Peer::Resumed { received, limit } => Control::Resumed {
                received: Offset::new(received.into()),
                limit: Limit::new(limit.into()),
            },
            Peer::Unknown(number) => Control::Unknown { life: life(number) },
        };
        self.handle(Decoded::Control(control), 0);
    }

    fn handle(&mut self, message: Decoded<'_>, len: usize) {
        if let Ok(Some(range)) = self.stream.handle_message(message) {
            assert!(range.end <= len);
            self.received += range.len() as u64;
        }
    }
}
