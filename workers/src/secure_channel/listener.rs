//! A secure channel listener: the worker that strangers may reach.
//!
//! * Owns: its address, its cookies, the counts of its handshakes and channels.
//! * Inbox: message 1 of a handshake. It is not an actor but a delivery that any arbiter calls: it
//!   decides on the spot and starts a [`Decryptor`] on the arbiter of the connection that the
//!   message came through, so that a channel lives beside its connection.
//! * Started by [`listen`]; it stays until `Node::stop_worker` or the end of the node, and is
//!   listed in [`ChannelListeners`] until then.
//! * A panic ends where the node delivers the message, and cannot spread from one peer to another:
//!   the listener holds a lock only to count, and handles no data.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use ockam_actix_runtime::{
    clock::Instant,
    lock::Lock,
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    trust::refusal_log::RefusalLog,
    Address, Class, Error, Host, Message, MessageKind, MessageParts, Node, Origin, Payload, Result,
    Route, UndeliverableReason,
};
use ring::rand::SystemRandom;

use crate::{
    identity::{
        address_secret::{AddressSecret, TAG_LENGTH},
        known_identities::WithHistory,
        local_identity::{CurrentIdentity, LocalIdentity},
        policy::TrustPolicy,
    },
    invitation::{
        file::{Invitations, Shown},
        text::InvitationSecret,
        InvitationRefusal,
    },
    secure_channel::{
        admission::{Admission, Asker, Verdict},
        cookie::Cookies,
        decryptor::{Decryptor, DecryptorConfig, Responding},
        exchange::Credentials,
        limits::Limits,
        options::SecureChannelListenerOptions,
        packet::Packet,
        relayed::{relay_of, RelayedListeners},
    },
};

/// Why a handshake is refused before it begins.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum NoCredentials {
    /// It has come through a forwarder without the right secret, or shows one that nobody needs.
    #[error(
        "through a forwarder, a handshake needs the secret of the forwarding address, and without \
         one it must not have any: copy the address again"
    )]
    Secret,
    /// By the invitation that it shows.
    #[error(transparent)]
    Invitation(#[from] InvitationRefusal),
}

impl NoCredentials {
    /// The code that tells the initiator.
    fn reason(self) -> UndeliverableReason {
        match self {
            Self::Secret => UndeliverableReason::Unreachable,
            Self::Invitation(refusal) => refusal.reason(),
        }
    }
}

/// Which identity listens at which address of a node: an extension of the node, see
/// [`Node::extension`].
#[derive(Debug, Default)]
pub struct ChannelListeners(Lock<HashMap<Address, Listing>>);

#[derive(Debug)]
struct Listing {
    identity: CurrentIdentity,
    admission: Admission,
    /// What it knows of the secrets of addresses.
    secrets: Secrets,
}

/// What a listener wants of those that come through a forwarder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrets {
    /// The secret of the forwarding address.
    Wanted,
    /// None: it is reached by name.
    None,
    /// It is another kind of listener.
    Unknown,
}

impl ChannelListeners {
    /// The identity that answers at a listener's address, with its current keys; `None` if no
    /// listener has this address.
    pub fn identity_of(&self, listener: &Address) -> Option<LocalIdentity> {
        let all = self.0.lock();
        all.get(listener).map(|listing| listing.identity.now())
    }

    /// Whether there is a listener at this address that may be reached by name.
    pub(crate) fn is_named(&self, listener: &Address) -> bool {
        let all = self.0.lock();
        all.get(listener).is_some_and(|listing| listing.secrets != Secrets::Wanted)
    }

    /// The secret that a listener expects of whoever comes through the forwarder with these bits.
    pub(crate) fn address_secret(
        &self,
        listener: &Address,
        bits: &[u8; 16],
    ) -> Option<AddressSecret> {
        let all = self.0.lock();
        let listing = all.get(listener).filter(|listing| listing.secrets == Secrets::Wanted)?;
        Some(listing.identity.now().address_secret(bits))
    }

    /// The numbers of handshakes under way and of open channels at a listener, if there is one.
    pub fn load_of(&self, listener: &Address) -> Option<(usize, usize)> {
        let all = self.0.lock();
        all.get(listener).map(|listing| listing.admission.counts())
    }

    /// Declares the identity of a worker that accepts channels by its own means.
    pub fn add(&self, worker: Address, identity: LocalIdentity) {
        self.insert(worker, identity.into(), Admission::default(), Secrets::Unknown);
    }

    /// Removes a listener, unless another one has its address by now.
    fn remove(&self, address: &Address, admission: &Admission) {
        let mut all = self.0.lock();
        if all.get(address).is_some_and(|listing| listing.admission.is(admission)) {
            all.remove(address);
        }
    }

    fn insert(
        &self,
        address: Address,
        identity: CurrentIdentity,
        admission: Admission,
        secrets: Secrets,
    ) {
        let mut all = self.0.lock();
        all.insert(address, Listing { identity, admission, secrets });
    }
}

