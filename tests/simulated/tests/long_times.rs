//! Leases, renewals and waits of minutes and hours, with the limits that nodes have by default.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam::{
    author::Host as _,
    route,
    testing::{Network, TestNode},
    ChannelLimits, Context, Echoer, Entity, ForwardingOptions, ForwardingService, ListenOptions,
    Node, Payload, RemoteForwarder, RemoteForwarderOptions, Result, Route, SecureChannel,
    SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};
use ockam_actix_workers::forwarder::protocol::{
    claim::{ForwarderId, Tenure},
    Answer, Request,
};
use tokio::time::{timeout, Instant};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A node that can dial, with a worker that echoes.
async fn node(net: &Network, name: &str) -> TestNode {
    let node = net.node(name);
    TcpTransport::create(&node).await.unwrap();
    Echoer::start(&node, "echo").unwrap();
    node
}

async fn hub_program(node: Node) -> Result<()> {
    ForwardingService::start(&node, ForwardingOptions::new())?;
    TcpTransport::create(&node).await?.listen("hub:4000").await.map(drop)
}

fn hub() -> Route {
    route![(TCP, "hub:4000")]
}

#[test]
fn leases_end_and_are_renewed() {
    let net = Network::seeded(1);
    net.run(async {
        let mut hub_node = net.node("hub");
        hub_node.boot(hub_program).await.unwrap();
        let (private, raw) = (node(&net, "private").await, node(&net, "raw").await);
        let kept = RemoteForwarder::create(&private, hub(), "echo").await.unwrap();
        // One that says nothing after its registration.
        let register = Request::Register { destination: route!["nobody"], claim: None };
        let service = hub().then("forwarding_service");
        let mut mailbox = raw.context().unwrap();
        mailbox.send(service, register.encode()).await.unwrap();
        let answer = mailbox.receive::<Payload>().await.unwrap();
        let Ok(Answer::Registered { id, .. }) = Answer::decode(answer.body()) else {
            panic!("not registered: {answer:?}");
        };
        net.sleep(MINUTE - Duration::from_secs(1)).await;
        assert!(hub_node.as_ref().is_registered(&id.address()));
        net.sleep(Duration::from_secs(2)).await;
        assert!(!hub_node.as_ref().is_registered(&id.address()));

        net.sleep(24 * HOUR - 2 * MINUTE).await;
        assert!(hub_node.as_ref().is_registered(&kept.remote_address().forwarder));
        assert_eq!(kept.watch().borrow().registrations, 1);
    });
}

#[test]
fn a_first_registration_can_wait_for_its_hub() {
    let net = Network::seeded(1);
    net.run(async {
        let private = node(&net, "private").await;
        let options = || RemoteForwarderOptions::to("echo").keep_trying();
        let mut waiting = Box::pin(RemoteForwarder::create(&private, hub(), options()));
        // Nothing listens there, then a node without the service, then a hub.
        let hub_node = net.node("hub");
        assert!(timeout(HOUR, &mut waiting).await.is_err());
        TcpTransport::create(&hub_node).await.unwrap().listen("hub:4000").await.unwrap();
        assert!(timeout(HOUR, &mut waiting).await.is_err());
        ForwardingService::start(hub_node.as_ref(), ForwardingOptions::new()).unwrap();
        let forwarder = timeout(MINUTE, waiting).await.unwrap().unwrap();
        assert!(forwarder.watch().borrow().registered);
        // What the caller has to mend is not waited for.
        let refused = RemoteForwarder::create(&private, hub(), options().service("a b")).await;
        assert!(refused.unwrap_err().to_string().contains("cannot name a service"));
        let unknown = RemoteForwarderOptions::to("nobody").keep_trying();
        RemoteForwarder::create(&private, hub(), unknown).await.unwrap_err();
    });
}

/// Takes the place of a hub: registers one forwarder, counts how often it is renewed, and says all
/// the time that it stops.
async fn leaving_hub(mut service: Context, renewals: Arc<AtomicUsize>) {
    let mut registered = None;
    loop {
        let Ok(message) = timeout(Duration::from_secs(5), service.receive::<Payload>()).await
        else {
            if let Some(inbox) = &registered {
                let farewell = Answer::Leaving(FORWARDER);
                service.send(Route::clone(inbox), farewell.encode()).await.unwrap();
            }
            continue;
        };
        let message = message.unwrap();
        let back = message.return_route().clone();
        match Request::decode(message.body()).unwrap() {
            Request::Register { .. } => registered = Some(back.clone()),
            Request::Renew(_) => drop(renewals.fetch_add(1, Ordering::SeqCst)),
            other => panic!("a request that was not due: {other:?}"),
        }
        let granted = Answer::Registered { id: FORWARDER, lease_seconds: 60, tenure: Tenure::NONE };
        service.send(back, granted.encode()).await.unwrap();
    }
}

