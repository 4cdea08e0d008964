//! The questions that a node asks the forwarding service of its hub.

use std::{
    future::Future,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ockam_actix_runtime::{
    message::{notice::Notice, MessageKind},
    Address, Context, Error, Host, Node, Payload, Result, Route, UndeliverableReason,
};
use ring::rand::SystemRandom;
use tokio::time::timeout;

use crate::{
    forwarder::{
        address::ForwardingAddress,
        limits::REGISTRATION_TIMEOUT,
        protocol::{
            claim::{self, Claim, ForwarderId, Instance, Salt, Statement, Tenure},
            displacement::Held,
            refusal::RegistrationRefusal,
            service_name::ServiceName,
            Answer, Request,
        },
        remote::{inbox::Inbox, options::RemoteForwarderOptions},
        FORWARDING_SERVICE,
    },
    identity::local_identity::LocalIdentity,
    secure_channel::{ChannelListeners, OpenedChannels, RelayedBy, RelayedListeners},
};

/// How often a claim is signed again because meanwhile somebody else had the address.
const MAX_CHALLENGES: usize = 3;

/// Registers one destination with one hub, as one instance.
#[derive(Clone)]
pub(super) struct Registrar {
    node: Node,
    hub: Route,
    /// The hub that the address follows from: the first one of a list.
    first_hub: Route,
    destination: Address,
    service: ServiceName,
    instance: Instance,
    /// What the hub gave at the last registration.
    tenure: Tenure,
    /// What the first hub of the list gave that did: at another one, this is no newer program.
    first_tenure: Arc<OnceLock<Tenure>>,
    /// Made at the first registration with an identity and kept, so that the address survives a
    /// change of keys; that of a service with a name is given.
    salt: Option<Salt>,
    /// Lets in whom the hub forwards with the secret of the address, from the first registration
    /// on.
    relayed: Option<Arc<RelayedBy>>,
}

/// A forwarder that the hub has made.
#[derive(Clone)]
pub(super) struct Granted {
    pub(super) id: ForwarderId,
    pub(super) address: ForwardingAddress,
    pub(super) lease: Duration,
    /// Where the hub tells of a newer registration, and of its own end.
    pub(super) inbox: Inbox,
}

/// Why there is no forwarder.
#[derive(Debug)]
pub(super) enum Failure {
    /// A newer instance has the address, as its own identity says.
    Displaced,
    /// The hub stops.
    Leaving,
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Registrar {
    pub(super) fn new(
        node: Node,
        hub: Route,
        options: &RemoteForwarderOptions,
        service: ServiceName,
    ) -> Self {
        let instance = Instance::random(&SystemRandom::new());
        let (first_hub, tenure) = (hub.clone(), Tenure::NONE);
        let destination = options.destination.clone();
        let salt = options.is_named.then_some(Salt::NAMED);
        Self {
            node,
            hub,
            first_hub,
            destination,
            service,
            instance,
            tenure,
            first_tenure: Arc::default(),
            salt,
            relayed: None,
        }
    }

    /// The same at another hub, of the same list: with an identity, the address is the same there.
    pub(super) fn at(&self, hub: Route) -> Self {
        Self { hub, ..self.clone() }
    }

    pub(super) fn destination(&self) -> &Address {
        &self.destination
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
    /// If a newer instance has the address; if the hub refuses, does not answer in time, or breaks
    /// the protocol. Each error names the hub.
    pub(super) async fn register(&mut self) -> Result<Granted, Failure> {
        let listeners = self.node.extension(ChannelListeners::default);
        match listeners.identity_of(&self.destination) {
            Some(identity) => self.register_claimed(&identity).await,
            None => self.register_any().await,
        }
    }

    /// Asks for the forwarder to be kept. Where another hub has an older registration, this signs
    /// that it is displaced.
    ///
    /// # Errors
    /// If the hub refuses, does not answer in time, or breaks the protocol.
    pub(super) async fn renew(&self, granted: &Granted) -> Result<()> {
        let mut answer = self.ask(Request::Renew(granted.id)).await?;
        let listeners = self.node.extension(ChannelListeners::default);
        let identity = listeners.identity_of(&self.destination);
        if let (Answer::Challenge { nonce, held_by }, Some(local)) = (&answer, identity) {
            let claim = self.claim(&local);
            answer = self.ask(self.proof(&local, &claim, *nonce, *held_by)).await?;
        }
        self.expect_registered(answer, Some(granted.id)).map(|_| ())
    }

    async fn register_any(&self) -> Result<Granted, Failure> {
        let destination = Route::from(self.destination.clone());
        let mut mailbox = Context::new(&self.node)?;
        let register = Request::Register { destination, claim: None };
        let answer = self.ask_from(&mut mailbox, register).await?;
        let (id, lease, _) = self.expect_registered(unless_leaving(answer)?, None)?;
        let inbox = Inbox::new(mailbox, self.first_hop()?, id, None);
        Ok(Granted { id, address: id.forwarding_address(None), lease, inbox })
    }

    async fn register_claimed(&mut self, local: &LocalIdentity) -> Result<Granted, Failure> {
        let destination = Route::from(self.destination.clone());
        let claim = self.claim(local);
        self.salt = Some(claim.salt);
        self.note_relayed(claim.id())?;
        let register = Request::Register { destination, claim: Some(claim.clone()) };
        let mut answer = self.ask(register).await?;
        for _ in 0..MAX_CHALLENGES {
            let Answer::Challenge { nonce, held_by } = answer else { break };
            let proof = self.proof(local, &claim, nonce, held_by);
            // The hub tells of a newer registration where it answers this.
            let mut mailbox = Context::new(&self.node)?;
            answer = self.ask_from(&mut mailbox, proof).await?;
            if let Answer::Registered { .. } = answer {
                return Ok(self.granted(local, claim.id(), answer, mailbox)?);
            }
        }
        match unless_leaving(answer)? {
            Answer::Displaced(proof) if proof.displaces(&self.held(local, claim.id())) => {
                Err(Failure::Displaced)
            }
            answer => Err(self.unexpected(answer).into()),
        }
    }

    fn note_relayed(&mut self, id: ForwarderId) -> Result<()> {
        if self.relayed.as_ref().is_none_or(|relayed| *relayed.bits() != id.0) {
            let all = self.node.extension(RelayedListeners::default);
            let relayed = all.add(self.first_hop()?, self.destination.clone(), id.0);
            self.relayed = Some(Arc::new(relayed));
        }
        Ok(())
    }

    fn claim(&self, local: &LocalIdentity) -> Claim {
        let hub = self.node.extension(OpenedChannels::default).lasting_name_of(&self.first_hub);
        let tenure = match self.tenure {
            Tenure::NONE => self.first_tenure.get().copied().unwrap_or(Tenure::NONE),
            own => own,
        };
        let derive = || Salt::derive(local, &hub, &Route::from(self.destination.clone()));
        Claim {
            identifier: local.identifier(),
            salt: self.salt.unwrap_or_else(derive),
            service: self.service.clone(),
            instance: self.instance,
            tenure,
        }
    }

    fn proof(
        &self,
        local: &LocalIdentity,
        claim: &Claim,
        nonce: claim::Nonce,
        displaced: Instance,
    ) -> Request {
        let destination = Route::from(self.destination.clone());
        let tenure = claim.tenure;
        let said = Statement { nonce: &nonce, displaced, tenure, destination: &destination };
        let signature = claim::prove(local, &claim.id(), said);
        let (claim, identity) = (claim.clone(), local.identity().encode());
        Request::Proof { destination, claim, nonce, displaced, signature, identity }
    }

    fn granted(
        &mut self,
        local: &LocalIdentity,
        claimed: ForwarderId,
        answer: Answer,
        mailbox: Context,
    ) -> Result<Granted> {
        let (id, lease, tenure) = self.expect_registered(answer, Some(claimed))?;
        self.tenure = tenure;
        // It stays what it is where another hub was faster.
        let _ = self.first_tenure.set(tenure);
        let inbox = Inbox::new(mailbox, self.first_hop()?, id, Some(self.held(local, id)));
        Ok(Granted { id, address: id.forwarding_address(Some(local.identifier())), lease, inbox })
    }

    /// The first hop of the routes to the hub.
    fn first_hop(&self) -> Result<Address> {
        Ok(self.hub.first().ok_or(Error::EmptyRoute)?.clone())
    }

    fn held(&self, local: &LocalIdentity, id: ForwarderId) -> Held {
        let identity = local.identity().clone();
        Held { id, instance: self.instance, tenure: self.tenure, identity }
    }

    fn expect_registered(
        &self,
        answer: Answer,
        own: Option<ForwarderId>,
    ) -> Result<(ForwarderId, Duration, Tenure)> {
        match answer {
            Answer::Registered { id, lease_seconds, tenure } if own.is_none_or(|own| own == id) => {
                Ok((id, Duration::from_secs(lease_seconds.into()), tenure))
            }
            answer => Err(self.unexpected(answer)),
        }
    }

    /// Asks one question and returns its answer. Each has a mailbox of its own, so no answer is
    /// taken for another's.
    async fn ask(&self, request: Request) -> Result<Answer> {
        self.ask_from(&mut Context::new(&self.node)?, request).await
    }

    async fn ask_from(&self, mailbox: &mut Context, request: Request) -> Result<Answer> {
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
                 is \"{FORWARDING_SERVICE}\" started there? A hub that requires a channel \
                 registers `ockam outlet --hub-channel`"
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
            Answer::Displaced(_) => format!(
                "says that a newer registration has the address of \"{}\", but not with a proof \
                 of this identity",
                self.destination
            ),
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
}

/// What a hub answers that does not stop.
fn unless_leaving(answer: Answer) -> Result<Answer, Failure> {
    match answer {
        Answer::Refused { refusal: RegistrationRefusal::Leaving, .. } => Err(Failure::Leaving),
        answer => Ok(answer),
    }
}

/// Bounds the time of a request to `hub`.
///
/// # Errors
/// Those of `asking`, and that the hub did not answer in time.
pub(super) async fn in_time<T, E: From<Error>>(
    hub: &Route,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(REGISTRATION_TIMEOUT, asking).await.unwrap_or_else(|_| {
        let waited_for = format!("the hub {hub} to register a forwarder");
        Err(Error::TimedOut { waited_for, limit: REGISTRATION_TIMEOUT }.into())
    })
}
