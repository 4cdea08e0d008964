//! Nodes, workers and waits for the tests of forwarders.

use std::{
    future::{Future, IntoFuture},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{
    message::{undelivered::Undelivered, MessageKind},
    node::routing::NextHop,
    Address, Class, Context, Error, Host, Node, NodeBuilder, Payload, Result, Route, Routed,
    UndeliverableReason,
};
use ockam_actix_transports::{
    tcp::{self, listener::listen},
    ListenOptions, TCP,
};
use ockam_actix_workers::{
    forwarder::{
        protocol::{
            claim::{prove, Claim, ForwarderId, Instance, Nonce, Salt, Statement, Tenure},
            refusal::RegistrationRefusal,
            Answer, Request,
        },
        ForwardingOptions, ForwardingService, FORWARDING_SERVICE,
    },
    identity::{local_identity::LocalIdentity, vault::Vault},
    secure_channel::ChannelListeners,
};
use tokio::time::{sleep, timeout, Instant};

/// How long a wait may take before the test fails and says what it waited for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test in one actix system, once with nodes of one arbiter and once with two.
pub(crate) fn with_arbiters<F: Future<Output = ()>>(test: impl Fn(usize) -> F) {
    for arbiters in [1, 2] {
        actix_rt::System::new().block_on(test(arbiters));
    }
}

/// A node that can dial.
pub(crate) async fn node(arbiters: usize) -> Node {
    let node = NodeBuilder::new().arbiters(arbiters).start().await.unwrap();
    tcp::add(&node).unwrap();
    node
}

/// A hub, and the address at which nodes dial it.
pub(crate) async fn hub(arbiters: usize, options: ForwardingOptions) -> (Node, Address) {
    let hub = node(arbiters).await;
    ForwardingService::start(&hub, options).unwrap();
    let listener = listen(&hub, ListenOptions::on("127.0.0.1:0")).await.unwrap();
    let address = Address::from((TCP, listener.address().to_string()));
    (hub, address)
}

/// Another hub at the address of one that was stopped.
pub(crate) async fn hub_again(arbiters: usize, address: &Address) -> Node {
    let hub = node(arbiters).await;
    ForwardingService::start(&hub, ForwardingOptions::new()).unwrap();
    let (_, peer) = address.dial_parts().unwrap();
    let until = Instant::now() + DEADLINE;
    while let Err(error) = listen(&hub, ListenOptions::on(peer)).await {
        assert!(Instant::now() < until, "waiting for the port of the stopped hub: {error}");
        sleep(Duration::from_millis(5)).await;
    }
    hub
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited {DEADLINE:?} until {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Bounds a wait.
pub(crate) async fn in_time<T>(what: &str, waiting: impl IntoFuture<Output = T>) -> T {
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("waited {DEADLINE:?} for {what}"))
}

/// Asks for the echo of a text.
pub(crate) async fn echo(node: &Node, route: Route) -> Result<String> {
    in_time("an echo", node.ask(route, String::from("hello")).reply_as()).await
}

/// The hop at which a message came back.
pub(crate) fn undelivered_at<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Undeliverable(notice)) => notice.hop.to_string(),
        other => panic!("expected a notice, got {other:?}"),
    }
}

/// A node's addresses of one class.
pub(crate) fn of_class(node: &Node, class: Class) -> Vec<Address> {
    node.workers().into_iter().filter(|worker| worker.1 == class).map(|worker| worker.0).collect()
}

/// Gives what is registered as `address` a new identity.
pub(crate) fn identify(node: &Node, address: &str) -> LocalIdentity {
    let identity = identity();
    node.extension(ChannelListeners::default).add(address.into(), identity.clone());
    identity
}

pub(crate) fn identity() -> LocalIdentity {
    let vault = Vault::in_memory();
    let identifier = vault.create_identity("test").unwrap();
    vault.local_identity(&identifier).unwrap()
}

/// Sends messages on as their own routes say, with the rights of their origin.
pub(crate) struct Hop;

impl Actor for Hop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Hop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        // A failure is reported to the sender, not here.
        let _ = message.forward();
    }
}

/// Answers with the rest of the onward route.
pub(crate) struct Rest;

