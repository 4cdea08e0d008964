//! TCP portals: an inlet accepts clients, an outlet connects to the target, and each connection is a stream between them.
//!
//! What one tunnelled TCP connection says, may say, and does next is a pure core:
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
//! None of these reads a socket, a clock or a random number. The actors around them do:
//!
//! * [`inlet`]: accepts clients and starts a stream for each.
//! * [`outlet`]: starts the other end of a stream for each `Open`.
//! * `worker`: the actor of one end; `io`: its socket; `target`: the outlet's way to its target; `answer_time`: how long
//!   its answer is waited for.
//! * [`pool`]: what all streams of a node may hold.

pub mod action;
mod answer_time;
pub mod credit;
pub mod inlet;
mod io;
pub mod message;
pub mod offset;
pub mod outlet;
pub mod pool;
pub mod reason;
mod round_trip;
pub mod stream;
mod target;
mod unsent;
pub mod violation;
mod waiting;
mod worker;

pub use inlet::Inlet;
pub use outlet::Outlet;
