//! Several programs with one identity on one hub: service names, and the newest registration.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{
    lock::Lock, message::MessageKind, node::routing::NextHop, route, Address, Host, Message, Node,
    Payload, Route, Routed,
};
use ockam_actix_transports::{tcp::listener::listen, ListenOptions, TCP};
use ockam_actix_workers::{
    forwarder::{
        protocol::{
            claim::{prove, Claim, ForwarderId, Instance, Salt, Statement, Tenure},
            displacement::Displacement,
            refusal::RegistrationRefusal,
            Answer, Request,
        },
        ForwardingOptions, RegistrationState, RemoteForwarder, RemoteForwarderOptions,
        FORWARDING_SERVICE,
    },
    identity::local_identity::LocalIdentity,
    secure_channel::ChannelListeners,
};
use tokio::time::Instant;

use crate::support::*;

/// Answers with the name of its node.
struct Named(&'static str);

impl Actor for Named {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Named {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        message.reply(self.0.to_owned()).unwrap();
    }
}

/// A node with a service of that identity, not yet registered.
async fn outlet(arbiters: usize, name: &'static str, identity: &LocalIdentity) -> Node {
    let node = node(arbiters).await;
    node.worker("listener", Named(name)).start().unwrap();
    node.extension(ChannelListeners::default).add("listener".into(), identity.clone());
    node
}

async fn register(node: &Node, at: &Address, service: &str) -> RemoteForwarder {
    let options = RemoteForwarderOptions::to("listener").service(service);
    in_time("a registration", RemoteForwarder::create(node, at, options)).await.unwrap()
}

async fn displaced(forwarder: &RemoteForwarder) -> RegistrationState {
    let mut states = forwarder.watch();
    let displaced = states.wait_for(|state| state.displaced);
    #[allow(clippy::let_and_return)] // The borrow must end before `states` does.
    let state = in_time("the displacement", displaced).await.unwrap().clone();
    state
}

#[test]
fn services_of_one_identity_are_all_served() {
    with_arbiters(|arbiters| async move {
        let options = ForwardingOptions::new().lease(Duration::from_secs(1));
        let (_hub, at) = hub(arbiters, options).await;
        let (identity, client) = (identity(), node(arbiters).await);
        let mut forwarders = Vec::new();
        for service in ["", "web", "db"] {
            let node = outlet(arbiters, service, &identity).await;
            forwarders.push((service, register(&node, &at, service).await));
        }
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            for (service, forwarder) in &forwarders {
                let answer = echo(&client, route![&at, forwarder.remote_address()]).await.unwrap();
                assert_eq!(answer, *service);
            }
        }
        for (_, forwarder) in forwarders {
            let state = forwarder.watch().borrow().clone();
            assert_eq!((state.registrations, state.displaced), (1, false));
        }
    });
}

#[test]
fn the_newer_of_two_registrations_keeps_the_address() {
    with_arbiters(|arbiters| async move {
        let options = ForwardingOptions::new().lease(Duration::from_secs(1));
        let (_hub, at) = hub(arbiters, options).await;
        let (identity, client) = (identity(), node(arbiters).await);
        let older = outlet(arbiters, "older", &identity).await;
        let newer = outlet(arbiters, "newer", &identity).await;
        let first = register(&older, &at, "web").await;
        let address = first.remote_address();
        let ask = || echo(&client, route![&at, address.clone()]);
        assert_eq!(ask().await.unwrap(), "older");
        // The older one still stands there, as after a power cut that the hub has not noticed.
        let second = register(&newer, &at, "web").await;
        assert_eq!(second.remote_address(), address);
        assert_eq!(ask().await.unwrap(), "newer");
        let state = displaced(&first).await;
        assert!(!state.registered);
        // Several leases long.
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            assert_eq!(ask().await.unwrap(), "newer");
        }
        assert_eq!(first.watch().borrow().registrations, 1);
        let state = second.watch().borrow().clone();
        assert_eq!((state.registrations, state.displaced), (1, false));
        // Told by its program to have the address back.
        in_time("the end of the first", first.stop()).await;
        let third = register(&older, &at, "web").await;
        assert_eq!(ask().await.unwrap(), "older");
        displaced(&second).await;
        assert!(third.watch().borrow().registered);
    });
}

