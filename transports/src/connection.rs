//! Connections between nodes, whatever carries their bytes.
//!
//! | idea | module |
//! |---|---|
//! | what a connection needs from a socket | [`carrier`] |
//! | greeting, reading, writing: what runs on a connected carrier | `session`, `queue` |
//! | messages beside the frames, which may be lost | `datagrams` |
//! | whether the peer is alive | `pulse` |
//! | whether the peer of a node that stops moves to another one | `evacuation` |
//! | which frame is written next: lanes with credit take turns | `send_lanes` |
//! | an accepted connection, which ends with its carrier | `accepted` |
//! | a dialled connection, which stands for a peer and reconnects after a loss | [`dialled`] |
//! | how each transport of a node connects | [`connectors`] |
//! | listening, whatever is listened on | [`listener`] |
//! | how many connections a listener lets in, and from whom | `connection_limits` |
//!
//! A transport brings a [`Carrier`](carrier::Carrier), a [`Connector`](connectors::Connector) that
//! makes one for a peer, and a [`Binding`](listener::Binding) that accepts them;
//! [`tcp`](crate::tcp) shows how.

pub mod accepted;
pub mod carrier;
pub mod connection_limits;
pub mod connectors;
mod datagrams;
pub mod dialled;
mod evacuation;
pub mod listener;
mod pulse;
mod queue;
mod send_lanes;
mod session;
