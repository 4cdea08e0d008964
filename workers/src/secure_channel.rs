//! Secure channels: end-to-end encrypted and mutually authenticated, over any number of hops.
//!
//! ```text
//!                  opening node                                accepting node
//!
//! inlet ---> ChannelActor (encryptor) -- records --> hops --> Decryptor ---------------> outlet
//! inlet <--- Decryptor <------------- hops <-- records ------ AcceptedEnd (encryptor) <-- outlet
//! ```
//!
//! A route that begins with a channel's address leads through the channel. The encryptor (the
//! [channel's actor](channel_actor) at the end that opened it, the [accepted end](accepted_end) at
//! the other) seals the message together with the rest of its routes and sends the record along the
//! route to the peer's [decryptor]. The decryptor opens the record, prepends the channel to the
//! message's return route and routes the message on. The hops between see only records. While a
//! session is open, a message does not wait for the encryptor's turn: whoever delivers it
//! [seals](sealing) it.
//!
//! # Supervision
//!
//! ```text
//! ChannelActor         one for each channel that a program opened; retries until closed
//! |- Decryptor         one for each attempt; ends with the attempt or its session
//! `- Waiting           the address of the session that the attempt begins; ends with it
//! listener             one for each name; not an actor
//! `- Decryptor         one for each message 1; ends with the handshake or the session
//!    `- AcceptedEnd    one for each session
//! ```
//!
//! The encryptor and the decryptor of a session live on one arbiter, that of the underlying
//! connection, and each ends with the other ([`lifeline`]).
//!
//! # Files
//!
//! | idea | module |
//! |---|---|
//! | encodings before there are keys, and in a record | [`packet`], [`plaintext`] |
//! | one end of a handshake, and why it failed | [`exchange`], [`failure`] |
//! | sealing and opening messages in place | [`outbound`], [`inbound`] |
//! | sealing at the moment of delivery | [`sealing`] |
//! | the actors | [`channel_actor`], [`accepted_end`], [`decryptor`], [`listener`] |
//! | what an established session needs | [`session`], [`lifeline`], [`event`] |
//! | where a session's messages are answered | [`session_address`] |
//! | which peer a channel keeps to | [`first_peer`], [`options`] |
//! | when keys are due, and when they have expired | [`key_age`] |
//! | which sessions are open, and end when trust does | [`open_sessions`] |
//! | who may begin a handshake | [`admission`], [`limits`] |
//! | listeners that are reached through hubs, and what that takes | [`relayed`] |
//! | the channels that a node has opened | [`opened`] |
//! | a program's handle, and what it learns | [`handle`], [`outcome`] |

mod accepted_end;
mod admission;
mod channel_actor;
#[cfg_attr(not(internals), doc(hidden))]
pub mod cookie;
mod decryptor;
mod event;
mod exchange;
mod failure;
mod first_peer;
#[cfg(test)]
mod fixtures;
mod handle;
#[cfg_attr(not(internals), doc(hidden))]
pub mod handshake;
mod inbound;
mod key_age;
mod lifeline;
mod limits;
mod listener;
mod open_sessions;
mod opened;
mod options;
mod outbound;
mod outcome;
#[cfg_attr(not(internals), doc(hidden))]
pub mod packet;
#[cfg_attr(not(internals), doc(hidden))]
pub mod plaintext;
#[cfg_attr(not(internals), doc(hidden))]
pub mod record;
mod relayed;
mod sealing;
mod session;
mod session_address;

pub use handle::SecureChannel;
pub use limits::Limits;
pub use listener::{ChannelListeners, SecureChannelListener};
pub use opened::OpenedChannels;
pub use options::{SecureChannelListenerOptions, SecureChannelOptions};
pub use outbound::CHANNEL_OVERHEAD;
#[cfg_attr(not(internals), doc(hidden))]
pub use relayed::{RelayedBy, RelayedListeners};

pub(crate) use exchange::Credentials;
pub(crate) use first_peer::FirstPeer;
pub(crate) use handle::{open, ChannelFailure};
pub(crate) use listener::listen;
pub(crate) use open_sessions::OpenSessions;
