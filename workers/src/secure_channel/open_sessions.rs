//! The open sessions of a node, so that access ends when the trust that gave it does.
//!
//! A session is admitted for a policy, and for the history of keys that its peer has shown. Three
//! changes withdraw that, and end the session at once:
//!
//! * the policy is replaced, or its answer changes ([`OpenSessions::recheck`]);
//! * the node meets a longer history of the peer, or two that contradict each other, in whatever
//!   session ([`KnownIdentities::on_change`]);
//! * the program says so ([`OpenSessions::close`]).
//!
//! So does the end of the hub that a session came through ([`OpenSessions::leave`]).
//!
//! From that moment on, nothing more of the peer is delivered; the streams of both ends learn of it
//! as of any loss, and go on only in another session with the same peer. A handshake that runs
//! meanwhile may have asked too early, so it asks again when its session is listed
//! ([`OpenSessions::list`]).

mod register;

use std::{
    fmt,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc, OnceLock,
    },
};

use actix::Recipient;
use ockam_actix_runtime::{lock::Lock, Address, Host, Identifier, Node};

use crate::{
    identity::{
        known_identities::KnownIdentities,
        policy::{Decision, TrustContext, TrustPolicy},
        Identity,
    },
    secure_channel::{
        event::{notify, Ending, Event, EventKind},
        open_sessions::register::{Admitted, Register},
    },
};

/// The open sessions of all identities of a node: an extension of the node, see
/// [`Node::extension`].
#[derive(Default)]
pub(crate) struct OpenSessions {
    register: Lock<Register<Handle>>,
    /// Counts changes of trust.
    changes: AtomicU64,
    /// The histories that are watched.
    known: OnceLock<Arc<KnownIdentities>>,
}

/// What one session was admitted by, and what ends it.
#[derive(Clone)]
struct Handle {
    policy: Arc<dyn TrustPolicy>,
    encryptor: Recipient<Event>,
    session: u64,
    /// The hub that its handshake came through.
    relay: Option<Address>,
    has_ended: Arc<AtomicBool>,
}

/// Keeps one session listed until it is dropped.
pub(super) struct Listed {
    sessions: Arc<OpenSessions>,
    peer: Identifier,
    number: u64,
    has_ended: Arc<AtomicBool>,
}

/// A session that has just been established.
pub(super) struct NewSession {
    pub(super) own: Identifier,
    pub(super) peer: Identity,
    pub(super) policy: Arc<dyn TrustPolicy>,
    pub(super) encryptor: Recipient<Event>,
    /// Tells sessions of one encryptor apart.
    pub(super) session: u64,
    /// The hub that its handshake came through, as the first hop of the routes to that.
    pub(super) relay: Option<Address>,
    /// [`OpenSessions::changes`] before its handshake asked whether the peer is trusted.
    pub(super) changes: u64,
}

impl OpenSessions {
    /// Those of `node`, which end when its histories say so.
    pub(crate) fn of(node: &Node) -> Arc<Self> {
        let sessions = node.extension(Self::default);
        let known = node.extension(KnownIdentities::default);
        sessions.known.get_or_init(|| {
            let watching = Arc::downgrade(&sessions);
            known.on_change(move |identifier| {
                if let Some(sessions) = watching.upgrade() {
                    sessions.history_changed(identifier);
                }
            });
            known
        });
        sessions
    }

    /// How often trust has changed so far.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Lists a session. If trust has changed while its handshake ran, it is asked for again.
    pub(super) fn list(self: &Arc<Self>, new: NewSession) -> Listed {
        let NewSession { own, peer, policy, encryptor, session, relay, changes } = new;
        let has_ended = Arc::new(AtomicBool::new(false));
        let handle = Handle { policy, encryptor, session, relay, has_ended: has_ended.clone() };
        let identifier = peer.identifier();
        let number = self.register.lock().add(own, peer, handle);
        if changes != self.changes() {
            let listed = self.register.lock().find(&identifier, number).cloned();
            if let Some(session) = listed {
                session.recheck();
            }
        }
        Listed { sessions: self.clone(), peer: identifier, number, has_ended }
    }

    /// Ends the sessions of `own` whose peers its policies no longer trust; returns their number.
    pub(crate) fn recheck(&self, own: &Identifier) -> usize {
        self.changed();
        let concerned = self.register.lock().of(own, None);
        concerned.iter().filter(|session| session.recheck()).count()
    }

    /// Ends the sessions of `own` with `peer`; returns their number.
    pub(crate) fn close(&self, own: &Identifier, peer: &Identifier) -> usize {
        self.changed();
        let concerned = self.register.lock().of(own, Some(peer));
        let closing = concerned.iter().filter(|session| session.handle.end("it was closed here"));
        closing.count()
    }

    /// Ends the sessions whose handshakes came through the hub behind `first_hop`, which stops:
    /// their peers establish them again, through another hub. Returns their number.
    pub(crate) fn leave(&self, first_hop: &Address) -> usize {
        let concerned = self.register.lock().all();
        let through =
            |session: &&Admitted<Handle>| session.handle.relay.as_ref() == Some(first_hop);
        let ending = concerned.iter().filter(through);
        ending.filter(|session| session.handle.end("the hub that it came through stops")).count()
    }

    /// Ends the sessions that were admitted for a history that is no longer good.
    fn history_changed(&self, peer: &Identifier) {
        self.changed();
        let concerned = self.register.lock().settled_with(peer);
        concerned.iter().for_each(|session| self.check_history(session));
    }

    fn check_history(&self, session: &Admitted<Handle>) {
        let checked = self.known.get().map(|known| known.check(&session.peer));
        if let Some(Err(refused)) = checked {
            session.handle.end(format_args!("the peer is refused: {refused}"));
        }
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

impl Admitted<Handle> {
    /// Asks the policy again; ends the session, and returns true, if it says no.
    fn recheck(&self) -> bool {
        // No lock is held here: the policy is the program's.
        match self.handle.policy.check(&TrustContext::of(self.own, self.peer.clone())) {
            Decision::Trusted => false,
            Decision::Rejected(why) => {
                self.handle.end(format_args!("the peer is no longer trusted: {why}"))
            }
        }
    }
}

impl Handle {
    /// Ends the session; returns whether that is new.
    fn end(&self, why: impl ToString) -> bool {
        let is_new = !self.has_ended.swap(true, Ordering::SeqCst);
        if is_new {
            notify(&self.encryptor, self.session, EventKind::Over(Ending::telling_peer(why)));
        }
        is_new
    }
}

impl Listed {
    /// Whether the session was ended; its encryptor is told.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Has the peer show its history again, which decides about this session by itself.
    pub(super) fn renewing<T>(&self, check: impl FnOnce() -> T) -> T {
        self.change(|session| session.is_renewing = true);
        let result = check();
        self.change(|session| session.is_renewing = false);
        result
    }

    /// The peer was admitted again, for this history. A longer one that another thread has met
    /// since it was checked ends the session after all.
    pub(super) fn admitted_again(&self, peer: Identity) {
        self.change(|session| session.peer = peer);
        let session = self.sessions.register.lock().find(&self.peer, self.number).cloned();
        session.iter().for_each(|session| self.sessions.check_history(session));
    }

    fn change(&self, change: impl FnOnce(&mut Admitted<Handle>)) {
        let mut register = self.sessions.register.lock();
        if let Some(session) = register.find(&self.peer, self.number) {
            change(session);
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.register.lock().remove(&self.peer, self.number);
    }
}

impl fmt::Debug for OpenSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenSessions({})", self.register.lock().len())
    }
}
