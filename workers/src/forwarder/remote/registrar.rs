//! The questions that a node asks the forwarding service of its hub.

use std::{future::Future, io, time::Duration};

use ockam_actix_runtime::{
    message::{notice::Notice, MessageKind},
    Address, Context, Error, Host, Node, Payload, Result, Route, UndeliverableReason,
};
use tokio::time::timeout;

use crate::{
    forwarder::{
        address::ForwardingAddress,
        limits::REGISTRATION_TIMEOUT,
        protocol::{
            claim::{self, ForwarderId, Salt},
            Answer, Request,
        },
        FORWARDING_SERVICE,
    },
    identity::local_identity::LocalIdentity,
    secure_channel::{ChannelListeners, OpenedChannels},
};

/// Registers one destination with one hub.
#[derive(Clone)]
pub(super) struct Registrar {
    node: Node,
    hub: Route,
    destination: Address,
    /// Made at the first registration with an identity and kept, so that the address survives a
    /// change of keys.
    salt: Option<Salt>,
}

/// A forwarder that the hub has made.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) id: ForwarderId,
    pub(super) address: ForwardingAddress,
    pub(super) lease: Duration,
}

impl Registrar {
    pub(super) fn new(node: Node, hub: Route, destination: Address) -> Self {
        Self { node, hub, destination, salt: None }
    }

    pub(super) fn hub(&self) -> &Route {
        &self.hub
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// Asks for a forwarder: at the identity's own address where the destination has an identity,
    /// else at any.
    ///
    /// # Errors
    /// If the hub refuses, does not answer in time, or breaks the protocol. Each error names the
    /// hub.
    pub(super) async fn register(&mut self) -> Result<Granted> {
        let listeners = self.node.extension(ChannelListeners::default);
        match listeners.identity_of(&self.destination) {
            Some(identity) => self.register_claimed(&identity).await,
            None => self.register_any().await,
        }
    }

    /// Asks for the forwarder to be kept.
    ///
    /// # Errors
    /// As [`Registrar::register`].
    pub(super) async fn renew(&self, granted: &Granted) -> Result<()> {
        let answer = self.ask(Request::Renew(granted.id)).await?;
        self.expect_registered(answer, Some(granted.id)).map(|_| ())
    }

    async fn register_any(&self) -> Result<Granted> {
        let destination = Route::from(self.destination.clone());
        let answer = self.ask(Request::Register { destination, claim: None }).await?;
        let (id, lease) = self.expect_registered(answer, None)?;
        Ok(Granted { id, address: id.forwarding_address(None), lease })
    }

    async fn register_claimed(&mut self, identity: &LocalIdentity) -> Result<Granted> {
        let destination = Route::from(self.destination.clone());
        let hub = self.node.extension(OpenedChannels::default).lasting_name_of(&self.hub);
        let derive = || Salt::derive(identity, &hub, &destination);
        let salt = *self.salt.get_or_insert_with(derive);
        let claim = (identity.identifier(), salt);
        let register = Request::Register { destination: destination.clone(), claim: Some(claim) };
        let nonce = match self.ask(register).await? {
            Answer::Challenge(nonce) => nonce,
            answer => return Err(self.unexpected(answer)),
        };
        let proof = Request::Proof {
            signature: claim::prove(identity, &salt, &nonce, &destination),
            destination,
            claim,
            nonce,
            identity: identity.identity().encode(),
        };
        let claimed = ForwarderId::of(&claim.0, &salt);
        let answer = self.ask(proof).await?;
        let (id, lease) = self.expect_registered(answer, Some(claimed))?;
        Ok(Granted { id, address: id.forwarding_address(Some(claim.0)), lease })
    }

    fn expect_registered(
        &self,
        answer: Answer,
        own: Option<ForwarderId>,
    ) -> Result<(ForwarderId, Duration)> {
        match answer {
            Answer::Registered { id, lease_seconds } if own.is_none_or(|own| own == id) => {
                Ok((id, Duration::from_secs(lease_seconds.into())))
            }
            answer => Err(self.unexpected(answer)),
        }
    }

    /// Asks one question and returns its answer. Each has a mailbox of its own, so no answer is
    /// taken for another's.
    async fn ask(&self, request: Request) -> Result<Answer> {
        let mut mailbox = Context::new(&self.node)?;
        let service = self.hub.then(FORWARDING_SERVICE);
        mailbox.send(service, request.encode()).await?;
        let first_hop = self.hub.first().ok_or(Error::EmptyRoute)?;
        loop {
            let answer = mailbox.receive::<Payload>().await?;
            if !answer.origin().came_through(first_hop) {
                continue;
            }
            if answer.kind() == MessageKind::Notice {
                return Err(self.undelivered(Notice::decode(answer.body())));
            }
            return Answer::decode(answer.body()).map_err(|error| {
                self.blame(format!(
                    "sent something that is not an answer of a forwarding service: {error}"
                ))
            });
        }
    }

    fn undelivered(&self, notice: Option<Notice>) -> Error {
        let service = notice.as_ref().is_some_and(|notice| {
            notice.reason == UndeliverableReason::Unreachable
                && notice.hop.as_str() == FORWARDING_SERVICE
        });
        if service {
            let text = format!(
                "has no forwarding service that this node may use: \
                 is \"{FORWARDING_SERVICE}\" started there?"
            );
            return self.blame(text);
        }
        let notice = notice.map_or_else(String::new, |notice| format!(": {notice}"));
        self.blame(format!("did not get the request for a forwarder{notice}"))
    }

    fn unexpected(&self, answer: Answer) -> Error {
        self.blame(match answer {
            Answer::Refused { refusal, text } if text.is_empty() => {
                format!("refused to forward to \"{}\": {refusal}", self.destination)
            }
            Answer::Refused { text, .. } => {
                format!("refused to forward to \"{}\": {text}", self.destination)
            }
            answer => {
                format!("broke the protocol of forwarders: it sent {answer} that was not due")
            }
        })
    }

    fn blame(&self, what: String) -> Error {
        Error::Peer { who: format!("the hub {}", self.hub), what }
    }

    /// The error for a hub without a connection.
    pub(super) fn unreachable(&self, failure: &str) -> Error {
        let what = format!("cannot register \"{}\" with the hub {}", self.destination, self.hub);
        Error::transport(what, io::Error::other(failure.to_owned()))
    }

    /// Bounds the time of a request to the hub.
    ///
    /// # Errors
    /// Those of `asking`, and that the hub did not answer in time.
    pub(super) async fn in_time<T>(&self, asking: impl Future<Output = Result<T>>) -> Result<T> {
        in_time(&self.hub, asking).await
    }
}

/// Bounds the time of a request to `hub`.
///
/// # Errors
/// Those of `asking`, and that the hub did not answer in time.
pub(super) async fn in_time<T>(hub: &Route, asking: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(REGISTRATION_TIMEOUT, asking).await.unwrap_or_else(|_| {
        let waited_for = format!("the hub {hub} to register a forwarder");
        Err(Error::TimedOut { waited_for, seconds: REGISTRATION_TIMEOUT.as_secs() })
    })
}
