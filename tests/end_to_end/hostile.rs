//! A hostile hub, on each carrier: nothing reaches the target.

use std::{future::Future, net::SocketAddr, time::Duration};

use ockam::{
    route, Address, Entity, Error, ForwardingOptions, ForwardingService, Node, NodeBuilder, Route,
    SecureChannels, TcpTransport, TrustEveryonePolicy, UndeliverableReason, Vault, TCP,
};
use ockam_actix_harness::{
    client::{download_within, fetch, Ended},
    network::in_own_network,
    program::{example, Program},
    target::{Target, PAGE},
};
use ockam_actix_runtime::Class;

use crate::{
    carrier::Carrier,
    over::Over,
    tunnel::{forwarding_address, inlet_address, listening_outlet, start},
};

/// How long a refusal may take.
const MOMENT: Duration = Duration::from_secs(5);

/// Runs a test that has nodes of its own.
fn with_nodes<F: Future<Output = ()>>(test: F) {
    actix_rt::System::new().block_on(test);
}

async fn node() -> Node {
    NodeBuilder::new().arbiters(1).start().await.unwrap()
}

/// Asserts that neither a message nor a stream along `route` gets anywhere.
async fn gets_nowhere(node: &Node, route: Route, because: UndeliverableReason) {
    let answer = node.ask(route.clone(), "let me in".to_owned()).reply_as::<String>().await;
    match answer {
        Err(Error::Undeliverable(notice)) => assert_eq!(notice.reason, because, "{route}"),
        other => panic!("{route}: expected a notice, got {other:?}"),
    }
    let inlet = TcpTransport::create(node)
        .await
        .unwrap()
        .create_inlet("127.0.0.1:0", route.clone())
        .await
        .unwrap();
    let ended = clients_end(inlet.address()).await;
    assert_eq!(ended, Ended::Reset { after: 0 }, "{route}");
}

/// How a client's download through an inlet of this process ends.
async fn clients_end(inlet: SocketAddr) -> Ended {
    let client = tokio::task::spawn_blocking(move || download_within(inlet, 1000, 1, MOMENT));
    client.await.unwrap()
}

#[test]
fn step_03_outlet_is_unreachable_over_plain_tcp() {
    in_own_network(|| {
        let target = Target::start();
        let outlet = listening_outlet("03-outlet", &target.address(), 2);
        with_nodes(async {
            let node = node().await;
            TcpTransport::create(&node).await.unwrap();
            gets_nowhere(
                &node,
                route![(TCP, "127.0.0.1:4000"), "outlet"],
                UndeliverableReason::Unreachable,
            )
            .await;
            node.stop().await;
        });
        assert_eq!(target.accepted(), 0);
        outlet.wait_for_line("to \"outlet\" (not-exposed)");
        // Through the channel it is.
        let inlet = start("03-inlet", &["127.0.0.1:0"], 2);
        assert_eq!(fetch(inlet_address(&inlet), "/"), Ok(PAGE.into()));
        assert_eq!(target.accepted(), 1);
    });
}

/// The outlet of step 04 with its hub at `hub`, and the forwarding address: by the guide's program
/// over TCP, by `ockam` otherwise.
fn outlet_at(over: &Over, hub: &Address, target: &str) -> (Program, String) {
    let (transport, at) = hub.as_str().split_once('#').unwrap();
    if over.carrier == Carrier::Tcp {
        let outlet = Program::start(example("04-outlet").arg(target).env("OCKAM_HUB", at));
        let address = forwarding_address(&outlet);
        return (outlet, address);
    }
    let (outlet, route) = over.outlet_via(&format!("{transport}://{at}"), target);
    let (_, address) = route.split_once(" => ").unwrap();
    (outlet, address.to_owned())
}

#[test]
fn step_04_hub_does_not_reach_the_outlet() {
    Carrier::ALL.map(Over::new).iter().for_each(hub_does_not_reach_the_outlet);
}

