//! Invitations: how the owner of an outlet has one more identity trusted without learning it first.
//!
//! | idea | module |
//! |---|---|
//! | the string that is carried to the other machine | [`text`] |
//! | why it is refused there | [`refusal`] |
//! | which invitations there are, and who has taken them | [`ledger`] |
//! | the file that keeps that, the thread that follows it, and who is let in | [`mod@file`] |
//!
//! ```text
//! ockam invite            TRUSTFILE.invitations         outlet                        ockam join
//!   writes "open"  ------>  open
//!                           open  ------------------->  knows the secret
//!                                                       <-- handshake, keyed with the secret --
//!                           claimed by I...  <--------  refuses it for now
//!                                                       writes I... to TRUSTFILE
//!                           admitted I...    <--------
//!                                                       <-- another handshake: trusted --------
//! ```
//!
//! There is no message for it: the secret of the invitation is the pre-shared key of an ordinary
//! handshake, as that of a [forwarding address](crate::forwarder::address) is, and both ends prove
//! their identities in it. So the hub, and any eavesdropper, see nothing of it and can use nothing
//! that they see; and the identity that the outlet writes down is that of a peer with both the
//! secret and the identity's key. No identity has a channel before it is in the trust file on disk.
//!
//! A claim is written before the identity is trusted. Whatever ends the outlet in between, the same
//! identity can come again, and no other can.

pub mod file;
pub mod ledger;
pub mod refusal;
pub mod text;

use std::time::Duration;

pub use file::{InvitationError, InvitationFile, Invitations};
pub use ledger::InvitingOutlet;
pub use refusal::InvitationRefusal;
pub use text::{Clients, Invitation, InvitationTextError, Place};

/// The listener of an outlet that is connected to without a hub, by convention.
pub const DIRECT_LISTENER: &str = "secure_channel_listener_service";

/// Invitations of one trust file that may be open at a time. Each costs a hash for every handshake
/// that shows a secret.
pub const MAX_INVITATIONS: usize = 64;

/// Outlets that a ledger remembers, the latest: more than have one trust file.
pub const MAX_OUTLETS: usize = 64;

/// How long an invitation may be good: somebody who is on holiday finds it in time, and one that
/// was forgotten in a mailbox is useless.
pub const LONGEST_VALIDITY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
