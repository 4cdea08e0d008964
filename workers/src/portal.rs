//! The pure core of TCP portals: what one tunnelled TCP connection says, may say, and does next.
//!
//! ```text
//! socket bytes -> Stream::socket_read -> data_header + bytes -> route -> decode -> Stream::handle_message -> socket bytes
//!                       ^                                                               |
//!                  SendWindow  <----------------- Window{limit} <------------------ ReceiveWindow
//! ```
//!
//! * [`offset`]: [`Offset`](offset::Offset) and [`Limit`](offset::Limit), positions in one direction of a stream.
//! * [`reason`]: why a stream was refused or reset, as codes that survive versions.
//! * [`message`]: the seven messages and their MessagePack form.
//! * [`credit`]: how much may be sent ([`SendWindow`](credit::SendWindow)) and is let in ([`ReceiveWindow`](credit::ReceiveWindow)).
//! * [`violation`]: what a peer, or the caller, did wrong.
//! * [`stream`]: the states of one end ([`Stream`](stream::Stream)) and, in [`action`], the [`Action`](action::Action)s they ask for.
//!
//! Nothing here reads a socket, a clock or a random number. An actor owns the socket, the queue of bytes that wait for it, and the timers.

pub mod action;
pub mod credit;
pub mod message;
pub mod offset;
pub mod reason;
pub mod stream;
pub mod violation;