const FORWARDER: ForwarderId = ForwarderId([7; 16]);

#[test]
fn renewals_go_on_at_a_leaving_hub() {
    let net = Network::seeded(1);
    net.run(async {
        let hub_node = net.node("hub");
        let listen = ListenOptions::on("hub:4000").expose("forwarding_service");
        TcpTransport::create(&hub_node).await.unwrap().listen(listen).await.unwrap();
        let service = Context::named(hub_node.as_ref(), "forwarding_service").unwrap();
        let renewals = Arc::new(AtomicUsize::new(0));
        actix_rt::spawn(leaving_hub(service, renewals.clone()));
        // The other one of the list, to which it could move, is down.
        let _other = net.node("other");
        let private = node(&net, "private").await;
        let hubs = route![(TCP, "hub:4000,other:4000")];
        let forwarder = RemoteForwarder::create(&private, hubs, "echo").await.unwrap();
        net.sleep(5 * MINUTE).await;
        assert!(renewals.load(Ordering::SeqCst) >= 14, "{renewals:?}");
        let state = forwarder.watch().borrow().clone();
        assert!(state.registered && state.registrations == 1, "{state:?}");
    });
}

/// A channel from "client" to "server", each with its limits; counts how often the server's policy
/// was asked.
async fn channel(
    net: &Network,
    [ours, theirs]: [ChannelLimits; 2],
) -> (TestNode, TestNode, SecureChannel, Arc<AtomicUsize>) {
    let (client, server) = (node(net, "client").await, node(net, "server").await);
    let asked = Arc::new(AtomicUsize::new(0));
    let policy = {
        let asked = asked.clone();
        move |_: &ockam::TrustContext| {
            asked.fetch_add(1, Ordering::SeqCst);
            true
        }
    };
    let entity = |node: &TestNode, limits| {
        Entity::create(node, &Vault::in_memory()).unwrap().with_limits(limits)
    };
    entity(&server, theirs).create_secure_channel_listener("listener", policy).unwrap();
    let tcp = TcpTransport::create(&server).await.unwrap();
    tcp.listen(ListenOptions::on("server:4000")).await.unwrap();
    let to = route![(TCP, "server:4000"), "listener"];
    let channel = entity(&client, ours).create_secure_channel(to, TrustEveryonePolicy).unwrap();
    channel.established().await.unwrap();
    (client, server, channel, asked)
}

#[test]
fn renewal_by_age_loses_no_message() {
    let net = Network::seeded(1);
    net.run(async {
        let limits = [(); 2].map(|()| ChannelLimits::default());
        let (client, _server, channel, asked) = channel(&net, limits).await;
        let first_hop = client.as_ref().first_hop(&route![&channel, "echo"]).unwrap();
        let ctx = client.context().unwrap();
        let begun = Instant::now();
        let mut number = 0_u32;
        while begun.elapsed() < 10 * HOUR {
            let answer: u32 = ctx.ask(route![&channel, "echo"], number).reply_as().await.unwrap();
            assert_eq!(answer, number);
            number += 1;
            net.sleep(Duration::from_secs(7)).await;
        }
        assert_eq!(first_hop.state().epoch, 0, "no session was lost");
        // New keys are due after five to ten minutes.
        let renewals = asked.load(Ordering::SeqCst) - 1;
        assert!((60..=120).contains(&renewals), "{renewals} renewals");
    });
}

#[test]
fn responders_close_idle_sessions_nobody_renews() {
    let net = Network::seeded(1);
    net.run(async {
        let never = ChannelLimits { keys_due_after: 24 * HOUR, ..ChannelLimits::default() };
        let (client, _server, channel, _) = channel(&net, [never, ChannelLimits::default()]).await;
        let mut first_hop = client.as_ref().first_hop(&route![&channel, "echo"]).unwrap();
        let begun = Instant::now();
        timeout(HOUR, first_hop.lost(0)).await.expect("the server closes the session");
        assert!(begun.elapsed() >= 15 * MINUTE && begun.elapsed() < 16 * MINUTE);
        // Nothing forbids another one, whose handshake asks both policies again.
        timeout(MINUTE, channel.established()).await.unwrap().unwrap();
    });
}
