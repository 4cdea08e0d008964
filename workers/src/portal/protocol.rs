//! The protocol of a stream: what its two ends say to each other, and what each end does next;
//! pure, without socket, clock or randomness.
//!
//! * [`offset`]: [`Offset`](offset::Offset) and [`Limit`](offset::Limit), positions in one
//!   direction of a stream.
//! * [`reason`]: why a stream was refused or reset, as codes that survive versions.
//! * [`message`]: the eleven messages and their MessagePack form.
//! * [`introduction`]: what an inlet tells of a client.
//! * [`resumption`]: what a stream that outlives its path is known by.
//! * [`credit`]: how much may be sent ([`SendWindow`](credit::SendWindow)) and received
//!   ([`ReceiveWindow`](credit::ReceiveWindow)).
//! * [`violation`]: what a peer, or the caller, did wrong.
//! * [`stream`]: the states of one end ([`Stream`](stream::Stream)) and, in [`action`], the
//!   [`Action`](action::Action)s they ask for.
//! * [`strays`]: what an outlet remembers of streams that it does not know.
//! * `round_trip`: how long a message takes to the other end and back.

pub mod action;
pub mod credit;
pub mod introduction;
pub mod message;
pub mod offset;
pub mod reason;
pub mod resumption;
pub(crate) mod round_trip;
pub mod strays;
pub mod stream;
pub mod violation;