struct Listener {
    node: Node,
    address: Address,
    credentials: Credentials,
    is_named: bool,
    invitations: Option<Invitations>,
    limits: Arc<Limits>,
    admission: Admission,
    refusal_log: Arc<RefusalLog>,
    relayed: Arc<RelayedListeners>,
    has_warned: AtomicBool,
    cookies: Cookies,
    /// Cookies count seconds from this moment.
    since: Instant,
}

/// A secure channel listener that was started. Dropping this does not stop it;
/// [`SecureChannelListener::stop`] does.
#[derive(Clone)]
pub struct SecureChannelListener {
    node: Node,
    address: Address,
    credentials: Credentials,
}

impl SecureChannelListener {
    /// The address that channels are opened to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Replaces the policy that decides who may open channels. Open ones whose peers it does not
    /// trust are closed at once, with their streams.
    pub fn replace_policy(&self, policy: impl TrustPolicy) {
        self.credentials.replace_policy(policy);
    }

    /// Accepts no more channels; those that are open go on.
    ///
    /// # Errors
    /// If it was already stopped.
    pub fn stop(&self) -> Result<()> {
        self.node.stop_worker(self.address.clone())
    }
}

/// Accepts channels until the node stops.
pub(crate) fn listen(
    node: &Node,
    options: SecureChannelListenerOptions,
    credentials: Credentials,
    limits: Limits,
) -> Result<SecureChannelListener> {
    let SecureChannelListenerOptions { address, is_named, invitations } = options;
    let cookies = Cookies::new(&SystemRandom::new())
        .ok_or_else(|| Error::Usage("the system gave no randomness for cookies".into()))?;
    let identity = credentials.local.clone();
    let admission = Admission::default();
    let listener = Listener {
        node: node.unheld(),
        address: address.clone(),
        credentials: credentials.clone(),
        is_named,
        invitations,
        limits: Arc::new(limits),
        admission: admission.clone(),
        refusal_log: node.refusals(),
        relayed: node.extension(RelayedListeners::default),
        has_warned: AtomicBool::new(false),
        cookies,
        since: Instant::now(),
    };
    let registration = node
        .register_delivery(Description::new(address.clone(), Class::ChannelListener), listener)?;
    log::info!("\"{address}\" accepts secure channels as {}", identity.now().identifier());
    let all = node.extension(ChannelListeners::default);
    let secrets = if is_named { Secrets::None } else { Secrets::Wanted };
    all.insert(address.clone(), identity, admission.clone(), secrets);
    // A task owns the registration, so that it ends with the node's threads.
    let (own, gone) = (node.unheld(), registration.entry().stop_signal());
    let at = address.clone();
    node.spawn_on(0, async move {
        tokio::select! {
            biased;
            () = own.stopped() => {}
            _ = gone => {}
        }
        all.remove(&at, &admission);
        drop(registration);
    });
    Ok(SecureChannelListener { node: node.clone(), address, credentials })
}

impl fmt::Debug for SecureChannelListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureChannelListener").field("address", &self.address).finish()
    }
}

impl Deliver for Listener {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        if message.kind == MessageKind::Notice {
            return Ok(());
        }
        let refuse = |message, reason, detail: String| {
            let mut undelivered = Undelivered::new(message, &entry.address, reason);
            undelivered.notice = undelivered.notice.with_detail(detail);
            Err(undelivered)
        };
        let Some(ingress) = message.return_route.first().cloned() else {
            return refuse(message, UndeliverableReason::Unreachable, "no return route".into());
        };
        if self.node.is_stopping() {
            return refuse(message, UndeliverableReason::Unreachable, String::new());
        }
        let (noise, cookie, tag) = match Packet::decode(&message.payload) {
            Ok(Packet::One { noise, cookie }) => (noise.to_vec(), cookie.to_vec(), None),
            Ok(Packet::OneWithSecret { noise, cookie, tag }) => {
                (noise.to_vec(), cookie.to_vec(), Some(*tag))
            }
            Ok(_) => return refuse(message, UndeliverableReason::BodyNotUnderstood, String::new()),
            Err(error) => {
                return refuse(message, UndeliverableReason::BodyNotUnderstood, error.to_string())
            }
        };
        let credentials = match self.credentials_for(&message.origin, tag.as_ref(), &noise) {
            Ok(credentials) => credentials,
            Err(why) => {
                let (route, listener) = (&message.return_route, &self.address);
                let what = format_args!("no handshake at \"{listener}\" for {route}: {why}");
                self.refusal_log.warn("handshake-without-secret", what);
                return refuse(message, why.reason(), why.to_string());
            }
        };
        if credentials.secret.is_none() && !message.origin.is_local() {
            self.warn_of_strangers();
        }
        let source = message.return_route.to_string();
        let asker = Asker { ingress, source: message.origin.source() };
        let elapsed = self.since.elapsed();
        let now = elapsed.as_secs();
        let has_cookie =
            !cookie.is_empty() && self.cookies.verify(now, source.as_bytes(), &noise, &cookie);
        match self.admission.admit(&asker, has_cookie, elapsed, &self.limits) {
            Verdict::Admitted(slot) => {
                let MessageParts { return_route, origin, permit, .. } = message.into_parts();
                let listener = self.address.clone();
                let responding = Responding::new(listener, slot, noise, permit, self.since);
                self.start(responding, credentials, origin, return_route);
            }
            Verdict::CookieFirst => {
                let cookie = self.cookies.issue(now, source.as_bytes(), &noise);
                self.ask_for(&cookie, message);
            }
            Verdict::Refused(refusal) => {
                let (route, listener) = (&message.return_route, &self.address);
                let what = format_args!("no handshake at \"{listener}\" for {route}: {refusal}");
                self.refusal_log.warn(refusal.rule(), what);
                return refuse(message, UndeliverableReason::Overloaded, refusal.to_string());
            }
        }
        Ok(())
    }
}