#[test]
fn an_instance_that_returns_displaces_nobody() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new()).await;
        let (identity, salt) = (identity(), Salt([7; 16]));
        let instance =
            |number| Claim { instance: Instance([number; 16]), ..first_claim(&identity, salt) };
        let at = &at;
        let claim = |claim: Claim| {
            let identity = identity.clone();
            async move {
                let raw = Raw { node: node(arbiters).await, hub: route![at] };
                let (nonce, held_by) = raw.challenge("listener", &claim).await;
                let shown = identity.identity().encode();
                let answer = raw.prove("listener", claim, &identity, nonce, held_by, shown).await;
                // The connection stays.
                (raw, held_by, answer)
            }
        };
        let given = |answer: &Answer| match answer {
            Answer::Registered { tenure, .. } => *tenure,
            other => panic!("expected a registration, got {other:?}"),
        };
        let (_one, _, answer) = claim(instance(1)).await;
        let first = given(&answer);
        // The same instance over another connection.
        let again = Claim { tenure: first, ..instance(1) };
        let (_again, held_by, answer) = claim(again.clone()).await;
        assert_eq!((held_by, given(&answer)), (Instance::NONE, first));
        // A newer one, and one more.
        let (_two, held_by, answer) = claim(instance(2)).await;
        let second = given(&answer);
        assert_eq!(held_by, Instance([1; 16]));
        let (_three, _, answer) = claim(instance(3)).await;
        assert!(first < second && second < given(&answer));
        // Those before are told when they come back: the last one by its successor.
        let (_two, held_by, answer) = claim(Claim { tenure: second, ..instance(2) }).await;
        let Answer::Displaced(proof) = answer else { panic!("expected a proof, got {answer:?}") };
        assert_eq!((proof.displaced, held_by), (Instance([2; 16]), Instance([3; 16])));
        let (_one, _, answer) = claim(again.clone()).await;
        assert_eq!(granted(answer), Err(RegistrationRefusal::Displaced));
        assert!(hub.is_registered(&again.id().address()));
    });
}

#[test]
fn higher_tenures_win_at_a_restarted_hub() {
    with_arbiters(|arbiters| async move {
        let (first, at) = hub(arbiters, ForwardingOptions::new()).await;
        let identity = identity();
        let older = outlet(arbiters, "older", &identity).await;
        let kept = register(&older, &at, "web").await;
        first.stop().await;
        let _second = hub_again(arbiters, &at).await;
        // Its own loss displaced it from nothing.
        let mut states = kept.watch();
        let back = states.wait_for(|state| state.registrations == 2 && state.registered);
        assert!(!in_time("the return", back).await.unwrap().displaced);
        // One that took the address later, and which the new hub has not met.
        let salt = Salt::derive(&identity, &route![&at], &route!["listener"]);
        let later = Claim {
            service: "web".parse().unwrap(),
            tenure: Tenure(u64::MAX),
            ..first_claim(&identity, salt)
        };
        let raw = Raw { node: node(arbiters).await, hub: route![&at] };
        let (nonce, held_by) = raw.challenge("listener", &later).await;
        let shown = identity.identity().encode();
        let answer = raw.prove("listener", later, &identity, nonce, held_by, shown).await;
        assert!(granted(answer).is_ok());
        displaced(&kept).await;
    });
}

/// A program in the place of a hub: it registers once, and says to everybody that he is displaced.
struct LyingHub {
    node: Node,
    /// With whose key it signs.
    signer: LocalIdentity,
    registrations: Arc<Lock<u32>>,
    lies: Arc<Lock<u32>>,
}

