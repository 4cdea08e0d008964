//! Reachability in the guide's four set-ups: what a node lists is compared with what it delivers,
//! from every side.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]
// No arbiter runs in the threads that sleep here.
#![allow(clippy::disallowed_methods)]

use std::{
    collections::BTreeSet,
    io::Read,
    net::{TcpListener, TcpStream},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use ockam::{
    access, route, Address, Echoer, Entity, Error, ForwardingOptions, ForwardingService,
    ListenOptions, Message, Node, NodeBuilder, OutletOptions, Relay, RemoteForwarder, Route,
    SecureChannel, SecureChannels, TcpTransport, TrustEveryonePolicy, UndeliverableReason, Vault,
    TCP,
};
use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::{
        directory::Registration,
        entry::{Deliver, Description, Entry},
    },
    trust::reachability::{Entrance, Reach},
    Class, Context, Host,
};

const SERVICE: &str = "secure_channel_listener_service";

/// Echoes everything, so that whoever asks knows that it was delivered.
struct Probe(Node);

impl Deliver for Probe {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let payload = message.payload.clone();
        self.0.route(message.into_reply(entry.address.clone(), payload));
        Ok(())
    }
}

/// A node under test with a worker of each kind, and the sides from which it is tried.
struct Subject {
    name: &'static str,
    node: Node,
    sides: Vec<(Entrance, Node, Route)>,
    target: Target,
    _probes: Vec<Registration>,
}

/// A TCP server that counts its connections.
struct Target {
    address: String,
    accepted: Arc<AtomicUsize>,
}

impl Target {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        std::thread::spawn(move || {
            for _stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, accepted }
    }
}

async fn node() -> Node {
    let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
    TcpTransport::create(&node).await.unwrap();
    node
}

fn entity(node: &Node) -> Entity {
    Entity::create(node, &Vault::in_memory()).unwrap()
}

impl Subject {
    async fn new(name: &'static str) -> Self {
        let (node, target) = (node().await, Target::start());
        let tcp = TcpTransport::create(&node).await.unwrap();
        tcp.create_outlet("outlet", &target.address).await.unwrap();
        let nobody = access::from_identities([]);
        tcp.create_outlet("narrowed", OutletOptions::to(&target.address).access(nobody))
            .await
            .unwrap();
        let probes = [
            ("internal", Class::Internal),
            ("service", Class::Service),
            ("forwarder", Class::Forwarder),
            ("worker", Class::User),
            ("exposed", Class::User),
        ];
        let register = |(name, class)| {
            node.register_delivery(Description::new(name, class), Probe(node.unheld()))
        };
        let _probes = probes.map(|probe| register(probe).unwrap()).into();
        let sides = vec![(Entrance::ThisNode, node.clone(), Route::new())];
        Self { name, node, sides, target, _probes }
    }

    async fn listen(&mut self, address: &str) -> Address {
        let options = ListenOptions::on(address).expose("exposed");
        let listener =
            TcpTransport::create(&self.node).await.unwrap().listen(options).await.unwrap();
        let bound = listener.address();
        let dialled = Address::from((TCP, format!("127.0.0.1:{}", bound.port())));
        let entrance = Entrance::Listener(bound.to_string());
        self.sides.push((entrance, node().await, route![&dialled]));
        dialled
    }

    /// Adds the side at the other end of a channel that was opened here.
    async fn answered_by(&mut self, peer: &Node, channel: &SecureChannel) {
        let mut spy = Context::named(peer, "spy").unwrap();
        let to_spy = route![channel, "spy"];
        self.node.send_from(&"me".into(), to_spy, String::from("?")).await.unwrap();
        let heard = spy.receive_within::<String>(Duration::from_secs(20)).await.unwrap();
        let end = heard.return_route().first().unwrap().clone();
        self.sides.push((Entrance::Channel, peer.clone(), end.into()));
    }

    /// Adds the side at the other end of the one connection that `peer` has accepted.
    fn connected_to(&mut self, dialled: &Address, peer: &Node, accepted: Address) {
        self.sides.push((Entrance::Outgoing(dialled.clone()), peer.clone(), accepted.into()));
    }

    async fn compare(&self) {
        let listing = self.node.reachability();
        let entrances: BTreeSet<String> =
            listing.entrances.iter().map(Entrance::to_string).collect();
        let before = self.target.accepted.load(Ordering::SeqCst);
        let (mut authorised, mut compared) = (before, 0);
        for (entrance, from, route) in &self.sides {
            assert!(
                entrances.contains(&entrance.to_string()),
                "{}: {entrance} is listed",
                self.name
            );
            for (worker, class) in self.node.workers() {
                // Mailboxes are internal, and answer nothing.
                let is_mailbox = worker.as_str().starts_with("mailbox-");
                if worker.is_random() || worker.dial_parts().is_some() || is_mailbox {
                    continue;
                }
                let delivered = delivered(from, route.then(worker.clone())).await;
                let expected = match listing.reach(&worker, entrance) {
                    Some(reach) => reach == Reach::Open,
                    // Not listed by name: what is internal, and forwarders, which are for all but
                    // hubs.
                    None if class == Class::Forwarder => !matches!(entrance, Entrance::Outgoing(_)),
                    None => *entrance == Entrance::ThisNode,
                };
                assert_eq!(delivered, expected, "{}: {worker} from {entrance}", self.name);
                compared += 1;
            }
            for outlet in ["outlet", "narrowed"] {
                let reached = listing.reach(&outlet.into(), entrance) == Some(Reach::Open);
                authorised += usize::from(reached);
                let connected = self.connect(from, route.then(outlet), authorised).await;
                assert_eq!(connected, authorised, "{}: {outlet} from {entrance}", self.name);
            }
        }
        println!("{}: {compared} deliveries as listed, 0 others", self.name);
    }