impl Listener {
    /// Warns once that a direct listener lets in everybody, which is seldom meant.
    fn warn_of_strangers(&self) {
        let everybody = self.credentials.policy.trusts_everyone();
        if everybody && !self.has_warned.swap(true, Ordering::Relaxed) {
            log::warn!(
                "\"{}\" trusts everybody: whoever connects reaches every worker, such as an outlet; \
                 say whom it trusts, by --trust, a trust file or a policy",
                self.address
            );
        }
    }

    /// What a handshake is answered with: the secret of the invitation that it shows, or of the
    /// forwarder that it came through, and none for a direct one or to a listener that is reached
    /// by name.
    ///
    /// # Errors
    /// If the initiator has not shown that it has the secret, or has one where there is none.
    fn credentials_for(
        &self,
        origin: &Origin,
        tag: Option<&[u8; TAG_LENGTH]>,
        noise: &[u8],
    ) -> Result<Credentials, NoCredentials> {
        let own = self.credentials.clone();
        let relay = relay_of(origin);
        let shown = tag.and_then(|tag| self.invitations.as_ref()?.shown_by(tag, noise));
        match (shown, relay, tag) {
            (Some(Shown::Good(secret, key)), ..) => Ok(self.invited(secret, key)),
            (Some(Shown::Expired), ..) => Err(InvitationRefusal::Expired.into()),
            (None, None, None) => Ok(own),
            (None, Some(_), None) if self.is_named => Ok(own),
            (None, Some(relay), Some(tag)) if !self.is_named => {
                let identity = self.credentials.local.now();
                let secret = self.relayed.secret_of(relay, &self.address, &identity, tag, noise);
                let secret = Some(secret.ok_or(NoCredentials::Secret)?);
                Ok(Credentials { secret, ..own })
            }
            (None, _, Some(_)) if self.invitations.is_some() => {
                Err(InvitationRefusal::Unknown.into())
            }
            (None, ..) => Err(NoCredentials::Secret),
        }
    }

    /// For whoever has shown an invitation.
    fn invited(&self, invitation: InvitationSecret, key: AddressSecret) -> Credentials {
        let own = self.credentials.clone();
        let policy: Option<Arc<dyn TrustPolicy>> = self.invitations.as_ref().map(|invitations| {
            let policy = invitations.policy(invitation, own.replaceable.clone());
            Arc::new(WithHistory::new(Arc::new(policy), own.known.clone())) as _
        });
        Credentials { secret: Some(key), policy: policy.unwrap_or(own.policy), ..own }
    }

    /// Starts a responder on the arbiter of the connection that its initiator comes through.
    fn start(
        &self,
        responding: Responding,
        credentials: Credentials,
        origin: Origin,
        peer_route: Route,
    ) {
        let config = DecryptorConfig {
            node: self.node.clone(),
            address: Address::random(),
            session: 0,
            credentials,
            limits: self.limits.clone(),
        };
        let started = self.node.first_hop(&peer_route).and_then(|first_hop| {
            let arbiter = self.node.arbiter_for(&first_hop);
            let (description, decryptor) =
                Decryptor::responding(config, responding, origin, peer_route);
            self.node.launch(description.on(arbiter), move |_| decryptor)
        });
        if let Err(error) = started {
            log::debug!("a handshake at \"{}\" could not begin: {error}", self.address);
        }
    }

    /// Asks the initiator to show `cookie`, and keeps no state.
    fn ask_for(&self, cookie: &[u8; 32], message: Message) {
        let payload = Payload::from(Packet::Cookie(cookie).encode());
        // An initiator that does not hear of it asks again.
        let _ = self.node.answer(message, self.address.clone(), payload);
    }
}