impl LyingHub {
    fn lie(&self, id: ForwarderId) -> Answer {
        *self.lies.lock() += 1;
        let (nonce, destination) = ([1; 32], route!["listener"]);
        let (displaced, tenure) = (Instance([2; 16]), Tenure::NONE);
        let said = Statement { nonce: &nonce, displaced, tenure, destination: &destination };
        let signature = prove(&self.signer, &id, said);
        let identity = self.signer.identity().encode();
        Answer::Displaced(Box::new(Displacement {
            id,
            displaced,
            tenure,
            nonce,
            destination,
            signature,
            identity,
        }))
    }

    fn send(&self, to: Route, answer: &Answer) {
        let message = Message::new(to, Address::random().into(), answer.encode());
        self.node.try_route(message, NextHop::Chosen).unwrap();
    }
}

impl Actor for LyingHub {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for LyingHub {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        if message.kind() == MessageKind::Notice {
            return;
        }
        let back = message.return_route().clone();
        match Request::decode(message.body()).unwrap() {
            Request::Register { claim: Some(claim), .. } if *self.registrations.lock() == 1 => {
                self.send(back, &self.lie(claim.id()));
            }
            Request::Register { .. } => {
                let challenge = Answer::Challenge { nonce: [0; 32], held_by: Instance::NONE };
                self.send(back, &challenge);
            }
            Request::Proof { claim, .. } => {
                *self.registrations.lock() += 1;
                let (id, tenure) = (claim.id(), Tenure(1));
                let granted = Answer::Registered { id, lease_seconds: 1, tenure };
                self.send(back.clone(), &granted);
                self.send(back, &self.lie(id));
            }
            Request::Renew(id) => self.send(back, &self.lie(id)),
            Request::Release(_) => {}
        }
    }
}

#[test]
fn lies_about_a_newer_registration_are_not_believed() {
    with_arbiters(|arbiters| async move {
        let identity = identity();
        // Even the identity's own key, over what it signed for another instance.
        for signer in [crate::support::identity(), identity.clone()] {
            let liar = node(arbiters).await;
            let (registrations, lies) = (Arc::new(Lock::new(0)), Arc::new(Lock::new(0)));
            let hub = LyingHub {
                node: liar.clone(),
                signer,
                registrations: registrations.clone(),
                lies: lies.clone(),
            };
            liar.worker(FORWARDING_SERVICE, hub).start().unwrap();
            let listener = listen(&liar, ListenOptions::on("127.0.0.1:0")).await.unwrap();
            let at = Address::from((TCP, listener.address().to_string()));
            let private = outlet(arbiters, "outlet", &identity).await;
            let forwarder = register(&private, &at, "").await;
            let mut states = forwarder.watch();
            let lost = states.wait_for(|state| !state.registered);
            assert!(!in_time("the refused renewal", lost).await.unwrap().displaced);
            // It goes on trying, and is registered once the lie ends.
            until("it was lied to again", || *lies.lock() >= 3).await;
            *registrations.lock() = 2;
            let back = states.wait_for(|state| state.registrations == 2);
            assert!(!in_time("the second registration", back).await.unwrap().displaced);
        }
    });
}

#[test]
fn a_full_hub_registers_when_it_has_room() {
    with_arbiters(|arbiters| async move {
        let (hub, at) = hub(arbiters, ForwardingOptions::new().max_forwarders(1)).await;
        let (one, other) = (identity(), identity());
        let first = outlet(arbiters, "first", &one).await;
        let second = outlet(arbiters, "second", &other).await;
        let holder = register(&first, &at, "").await;
        let options = RemoteForwarderOptions::to("listener").keep_trying();
        let waiting = RemoteForwarder::create(&second, &at, options);
        tokio::pin!(waiting);
        let full = RegistrationRefusal::HubFull.rule();
        tokio::select! {
            _ = &mut waiting => panic!("there is no room"),
            () = until("the hub has refused", || hub.refusals().by(full) > 0) => {}
        }
        in_time("the release", holder.stop()).await;
        let forwarder = in_time("the registration", waiting).await.unwrap();
        assert!(forwarder.watch().borrow().registered);
    });
}