    /// Tries to get a stream to the target; returns how many connections the target has had once
    /// this is decided.
    async fn connect(&self, from: &Node, route: Route, expected: usize) -> usize {
        let inlet = TcpTransport::create(&from)
            .await
            .unwrap()
            .create_inlet("127.0.0.1:0", route)
            .await
            .unwrap();
        let address = inlet.address();
        let accepted = self.target.accepted.clone();
        let tried = move || {
            let mut client = TcpStream::connect(address).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // The target says nothing and closes at once; an inlet without a route resets.
            let _ = client.read(&mut [0; 1]);
            for _ in 0..2_000 {
                if accepted.load(Ordering::SeqCst) >= expected {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            accepted.load(Ordering::SeqCst)
        };
        actix_rt::task::spawn_blocking(tried).await.unwrap()
    }
}

/// Whether a message reached the worker at the end of `route`: it answered, or did not understand.
async fn delivered(from: &Node, route: Route) -> bool {
    match from.ask(route.clone(), String::from("hello")).reply_as::<String>().await {
        Ok(_) => true,
        Err(Error::Undeliverable(notice)) => notice.reason != UndeliverableReason::Unreachable,
        Err(error) => panic!("{route}: {error}"),
    }
}

fn accepted(node: &Node) -> Address {
    let mut random = node.workers().into_iter().filter(|(_, class)| *class == Class::Reply);
    random.next().expect("a connection was accepted").0
}

#[test]
fn listed_reachability_matches_what_is_delivered() {
    actix_rt::System::new().block_on(async {
        let one = Subject::new("01: one node").await;
        one.compare().await;

        for (name, address) in [
            ("02: outlet on loopback", "127.0.0.1:0"),
            ("02: outlet on every interface", "0.0.0.0:0"),
        ] {
            let mut outlet = Subject::new(name).await;
            let at = outlet.listen(address).await;
            outlet.compare().await;
            let server = node().await;
            let listener =
                TcpTransport::create(&server).await.unwrap().listen("127.0.0.1:0").await.unwrap();
            let dialled = Address::from((TCP, listener.address().to_string()));
            let mut inlet = Subject::new("02: inlet").await;
            TcpTransport::create(&inlet.node)
                .await
                .unwrap()
                .connect(listener.address().to_string())
                .await
                .unwrap();
            wait_for_connection(&server).await;
            inlet.connected_to(&dialled, &server, accepted(&server));
            inlet.compare().await;
            drop(at);
        }

        let mut outlet = Subject::new("03: outlet").await;
        let at = outlet.listen("127.0.0.1:0").await;
        entity(&outlet.node).create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let mut inlet = Subject::new("03: inlet").await;
        let route = route![at, SERVICE];
        let channel =
            entity(&inlet.node).create_secure_channel(route, TrustEveryonePolicy).unwrap();
        channel.established().await.unwrap();
        inlet.answered_by(&outlet.node, &channel).await;
        outlet.sides.push((Entrance::Channel, inlet.node.clone(), route![&channel]));
        outlet.compare().await;
        inlet.compare().await;

        let hub = node().await;
        ForwardingService::start(&hub, ForwardingOptions::new()).unwrap();
        let listener =
            TcpTransport::create(&hub).await.unwrap().listen("127.0.0.1:0").await.unwrap();
        let at = Address::from((TCP, listener.address().to_string()));
        let mut outlet = Subject::new("04: outlet").await;
        entity(&outlet.node).create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let forwarder = RemoteForwarder::create(&outlet.node, &at, SERVICE).await.unwrap();
        outlet.connected_to(&at, &hub, accepted(&hub));
        let mut inlet = Subject::new("04: inlet").await;
        let route = route![&at, forwarder.remote_address()];
        let channel =
            entity(&inlet.node).create_secure_channel(route, TrustEveryonePolicy).unwrap();
        channel.established().await.unwrap();
        inlet.answered_by(&outlet.node, &channel).await;
        outlet.sides.push((Entrance::Channel, inlet.node.clone(), route![&channel]));
        outlet.compare().await;
        inlet.compare().await;
    });
}

#[test]
fn no_kind_of_worker_has_a_peers_name() {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let peer = || Address::from((TCP, "127.0.0.1:4000"));
        let tcp = TcpTransport::create(&node).await.unwrap();
        let refused = [
            tcp.create_outlet(peer(), "127.0.0.1:5000").await.unwrap_err(),
            entity(&node).create_secure_channel_listener(peer(), TrustEveryonePolicy).unwrap_err(),
            Echoer::start(&node, peer()).unwrap_err(),
            Relay::start(&node, peer(), "echoer").unwrap_err(),
            node.group(peer()).start().unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, Error::ReservedAddress(_)), "{error}");
        }
        assert!(!node.is_registered(&peer()), "nothing is left of them");
        node.stop().await;
    });
}

async fn wait_for_connection(node: &Node) {
    for _ in 0..2_000 {
        if node.workers().iter().any(|(_, class)| *class == Class::Reply) {
            return;
        }
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no connection was accepted");
}
