//! The handle of a secure channel that a program opened.

use std::{fmt, sync::Arc, time::Duration};

use ockam_actix_runtime::{
    watched, worker::supervision::Restarting, Address, Error, Identifier, Node, Result, Route,
};

use crate::{
    identity::policy::TrustPolicy,
    invitation::InvitationRefusal,
    secure_channel::{
        channel_actor::{ChannelActor, ChannelSpec, Close},
        event::send_control,
        exchange::Credentials,
        first_peer::FirstPeer,
        limits::Limits,
        opened::Opened,
        outcome::Outcome,
    },
};

/// A secure channel: put it into a `route!` before the addresses at its other end.
///
/// It establishes itself, and does so again whenever it is lost, until [`SecureChannel::close`] is
/// called or the node stops. What is sent through it before that waits, and is encrypted for the
/// peer alone: see [`SecureChannel::established`]. Dropping the handle changes nothing; clones
/// stand for the same channel.
#[derive(Clone)]
pub struct SecureChannel {
    address: Address,
    route: Route,
    outcome: watched::Receiver<Outcome>,
    credentials: Credentials,
    actor: Restarting<ChannelActor>,
}

/// Why an attempt to establish a channel failed.
#[derive(Clone, Debug)]
pub(crate) struct ChannelFailure {
    /// The cause, in a few words.
    pub(crate) why: Arc<str>,
    /// Whether one end does not trust the other.
    pub(crate) is_refusal: bool,
}

/// Opens a channel along `route` and keeps it open; returns at once.
pub(crate) fn open(
    node: &Node,
    route: Route,
    credentials: Credentials,
    first_peer: FirstPeer,
    is_invited: bool,
    limits: Limits,
) -> Result<SecureChannel> {
    let address = Address::random();
    let outcome = Arc::new(watched::Sender::new(Outcome::Pending(None)));
    let watched = outcome.subscribe();
    let opened = Arc::new(Opened::list(node, &address, &route));
    let what = format!("the secure channel {address} over {route}");
    let spec = ChannelSpec {
        node: node.clone(),
        opened,
        route: route.clone(),
        address: address.clone(),
        credentials: credentials.clone(),
        limits: limits.into(),
        outcome,
        first_peer,
        is_invited,
    };
    let actor = Restarting::start(node, what, spec)?;
    Ok(SecureChannel { address, route, outcome: watched, credentials, actor })
}

impl SecureChannel {
    /// The channel's address on this node, the same for its whole life.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The route to the listener that the channel is opened to.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The identity at the other end, while the channel is established.
    pub fn peer(&self) -> Option<Identifier> {
        match &*self.outcome.borrow() {
            Outcome::Established(peer) => Some(*peer),
            _ => None,
        }
    }

    /// Why the peer did not take the invitation that the channel shows, if that is how the last
    /// attempt ended. The channel tries again by itself: an outlet that runs hears of a new
    /// invitation within a second.
    pub fn invitation_refusal(&self) -> Option<InvitationRefusal> {
        match &*self.outcome.borrow() {
            Outcome::NotInvited(refusal) => Some(*refusal),
            _ => None,
        }
    }

    /// Waits until the channel is established; returns the peer's identifier. While the peer cannot
    /// be reached it keeps waiting, as the channel keeps trying.
    ///
    /// # Errors
    /// [`Error::Peer`] when one end has refused the identity of the other. The channel
    /// tries again by itself, as its peer's owner may change that;
    /// [`Error::Stopped`] when the channel was closed or the node stopped.
    pub async fn established(&self) -> Result<Identifier> {
        let mut outcome = self.outcome.clone();
        let decided = outcome.wait_for(|outcome| !outcome.is_pending()).await;
        let decided = decided.map(|outcome| outcome.clone());
        match decided.map_err(|_| Error::Stopped)? {
            Outcome::Established(peer) => Ok(peer),
            Outcome::Rejected(why) => Err(Error::Peer {
                who: format!("the peer at {}", self.route),
                what: format!("was rejected, or has rejected us: {why}"),
            }),
            Outcome::Pending(_) | Outcome::NotInvited(_) | Outcome::Closed => Err(Error::Stopped),
        }
    }

    /// As [`SecureChannel::established`], for at most `limit`.
    ///
    /// # Errors
    /// As [`SecureChannel::established`], and [`Error::TimedOut`] with the last failure.
    pub async fn established_within(&self, limit: Duration) -> Result<Identifier> {
        let established = tokio::time::timeout(limit, self.established()).await;
        established.unwrap_or_else(|_| {
            let waited_for = match &*self.outcome.borrow() {
                Outcome::Pending(Some(why)) => {
                    format!("the secure channel over {} ({why})", self.route)
                }
                Outcome::NotInvited(refusal) => {
                    format!("the secure channel over {} ({refusal})", self.route)
                }
                _ => format!("the secure channel over {}", self.route),
            };
            Err(Error::TimedOut { waited_for, limit })
        })
    }

    /// Waits until the channel is established, or an attempt to do so has failed.
    pub(crate) async fn attempted(&self) -> Result<Identifier, ChannelFailure> {
        let mut outcome = self.outcome.clone();
        let decided = outcome.wait_for(|outcome| !matches!(outcome, Outcome::Pending(None))).await;
        let failed = |why: &str, is_refusal| Err(ChannelFailure { why: why.into(), is_refusal });
        match decided.as_deref() {
            Ok(Outcome::Established(peer)) => Ok(*peer),
            Ok(Outcome::Rejected(why)) => failed(why, true),
            Ok(Outcome::Pending(Some(why))) => failed(why, false),
            Ok(Outcome::NotInvited(refusal)) => failed(&refusal.to_string(), false),
            Ok(Outcome::Pending(None) | Outcome::Closed) | Err(_) => failed("it was closed", false),
        }
    }

    /// Replaces the policy that decides whether the peer is trusted; a fingerprint in the route
    /// still counts in addition. If it does not trust the peer of the open session, that is closed
    /// at once, with its streams, and tried again as after any refusal.
    pub fn replace_policy(&self, policy: impl TrustPolicy) {
        self.credentials.replace_policy(policy);
    }

    /// Closes the channel: the peer is told, and the address becomes free.
    pub fn close(&self) {
        if let Some(actor) = self.actor.end() {
            send_control(&actor, Close);
        }
    }
}

impl From<SecureChannel> for Address {
    fn from(channel: SecureChannel) -> Self {
        channel.address
    }
}

impl From<&SecureChannel> for Address {
    fn from(channel: &SecureChannel) -> Self {
        channel.address.clone()
    }
}

impl fmt::Debug for SecureChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureChannel")
            .field("address", &self.address)
            .field("route", &self.route)
            .field("outcome", &*self.outcome.borrow())
            .finish()
    }
}
