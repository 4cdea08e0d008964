//! The sealing half of a session, which intercepts messages before the encryptor's inbox.
//!
//! A message that arrives at an established channel is sealed in the task that delivers it: an
//! extra turn of the encryptor costs more than sealing a small message, and would delay the record.
//! Everything else is left to the encryptor: messages while there is no session, and the upkeep of
//! a session.
//!
//! Messages stay in order: while one waits in the inbox, the runtime delivers to the inbox alone.

use std::{
    cell::Cell,
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::Recipient;
use ockam_actix_runtime::{node::entry::Interceptor, Message, Permit};

use crate::secure_channel::{
    event::{notify, Ending, Event, EventKind},
    limits::{Limits, MAX_SEALED_AT_ONCE},
    outbound::{NotSent, Outbound},
    plaintext::Tag,
    record::Sealer,
};

#[cfg(test)]
mod tests;

/// Seals while a session is open. All its users are on one arbiter, so nobody waits for the lock.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    half: Mutex<Option<SealingHalf>>,
}

/// The sealing state of one session.
#[derive(Debug)]
pub(super) struct SealingHalf {
    session: u64,
    outbound: Outbound,
    encryptor: Recipient<Event>,
    /// They say when new keys are due, and when the old ones have expired.
    limits: Arc<Limits>,
    /// What the encryptor was told about the keys.
    told: Told,
    /// Why sealing has stopped; the encryptor was told.
    failure: Option<NotSent>,
}

/// What an encryptor was told about the keys of its session, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Due,
    Expired,
}

thread_local! {
    /// How many nested channels are sealing on this thread, each a record of the one before.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

impl Sealing {
    /// Starts sealing in a new session.
    pub(super) fn open(&self, half: SealingHalf) {
        *self.lock() = Some(half);
    }

    /// Stops sealing in this session.
    pub(super) fn close(&self, session: u64) {
        self.lock().take_if(|half| half.session == session);
    }

    /// Seals and sends a message that arrived at the channel's address.
    pub(super) fn send(&self, session: u64, message: Message) -> Result<(), NotSent> {
        self.with(session, |half| half.send(message))
    }

    /// Seals and sends a control record of the channel itself.
    pub(super) fn control(
        &self,
        session: u64,
        tag: Tag,
        body: &[u8],
        permit: Option<Permit>,
    ) -> Result<(), NotSent> {
        self.with(session, |half| half.outbound.control(tag, body, permit))
    }

    /// Seals with new keys from now on; with `announce`, the last record under the old ones tells
    /// the peer. Without, the peer learns of them from a record under way: expendable records,
    /// which may overtake it, have the old key until [`switched`](Self::switched).
    pub(super) fn renew(
        &self,
        session: u64,
        sealer: Sealer,
        announce: bool,
    ) -> Result<(), NotSent> {
        self.with(session, |half| {
            if announce {
                half.outbound.control(Tag::Switch, &[], None)?;
            }
            let before = std::mem::replace(&mut half.outbound.sealer, sealer);
            half.outbound.sealer.replace(before);
            if announce {
                half.outbound.sealer.switch_expendable();
            }
            half.told = Told::Nothing;
            Ok(())
        })
    }

    /// The peer has the new keys.
    pub(super) fn switched(&self, session: u64) -> Result<(), NotSent> {
        self.with(session, |half| {
            half.outbound.sealer.switch_expendable();
            Ok(())
        })
    }

    /// Seals and sends a message of this session, or returns it: if the session is over, or the
    /// message must wait.
    pub(super) fn seal_in(&self, session: u64, message: Message) -> Option<Message> {
        let of_session = |half: &SealingHalf| half.session == session;
        let is_current = |half: MutexGuard<'_, Option<_>>| half.as_ref().is_some_and(of_session);
        match self.half.try_lock().is_ok_and(is_current) {
            true => self.act_now(message, SealingHalf::send),
            false => Some(message),
        }
    }

    fn with(
        &self,
        session: u64,
        act: impl FnOnce(&mut SealingHalf) -> Result<(), NotSent>,
    ) -> Result<(), NotSent> {
        let mut half = self.lock();
        let half = half.as_mut().filter(|half| half.session == session).ok_or(NotSent::NoKeys)?;
        half.failure.clone().map_or(Ok(()), Err)?;
        act(half)
    }

    fn lock(&self) -> MutexGuard<'_, Option<SealingHalf>> {
        self.half.lock().unwrap_or_else(|poisoned| {
            self.half.clear_poison();
            let mut half = PoisonError::into_inner(poisoned);
            // Whether the last record has left is unknown, and the peer accepts none after a
            // missing one.
            *half = None;
            half
        })
    }

    /// Has the session `act` on the message now, or returns it if it must wait.
    fn act_now(
        &self,
        message: Message,
        act: impl FnOnce(&mut SealingHalf, Message) -> Result<(), NotSent>,
    ) -> Option<Message> {
        // A message that comes back here while one is being sealed, such as a notice about it,
        // waits its turn.
        let Ok(mut slot) = self.half.try_lock() else { return Some(message) };
        let Some(half) = slot.as_mut().filter(|half| half.failure.is_none()) else {
            return Some(message);
        };
        // A record may be a message for another channel. A peer must not choose how deep that goes.
        let Some(_depth) = Depth::deeper() else { return Some(message) };
        match catch_unwind(AssertUnwindSafe(|| act(half, message))) {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => half.fail(failure),
            Err(panic) => {
                half.fail(NotSent::NoKeys);
                drop(slot);
                resume_unwind(panic);
            }
        }
        None
    }
}

impl Interceptor for Sealing {
    fn intercept(&self, message: Message) -> Option<Message> {
        self.act_now(message, SealingHalf::send)
    }
}

impl SealingHalf {
    /// For one session of an encryptor.
    pub(super) const fn new(
        session: u64,
        outbound: Outbound,
        encryptor: Recipient<Event>,
        limits: Arc<Limits>,
    ) -> Self {
        Self { session, outbound, encryptor, limits, told: Told::Nothing, failure: None }
    }

    fn send(&mut self, message: Message) -> Result<(), NotSent> {
        self.outbound.send(message)?;
        let sealed = self.outbound.sealer.volume();
        if self.told < Told::Due && self.limits.is_due(sealed) {
            self.told = Told::Due;
            notify(&self.encryptor, self.session, EventKind::Due);
        }
        if self.told < Told::Expired && self.limits.is_expired(sealed) {
            self.told = Told::Expired;
            notify(&self.encryptor, self.session, EventKind::Over(Ending::expired()));
        }
        Ok(())
    }

    fn fail(&mut self, failure: NotSent) {
        notify(&self.encryptor, self.session, EventKind::Over(Ending::from(failure.clone())));
        self.failure = Some(failure);
    }
}

/// One level of nested sealing on this thread, until it is dropped.
struct Depth;

impl Depth {
    fn deeper() -> Option<Self> {
        let depth = DEPTH.get();
        (depth < MAX_SEALED_AT_ONCE).then(|| {
            DEPTH.set(depth + 1);
            Self
        })
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
