//! One end of a handshake, without addresses and timers: a message in, a message out.
//!
//! The same exchange runs in plain messages to establish a channel, and inside the records of an
//! open session to agree on new keys.

use std::{fmt, sync::Arc};

use crate::{
    identity::{
        address_secret::AddressSecret, current_policy::CurrentPolicy,
        known_identities::KnownIdentities, local_identity::CurrentIdentity, policy::TrustPolicy,
    },
    secure_channel::{
        failure::FailureReason,
        handshake::{
            Answer, AwaitingMessage2, AwaitingMessage3, AwaitingReady, HandshakeError, Initiator,
            Judge, Responder, Session, Work,
        },
        open_sessions::OpenSessions,
        packet::Packet,
    },
};

/// Who we are, and whom we trust.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) local: CurrentIdentity,
    /// Everything that decides about a peer.
    pub(crate) policy: Arc<dyn TrustPolicy>,
    /// The secret of the forwarding address that the channel leads through, which both ends have.
    pub(crate) secret: Option<AddressSecret>,
    /// The histories that need no second verification.
    pub(crate) known: Arc<KnownIdentities>,
    /// The part of it that the program may replace.
    pub(crate) replaceable: CurrentPolicy,
    /// Where a session is listed that they admit.
    pub(crate) sessions: Arc<OpenSessions>,
}

impl Credentials {
    /// Message 1 in its carrier, at first without a cookie.
    pub(super) fn message1(&self, noise: &[u8], cookie: &[u8]) -> Vec<u8> {
        match &self.secret {
            None => Packet::One { noise, cookie }.encode(),
            Some(secret) => {
                Packet::OneWithSecret { noise, cookie, tag: &secret.tag(noise) }.encode()
            }
        }
    }

    fn judge<'a>(&'a self, budget: &'a dyn Fn(Work) -> bool) -> Judge<'a> {
        Judge::new(&self.policy, &self.known, budget)
    }

    /// Has another policy decide, also about the sessions that are open.
    pub(super) fn replace_policy(&self, policy: impl TrustPolicy) {
        self.replaceable.replace(policy);
        self.sessions.recheck(&self.local.now().identifier());
    }
}

/// A handshake that awaits a message and is consumed by it.
pub(super) enum Exchange {
    Message2(Box<AwaitingMessage2>, Credentials),
    Ready(Box<AwaitingReady>),
    Message3(Box<AwaitingMessage3>, Credentials),
}

/// What to do after a message.
pub(super) enum Step {
    /// Send this, and wait for the answer.
    Send(Vec<u8>, Exchange),
    /// The responder has agreed: there is nothing more to send.
    Established(Box<Session>),
    /// We agree: send this record, the last of the handshake.
    Confirm(Vec<u8>, Box<Session>),
}

/// Why a handshake ended without a channel.
#[derive(Debug)]
pub(super) struct Failure {
    /// The reason, for logs and errors.
    pub(super) why: FailureReason,
    /// What to tell the peer: a record that only it can open.
    pub(super) refusal: Option<Vec<u8>>,
}

impl<E: Into<FailureReason>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { why: error.into(), refusal: None }
    }
}

impl Exchange {
    /// Begins a handshake; returns Noise message 1.
    pub(super) fn initiate(credentials: Credentials) -> Result<(Self, Vec<u8>), HandshakeError> {
        let secret = credentials.secret.as_ref();
        let (state, noise) = Initiator::start_with_secret(&credentials.local.now(), secret)?;
        Ok((Self::Message2(Box::new(state), credentials), noise))
    }

    /// Answers Noise message 1; returns the encoded answer.
    pub(super) fn respond(
        credentials: Credentials,
        noise: &[u8],
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let (local, secret) = (credentials.local.now(), credentials.secret.as_ref());
        let (state, noise) = Responder::accept_with_secret(&local, noise, secret)?;
        Ok((Self::Message3(Box::new(state), credentials), Packet::Two(&noise).encode()))
    }

    /// Handles the next message; `budget` says whether a long history may be verified.
    pub(super) fn handle(
        self,
        message: &mut [u8],
        budget: &dyn Fn(Work) -> bool,
    ) -> Result<Step, Failure> {
        match self {
            Self::Message2(state, credentials) => {
                let Packet::Two(noise) = Packet::decode(message)? else {
                    return Err(FailureReason::OutOfTurn.into());
                };
                let (state, noise) = state.handle_message2(noise, credentials.judge(budget))?;
                Ok(Step::Send(Packet::Three(&noise).encode(), Self::Ready(Box::new(state))))
            }
            Self::Ready(state) => {
                let session = state.handle_ready(message)?;
                Ok(Step::Established(Box::new(session)))
            }
            Self::Message3(state, credentials) => {
                let Packet::Three(noise) = Packet::decode(message)? else {
                    return Err(FailureReason::OutOfTurn.into());
                };
                match state.answer_message3(noise, credentials.judge(budget))? {
                    Answer::Ready { session, record } => Ok(Step::Confirm(record, session)),
                    Answer::Refused { error, record } => {
                        Err(Failure { why: error.into(), refusal: Some(record) })
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message2(..) => "Exchange(awaiting message 2)",
            Self::Ready(_) => "Exchange(awaiting ready)",
            Self::Message3(..) => "Exchange(awaiting message 3)",
        })
    }
}
