//! Exchanges between a client and the target: how many bytes in each direction, who ends the
//! stream, and how.
//!
//! Each end carries out its part of an exchange ([`crate::client`], [`crate::target`]) and reports
//! what it saw of the other one.

use ockam_actix_harness::{
    pattern::Pattern,
    transfer::{is_reset, receive_all, send},
};
use std::{
    io::{self, ErrorKind},
    net::{Shutdown, TcpStream},
    thread,
};

/// Bytes of a request.
pub(crate) const REQUEST: usize = 25;

/// The order in which the two directions of a stream end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The client sends all and closes its direction; then the target sends all and closes.
    ClientFirst,
    /// The target sends all and closes its direction; then the client sends all and closes.
    TargetFirst,
    /// Both send at the same time, and each closes its direction after its last byte.
    Both,
    /// When each has the other's bytes, the client resets the stream.
    ClientResets,
    /// When each has the other's bytes, the target resets the stream.
    TargetResets,
    /// The target sends all; then the stream stays open until somebody else ends it.
    Hold,
    /// No bytes at all, not even this request: the client closes its direction, and the target
    /// answers with the end.
    Empty,
}

/// All but [`Order::Hold`], which neither of the two ends.
pub(crate) const ENDING: [Order; 6] = [
    Order::ClientFirst,
    Order::TargetFirst,
    Order::Both,
    Order::ClientResets,
    Order::TargetResets,
    Order::Empty,
];

/// One exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Who ends it.
    pub(crate) order: Order,
    /// The stream's number, which no other one has.
    pub(crate) stream: u64,
    /// Bytes from the client.
    pub(crate) up: u64,
    /// Bytes from the target.
    pub(crate) down: u64,
}

impl Request {
    /// The request as it is sent.
    pub(crate) fn to_bytes(self) -> [u8; REQUEST] {
        let mut bytes = [0; REQUEST];
        bytes[0] = self.order as u8;
        for (field, number) in bytes[1..].chunks_mut(8).zip([self.stream, self.up, self.down]) {
            field.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// The request as it was received; `None` if the first byte is no order.
    pub(crate) fn from_bytes(bytes: &[u8; REQUEST]) -> Option<Self> {
        let orders = ENDING.into_iter().chain([Order::Hold]);
        let order = orders.into_iter().find(|order| *order as u8 == bytes[0])?;
        let mut numbers = bytes[1..].chunks(8).map(|field| {
            field.iter().fold(0, |number: u64, byte| (number << 8) | u64::from(*byte))
        });
        Some(Self { order, stream: numbers.next()?, up: numbers.next()?, down: numbers.next()? })
    }

    /// What the client sends.
    pub(crate) fn upward(&self) -> Pattern {
        Pattern::new(2 * self.stream)
    }

    /// What the target sends.
    pub(crate) fn downward(&self) -> Pattern {
        Pattern::new(2 * self.stream + 1)
    }
}

/// How a stream ended, as one end of it saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A clean one.
    Fin,
    /// A reset.
    Reset,
    /// This end reset it itself.
    Own,
    /// A byte was wrong.
    Wrong,
    /// Not yet.
    Open,
    /// This end has never heard of it.
    Unknown,
}

/// What one end received, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Bytes of the pattern; all of them right, from its beginning.
    pub(crate) received: u64,
    /// The end of the stream.
    pub(crate) end: End,
}

/// Sends in one thread and closes that direction, while it reads until the end in another.
///
/// The system reports a reset to only one of the two, and an end of the stream to the other one. So
/// either counts.
pub(crate) fn send_and_receive(
    stream: &TcpStream,
    (out, outward): (u64, Pattern),
    (count, pattern): (u64, Pattern),
    received: &mut u64,
) -> io::Result<()> {
    let (sent, got) = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            send(stream, out, &outward)?;
            stream.shutdown(Shutdown::Write)
        });
        let got = receive_all(stream, count, &pattern, received);
        (sender.join().expect("sending does not panic"), got)
    });
    match (sent, got) {
        (Err(error), Err(end)) if is_reset(&error) && end.kind() == ErrorKind::UnexpectedEof => {
            Err(error)
        }
        (sent, got) => got.and(sent),
    }
}