impl Actor for Rest {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Rest {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        let rest = message.onward_route().to_string();
        message.reply(rest).unwrap();
    }
}

/// Sends everything along a route, as a relay does, and counts.
pub(crate) struct Counting {
    pub(crate) node: Node,
    pub(crate) route: Route,
    pub(crate) passed: Arc<AtomicU64>,
}

impl Actor for Counting {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Counting {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        let own = message.address().clone();
        let mut message = message.into_message();
        let undelivered = match message.hops.checked_sub(1) {
            None => Err(Undelivered::new(message, &own, UndeliverableReason::HopsSpent)),
            Some(hops) => {
                self.passed.fetch_add(1, Ordering::Relaxed);
                message.hops = hops;
                message.onward_route.prepend(&self.route);
                self.node.try_route(message, NextHop::Chosen)
            }
        };
        if let Err(undelivered) = undelivered {
            self.node.bounce(undelivered);
        }
    }
}

/// A node's end of the registration protocol, one message at a time.
pub(crate) struct Raw {
    pub(crate) node: Node,
    pub(crate) hub: Route,
}

impl Raw {
    /// Asks one question and returns its answer.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        let mut mailbox = Context::new(&self.node).unwrap();
        let service = self.hub.then(FORWARDING_SERVICE);
        mailbox.send(service, request.encode()).await.unwrap();
        let answer = in_time("the hub's answer", mailbox.receive::<Payload>()).await.unwrap();
        assert_eq!(answer.kind(), MessageKind::Reply, "{:?}", answer.body());
        Answer::decode(answer.body()).unwrap()
    }

    pub(crate) async fn register(
        &self,
        destination: impl Into<Route>,
    ) -> Result<ForwarderId, RegistrationRefusal> {
        let destination = destination.into();
        granted(self.ask(Request::Register { destination, claim: None }).await)
    }

    /// Claims the address of `claimed` and `salt`, and proves it as `prover`.
    pub(crate) async fn claim(
        &self,
        destination: impl Into<Route>,
        claimed: &LocalIdentity,
        salt: Salt,
        prover: &LocalIdentity,
    ) -> Result<ForwarderId, RegistrationRefusal> {
        let (destination, claim) = (destination.into(), first_claim(claimed, salt));
        let (nonce, displaced) = self.challenge(&destination, &claim).await;
        let identity = claimed.identity().encode();
        granted(self.prove(destination, claim, prover, nonce, displaced, identity).await)
    }

    pub(crate) async fn challenge(
        &self,
        destination: impl Into<Route>,
        claim: &Claim,
    ) -> (Nonce, Instance) {
        let (destination, claim) = (destination.into(), Some(claim.clone()));
        match self.ask(Request::Register { destination, claim }).await {
            Answer::Challenge { nonce, held_by } => (nonce, held_by),
            other => panic!("expected a challenge, got {other:?}"),
        }
    }

    pub(crate) async fn prove(
        &self,
        destination: impl Into<Route>,
        claim: Claim,
        prover: &LocalIdentity,
        nonce: Nonce,
        displaced: Instance,
        identity: Vec<u8>,
    ) -> Answer {
        let destination = destination.into();
        let tenure = claim.tenure;
        let said = Statement { nonce: &nonce, displaced, tenure, destination: &destination };
        let signature = prove(prover, &claim.id(), said);
        self.ask(Request::Proof { destination, claim, nonce, displaced, signature, identity }).await
    }
}

/// The claim of a new instance to the service without a name.
pub(crate) fn first_claim(claimed: &LocalIdentity, salt: Salt) -> Claim {
    Claim {
        identifier: claimed.identifier(),
        salt,
        service: "".parse().unwrap(),
        instance: Instance::random(&ring::rand::SystemRandom::new()),
        tenure: Tenure::NONE,
    }
}

pub(crate) fn granted(answer: Answer) -> Result<ForwarderId, RegistrationRefusal> {
    match answer {
        Answer::Registered { id, .. } => Ok(id),
        Answer::Refused { refusal, .. } => Err(refusal),
        other => panic!("expected the end of a registration, got {other:?}"),
    }
}
