//! A panic in each kind of actor: the node lives on, whatever depends on the actor gets a notice or
//! finds another one instead, and no address is left.
//!
//! | kind of actor | file |
//! |---|---|
//! | TCP listener, accepted and dialled connections | `connections` |
//! | inlet, streams at both ends, outlet | `portals` |
//! | initiator, encryptor, decryptors of both ends, channel listener | `channels` |
//! | forwarding service, forwarder, remote forwarder | `forwarders` |
//! | users' workers, echoer, relay, router | `workers` |

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

mod channels;
mod connections;
mod forwarders;
mod nodes;
mod portals;
mod workers;
