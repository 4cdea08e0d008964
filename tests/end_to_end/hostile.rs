//! Hostile peers, and a hostile hub: nothing reaches the target, and the programs go on serving
//! others.

use std::{
    future::Future,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use ockam::{
    route, Address, Entity, Error, ForwardingOptions, ForwardingService, Node, NodeBuilder, Route,
    SecureChannels, TcpTransport, TrustEveryonePolicy, UndeliverableReason, Vault, TCP,
};
use ockam_actix_harness::{
    client::{connect, download_within, fetch, Ended},
    deadline::{poll, PATIENCE},
    network::in_own_network,
    program::{example, Program},
    target::{Target, PAGE},
};
use ockam_actix_runtime::Class;

use crate::tunnel::{
    forwarding_address, inlet_address, listening_outlet, start, step_02, step_03, step_04,
};

/// A node's greeting, as in docs/protocol.md.
const GREETING: &[u8] = b"\0\0\0\x13\0\0\x93\xabockam-actix\x01\xce\0\x04\0\0";

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

#[test]
fn step_04_hub_does_not_reach_the_outlet() {
    let target = Target::start();
    with_nodes(async {
        let hub = node().await;
        ForwardingService::start(&hub, ForwardingOptions::new()).unwrap();
        let listener =
            TcpTransport::create(&hub).await.unwrap().listen("127.0.0.1:0").await.unwrap();
        let own: Vec<Address> = addresses(&hub, Class::Reply);
        let mut command = example("04-outlet");
        command.arg(target.address()).env("OCKAM_HUB", listener.address().to_string());
        let outlet = Program::start(&mut command);
        let forwarding_address = forwarding_address(&outlet);

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
        let tcp = TcpTransport::create(&client).await.unwrap();
        let vault = Vault::create(&ockam::Context::new(&client).unwrap()).unwrap();
        let mut entity = Entity::create(&ockam::Context::new(&client).unwrap(), &vault).unwrap();
        let route = route![(TCP, listener.address().to_string()), forwarding_address.as_str()];
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

#[test]
fn hub_that_answers_the_handshake_itself_is_refused() {
    with_nodes(async {
        let forwarder = "F0123456789abcdef0123456789abcdef";
        let hub = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
        let mut impostor = Entity::create(&hub, &Vault::create(&hub).unwrap()).unwrap();
        impostor.create_secure_channel_listener(forwarder, TrustEveryonePolicy).unwrap();
        let tcp = TcpTransport::create(&hub).await.unwrap();
        let address = tcp.listen("127.0.0.1:0").await.unwrap().address().to_string();
        let target = Target::start();
        tcp.create_outlet("outlet", target.address()).await.unwrap();

        // The forwarding address names another identity.
        let node = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
        TcpTransport::create(&node).await.unwrap();
        let mut entity = Entity::create(&node, &Vault::create(&node).unwrap()).unwrap();
        let expected = entity.identifier();
        let route = route![(TCP, &address), format!("{forwarder}.{expected}")];
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let error = channel.established_within(MOMENT).await.unwrap_err().one_line();
        let both = [expected.to_string(), impostor.identifier().to_string()];
        for identifier in &both {
            assert!(error.contains(identifier), "{identifier} is not named: {error}");
        }
        let asked =
            node.ask(route![&channel, "outlet"], "hello".to_owned()).reply_as::<String>().await;
        assert!(matches!(asked, Err(Error::Undeliverable(_))), "{asked:?}");

        // The guide's program refuses as well.
        let mut command = example("04-inlet");
        command
            .args(["127.0.0.1:0", &format!("{forwarder}.{expected}")])
            .env("OCKAM_HUB", &address);
        let inlet = Program::start(&mut command);
        let said = inlet.wait_for_line("ERROR");
        for identifier in &both {
            assert!(said.contains(identifier), "{identifier} is not named: {said}");
        }
        assert_eq!(clients_end(inlet_address(&inlet)).await, Ended::Reset { after: 0 });
        assert_eq!(target.accepted(), 0);

        // The same hub is accepted where its own identity is expected.
        let route = route![(TCP, &address), format!("{forwarder}.{}", impostor.identifier())];
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let peer = channel.established_within(MOMENT).await.unwrap();
        assert_eq!(peer, impostor.identifier());
        node.node().stop().await;
        hub.node().stop().await;
    });
}

/// Sends `bytes` to the fixed port, and waits until the node closes the connection; its log must
/// name this peer and say `why`.
fn is_disconnected(listening: &Program, bytes: &[u8], why: &str) {
    let (mut peer, address) = hostile_peer(bytes);
    // The rest may not be taken any more, and the connection may end with a reset.
    let _ = peer.shutdown(Shutdown::Write);
    let end = peer.read_to_end(&mut Vec::new());
    if let Err(error) = end {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{why}");
    }
    let said = poll("a line about the peer", MOMENT, || {
        let lines = listening.stderr();
        let named = lines.iter().find(|line| line.contains(&address)).cloned();
        named.ok_or(format!("nothing about {address} ({why}): {listening}"))
    });
    assert!(said.contains(why), "{why:?} is not in {said:?}");
}

fn hostile_peer(bytes: &[u8]) -> (TcpStream, String) {
    let mut peer = connect("127.0.0.1:4000".parse().unwrap(), PATIENCE).unwrap();
    let address = peer.local_addr().unwrap().to_string();
    let _ = peer.write_all(bytes);
    (peer, address)
}

/// Everything that a peer can do wrong before it is understood; `serves` shows that others are
/// served.
fn garbage_at(listening: &mut Program, serves: impl Fn()) {
    let after_greeting = |bytes: &[u8]| [GREETING, bytes].concat();
    is_disconnected(listening, b"GET / HTTP/1.1\r\n\r\n", "does not speak the protocol");
    serves();
    is_disconnected(listening, &[0xff; 100_000], "does not speak the protocol");
    is_disconnected(listening, b"\0\0\0\x13\0\0\x93\xabockam-actix\x09\xce\0\x04\0\0", "version 9");
    is_disconnected(listening, &GREETING[..10], "greeting");
    is_disconnected(listening, b"", "greeting");
    serves();
    is_disconnected(listening, &after_greeting(&[0xff; 4]), "frame of 4294967295 bytes");
    is_disconnected(listening, &after_greeting(b"\0\x04\0\x01"), "frame of 262145 bytes");
    is_disconnected(listening, &after_greeting(b"\0\0\0\x05\0\x01wrong"), "breaks the protocol");
    is_disconnected(listening, &after_greeting(b"\0\0\0\0\0\x01"), "breaks the protocol");
    is_disconnected(listening, &after_greeting(b"\0\0\0\0\0\0"), "malformed grant");
    let absurd = after_greeting(b"\0\0\0\x0a\0\0\0\x07\0\0\0\x01\0\0\0\0");
    is_disconnected(listening, &absurd, "credit for which there is no reason");
    serves();
    // Half a greeting and half a frame, and the connections stay open.
    let open = [
        hostile_peer(b""),
        hostile_peer(&GREETING[..10]),
        hostile_peer(&after_greeting(b"\0\0")),
        hostile_peer(&after_greeting(b"\0\x04\0\0half of it")),
    ];
    serves();
    drop(open);
    serves();
    assert!(listening.is_running(), "{listening}");
}

#[test]
fn garbage_at_step_02_outlet_harms_nobody_else() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_02(&target.address(), 1);
        let inlet = tunnel.inlet;
        garbage_at(&mut tunnel.programs[0], || assert_eq!(fetch(inlet, "/"), Ok(PAGE.into())));
    });
}

#[test]
fn garbage_at_step_03_outlet_harms_nobody_else() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_03(&target.address(), 1);
        let inlet = tunnel.inlet;
        garbage_at(&mut tunnel.programs[0], || assert_eq!(fetch(inlet, "/"), Ok(PAGE.into())));
    });
}

#[test]
fn garbage_at_the_hub_harms_nobody_else() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_04(&target.address(), 1);
        let inlet = tunnel.inlet;
        garbage_at(&mut tunnel.programs[0], || assert_eq!(fetch(inlet, "/"), Ok(PAGE.into())));
    });
}
