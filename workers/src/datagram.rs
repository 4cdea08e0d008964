//! UDP portals: an inlet takes datagrams of clients, and an outlet sends them to the target. The
//! datagrams of one client, and their answers, are a *flow*.
//!
//! ```text
//! client ── UDP ── inlet ── message ── route ── outlet ── UDP ── target
//!                  flow by client               flow by inlet's flow
//!                  and its address              and its socket
//! ```
//!
//! A datagram is one message, and it behaves as on any other network: it arrives once or not at
//! all, and nobody waits for it. Its message is [expendable], so that it leaves as a datagram of
//! the connection too, over QUIC and as far as it fits; over other connections it is carried in
//! order. Where there is no room for it, it is dropped and counted.
//!
//! [expendable]: ockam_actix_runtime::MessageParts::expendable
//!
//! * A flow begins with its first datagram and ends when nothing has passed for a while. When
//!   there are too many, the one that was used least recently ends.
//! * All flows of an inlet, or of an outlet towards one peer, share the room on the first edge.
//!   Each may have no more under way than is left free, so a flood takes half of it, and a client
//!   that comes later finds room.
//! * A lost path ends no flow. Datagrams are lost meanwhile; the next one that arrives at the
//!   outlet says where answers go from then on.
//! * An answer is accepted only from where the inlet's route leads to, and each flow has a random
//!   address of its own.
//!
//! | idea | module |
//! |---|---|
//! | accepts datagrams of clients | [`inlet`] |
//! | sends them to a target, and its answers back | [`outlet`] |
//! | which flows there are, and which of them ends next | [`flow_table`] |
//! | the message that carries a datagram | [`message`] |
//! | flows of a portal, within the limits of the node | `flows` |
//! | room for a datagram on the first edge | `sending` |
//! | the socket of an inlet, which may have several addresses | `inlet_socket` |
//! | reading what a socket has | `socket` |
//! | why datagrams are lost, and how often | `loss` |
//! | every limit, with its unit and reason | [`limits`] |

#[cfg_attr(not(internals), doc(hidden))]
pub mod flow_table;
mod flows;
pub mod inlet;
mod inlet_socket;
pub mod limits;
mod loss;
#[cfg_attr(not(internals), doc(hidden))]
pub mod message;
pub mod outlet;
mod sending;
mod socket;

pub use inlet::{UdpInlet, UdpInletOptions};
pub use outlet::{UdpOutlet, UdpOutletOptions};