fn hub_does_not_reach_the_outlet(over: &Over) {
    let target = Target::start();
    with_nodes(async {
        let hub = node().await;
        ForwardingService::start(&hub, ForwardingOptions::new()).unwrap();
        let at = over.carrier.listen(&hub, &over.files, 0).await.unwrap();
        let own: Vec<Address> = addresses(&hub, Class::Reply);
        let (outlet, forwarding_address) = outlet_at(over, &at, &target.address());

        // The hub knows the connection, and the forwarder that leads into it.
        let mut connections = addresses(&hub, Class::Reply);
        connections.retain(|address| !own.contains(address));
        assert_eq!(connections.len(), 1, "{connections:?}");
        let (forwarder, _) = forwarding_address.split_once('.').unwrap();
        assert!(addresses(&hub, Class::Forwarder).contains(&forwarder.into()));
        let route = route![&connections[0], "outlet"];
        gets_nowhere(&hub, route, UndeliverableReason::Unreachable).await;
        // The forwarder leads to the channel's listener, which goes no further.
        gets_nowhere(&hub, route![forwarder, "outlet"], UndeliverableReason::BodyNotUnderstood)
            .await;
        outlet.wait_for_line("to \"outlet\" (not-a-destination)");
        assert_eq!(target.accepted(), 0);

        // Nor does it get a channel, although the listener trusts everybody: it lacks the secret.
        let vault = Vault::create(&ockam::Context::new(&hub).unwrap()).unwrap();
        let mut entity = Entity::create(&ockam::Context::new(&hub).unwrap(), &vault).unwrap();
        let route = route![&connections[0], "secure_channel_listener_service"];
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        outlet.wait_for_line("needs the secret of the forwarding address");
        assert_eq!((channel.peer(), target.accepted()), (None, 0));
        channel.close();

        // Whoever was given the whole address gets there.
        let client = node().await;
        over.carrier.join(&client, &over.files).await;
        let tcp = TcpTransport::create(&client).await.unwrap();
        let vault = Vault::create(&ockam::Context::new(&client).unwrap()).unwrap();
        let mut entity = Entity::create(&ockam::Context::new(&client).unwrap(), &vault).unwrap();
        let route = route![at, forwarding_address.as_str()];
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let inlet = tcp.create_inlet("127.0.0.1:0", route![channel, "outlet"]).await.unwrap();
        assert_eq!(clients_end(inlet.address()).await, Ended::Whole);
        assert_eq!(target.accepted(), 1);
        hub.stop().await;
    });
}

fn addresses(node: &Node, class: Class) -> Vec<Address> {
    node.workers().into_iter().filter(|worker| worker.1 == class).map(|worker| worker.0).collect()
}

/// The inlet of step 04, by the same programs.
fn inlet_at(over: &Over, hub: &Address, to_listener: Route) -> Program {
    if over.carrier == Carrier::Tcp {
        let (_, at) = hub.as_str().split_once('#').unwrap();
        let address = to_listener.iter().nth(1).unwrap().to_string();
        let mut command = example("04-inlet");
        return Program::start(command.args(["127.0.0.1:0", &address]).env("OCKAM_HUB", at));
    }
    over.inlet(&to_listener.to_string())
}

#[test]
fn hub_that_answers_the_handshake_itself_is_refused() {
    Carrier::ALL.map(Over::new).iter().for_each(answering_hub_is_refused);
}

fn answering_hub_is_refused(over: &Over) {
    with_nodes(async {
        let forwarder = "F0123456789abcdef0123456789abcdef";
        let hub = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
        let mut impostor = Entity::create(&hub, &Vault::create(&hub).unwrap()).unwrap();
        impostor.create_secure_channel_listener(forwarder, TrustEveryonePolicy).unwrap();
        let tcp = TcpTransport::create(&hub).await.unwrap();
        let at = over.carrier.listen(hub.node(), &over.files, 0).await.unwrap();
        let target = Target::start();
        tcp.create_outlet("outlet", target.address()).await.unwrap();

        // The forwarding address names another identity.
        let node = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
        over.carrier.join(node.node(), &over.files).await;
        let mut entity = Entity::create(&node, &Vault::create(&node).unwrap()).unwrap();
        let expected = entity.identifier();
        let refused = route![&at, format!("{forwarder}.{expected}")];
        let channel = entity.create_secure_channel(refused.clone(), TrustEveryonePolicy).unwrap();
        let error = channel.established_within(MOMENT).await.unwrap_err().one_line();
        let both = [expected.to_string(), impostor.identifier().to_string()];
        for identifier in &both {
            assert!(error.contains(identifier), "{identifier} is not named: {error}");
        }
        let asked =
            node.ask(route![&channel, "outlet"], "hello".to_owned()).reply_as::<String>().await;
        assert!(matches!(asked, Err(Error::Undeliverable(_))), "{asked:?}");

        // The programs refuse as well.
        let inlet = inlet_at(over, &at, refused);
        let said = inlet.wait_for_line("ERROR");
        for identifier in &both {
            // As the log shows it.
            let short = &identifier[..9];
            assert!(said.contains(short), "{short} is not named: {said}");
        }
        assert_eq!(clients_end(inlet_address(&inlet)).await, Ended::Reset { after: 0 });
        assert_eq!(target.accepted(), 0);

        // The same hub is accepted where its own identity is expected.
        let route = route![at, format!("{forwarder}.{}", impostor.identifier())];
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let peer = channel.established_within(MOMENT).await.unwrap();
        assert_eq!(peer, impostor.identifier());
        node.node().stop().await;
        hub.node().stop().await;
    });
}
