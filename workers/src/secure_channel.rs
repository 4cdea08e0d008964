//! Secure channels: end-to-end encrypted and mutually authenticated, over any number of hops.
//!
//! ```text
//!            initiating node                                                   responding node
//!
//! inlet ---> Initiator (encryptor) -- records --> hops ----------------------> Decryptor ---> outlet
//! inlet <--- Decryptor <------------------------- hops <-- records -- Encryptor <------------ outlet
//! ```
//!
//! A route that begins with a channel's address leads through it: the [encryptor](initiator) seals the message with what is left of its routes
//! and sends the record along the route to the peer's [decryptor], which opens it, puts the channel before its return
//! route and routes it on. What is between them sees records. While a session is open, a message does not wait for the encryptor's turn:
//! whoever delivers it [seals](sealing) it.
//!
//! # Supervision
//!
//! ```text
//! Initiator            one for each channel that a program opened; attempts until closed
//! `- Decryptor         one for each attempt; ends with the attempt or its session
//! listener (a sink)    one for each name
//! `- Decryptor         one for each message 1; ends with the handshake or the session
//!    `- Encryptor      one for each session
//! ```
//!
//! Encryptor and decryptor of a session live on one arbiter, that of the connection below, and each ends with the other
//! ([`lifeline`]).
//!
//! # Files
//!
//! | idea | module |
//! |---|---|
//! | bytes before there are keys, and in a record | [`packet`], [`plaintext`] |
//! | one end of a handshake | [`exchange`] |
//! | sealing and opening messages in place | [`outbound`], [`inbound`] |
//! | sealing as soon as a message is there | [`sealing`] |
//! | the actors | [`initiator`], [`decryptor`], [`encryptor`], [`listener`] |
//! | what an established session needs | [`session`], [`liveness`], [`lifeline`], [`event`] |
//! | who may begin | [`admission`], [`limits`] |
//! | the channels that a node has opened | [`opened`] |
//! | what a program holds | [`handle`] |

mod admission;
pub mod cookie;
mod decryptor;
mod encryptor;
mod event;
mod exchange;
#[cfg(test)]
mod fixtures;
mod handle;
pub mod handshake;
mod inbound;
mod initiator;
mod lifeline;
mod limits;
mod listener;
mod liveness;
mod opened;
mod outbound;
pub mod packet;
pub mod plaintext;
pub mod record;
mod sealing;
mod session;

pub use handle::SecureChannel;
pub use limits::Limits;
pub use listener::ChannelListeners;
pub use opened::OpenedChannels;
pub use outbound::CHANNEL_OVERHEAD;

pub(crate) use exchange::Credentials;
pub(crate) use initiator::open;
pub(crate) use listener::listen;
