//! One end of a stream, with a peer and a socket that do anything in any order.

use std::time::Duration;

use arbitrary::Arbitrary;
use ockam_actix_workers::portal::protocol::{
    action::Action,
    message::decode,
    offset::Limit,
    reason::{ResetReason, StreamRefusal},
    stream::Stream,
};

use crate::structured;

#[derive(Arbitrary, Debug)]
enum Event {
    Message(Vec<u8>),
    Connected,
    Refused(u16),
    Read(u16),
    EndOfFile,
    Wrote(u16),
    SocketReset,
    FirstHopLost,
    Stop(u16),
}

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

fn check_one(input: (Option<u64>, Vec<Event>)) {
    let (peer_limit, events) = input;
    let stream = match peer_limit {
        None => Ok(Stream::inlet(1 << 20)),
        Some(limit) => Stream::outlet(Limit::new(limit), 1 << 20),
    };
    let Ok(mut stream) = stream else { return };
    let mut finished = false;
    for event in events {
        apply(&mut stream, event);
        // An event asks for a handful of actions, and nothing follows the last one.
        for count in 0.. {
            assert!(count < 16, "actions without end");
            let Some(action) = stream.poll_action() else { break };
            assert!(!finished, "{action:?} after the end");
            finished = matches!(action, Action::Finished(_));
        }
        assert_eq!(finished, stream.end().is_some());
    }
}

fn apply(stream: &mut Stream, event: Event) {
    match event {
        Event::Message(bytes) => match decode(&bytes) {
            Ok((message, _)) => {
                if let Ok(Some(range)) = stream.handle_message(message) {
                    assert!(range.end <= bytes.len());
                }
            }
            Err(_) => stream.handle_garbage(),
        },
        Event::Connected => stream.connected(),
        Event::Refused(code) => stream.refuse(StreamRefusal::from_code(code)),
        Event::Read(bytes) => {
            let (readable, read) = (stream.readable(), usize::from(bytes));
            assert_eq!(stream.socket_read(read).is_ok(), read <= readable);
        }
        Event::EndOfFile => stream.socket_eof(),
        Event::Wrote(bytes) => {
            let _ = stream.socket_wrote(bytes.into(), Duration::ZERO, Duration::from_millis(1));
        }
        Event::SocketReset => stream.socket_reset(),
        Event::FirstHopLost => stream.give_up(),
        Event::Stop(code) => stream.stop(ResetReason::from_code(code)),
    }
}
