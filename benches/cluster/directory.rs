//! The directory of a cluster: what a forwarder costs at its hub, and how fast forwarders are
//! registered and found, with the hubs' own code in one thread of this process.
//!
//! ```sh
//! cargo bench -p ockam-actix-simulated --bench directory -- 10 1000000    # hubs, forwarders
//! cargo bench -p ockam-actix-simulated --bench directory                  # how both grow
//! ```
//!
//! Hubs and nodes are in a simulated network, in which the limits on requests cost virtual time
//! alone, and hubs ask each other over a bus in memory. Processor time is what all of them take
//! together: nodes, network and hubs. Memory is what the process grows by while forwarders are
//! registered over connections that exist already; the addresses that this program itself notes are
//! there before. Each address belongs to an identity, which signs for it, as those of outlets do.

// It measures, and ends with the first thing that goes wrong.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    env,
    process::{self, Command},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use actix::{Actor, Context as ActorContext, Handler};
use futures::future::join_all;
use ockam::{
    cluster::Cluster,
    route,
    testing::{LinkOptions, Network, TestNode},
    Context, ForwardingOptions, ForwardingService, Node, Payload, RemoteForwarder, Result, Route,
    Routed, TcpTransport, TCP,
};
use ockam_actix_harness::{table::table, usage};
use ockam_actix_runtime::worker::mailbox::Registered;
use ockam_actix_workers::{
    forwarder::protocol::{
        claim::{prove, Claim, ForwarderId, Instance, Salt, Statement, Tenure},
        Answer, Request,
    },
    identity::{local_identity::LocalIdentity, vault::Vault},
};
use ring::rand::{SecureRandom, SystemRandom};
use simulated::bus::MemoryBus;

/// The allocator of the program `ockam`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Nodes that register, each with a connection to each hub.
const NODES: usize = 16;

/// Forwarders that a connection registers in a (virtual) second: as many as a hub permits, as each
/// takes two requests.
const EACH_SECOND: usize = 5;

/// Forwarders that are looked for at most, and how many at a time.
const LOOKED_FOR: usize = 50_000;
const AT_A_TIME: usize = 1_000;

/// What is asked for without arguments: hubs and forwarders.
const GROWTH: [(usize, usize); 9] = [
    (10, 10),
    (10, 100),
    (10, 1_000),
    (10, 10_000),
    (10, 100_000),
    (1, 20_000),
    (2, 20_000),
    (4, 20_000),
    (8, 20_000),
];

const HEADING: [&str; 7] = [
    "hubs",
    "forwarders",
    "bytes for each",
    "registered a second",
    "found a second",
    "sent on a second",
    "MB in all",
];

fn main() {
    let arguments: Vec<_> = env::args().skip(1).filter(|text| text != "--bench").collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    match numbers[..] {
        [] => {
            let mut lines = vec![HEADING.map(str::to_owned).to_vec()];
            for (hubs, forwarders) in GROWTH {
                // Each in a process of its own, as memory that was used before hides growth.
                let mut command = Command::new(env::current_exe().unwrap());
                let output = command.args([hubs, forwarders].map(|number| number.to_string()));
                let text = String::from_utf8(output.output().unwrap().stdout).unwrap();
                let line = text.lines().last().expect("the run has failed");
                lines.push(
                    line.split('|').map(str::trim).filter(not_empty).map(String::from).collect(),
                );
            }
            print!("{}", table(&lines));
        }
        [hubs, forwarders] => {
            let found = measure(hubs, forwarders);
            print!("{}", table(&[HEADING.map(str::to_owned).to_vec(), found]));
        }
        _ => println!("expected the number of hubs and that of forwarders, or nothing"),
    }
}

fn not_empty(text: &&str) -> bool {
    !text.is_empty()
}

/// Counts what arrives.
struct Sink(Arc<AtomicUsize>);

impl Actor for Sink {
    type Context = ActorContext<Self>;
}

impl Handler<Registered> for Sink {
    type Result = ();

    fn handle(&mut self, _: Registered, _: &mut ActorContext<Self>) {}
}

impl Handler<Routed<Payload>> for Sink {
    type Result = ();

    fn handle(&mut self, _: Routed<Payload>, _: &mut ActorContext<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn at(hub: usize) -> String {
    format!("hub-{hub}:4000")
}

async fn hub(node: Node, number: usize, bus: MemoryBus) -> Result<()> {
    // The name of a place on the bus lives as long as the process, as the hub does.
    let name: &'static str = format!("hub-{number}").leak();
    let cluster = Cluster::join(&node, (TCP, at(number)), bus.join(name))?;
    let options = ForwardingOptions::new()
        .max_forwarders(usize::MAX)
        .max_per_connection(usize::MAX)
        .max_per_source(usize::MAX)
        .lease(Duration::from_secs(24 * 3_600))
        .cluster(cluster);
    ForwardingService::start(&node, options)?;
    TcpTransport::create(&node).await?.listen(at(number)).await.map(drop)
}

/// A node that registers forwarders to its sink, with a connection to each hub.
async fn registrant(
    net: &Network,
    number: usize,
    hubs: usize,
    arrived: &Arc<AtomicUsize>,
) -> (TestNode, Vec<RemoteForwarder>) {
    let node = net.node(&format!("node-{number}"));
    TcpTransport::create(&node).await.unwrap();
    let sink = Sink(arrived.clone());
    node.context().unwrap().worker("sink", sink).start().unwrap();
    // These let what the hubs forward come to the sink, too.
    let forwarders = (0..hubs).map(|hub| RemoteForwarder::create(&node, (TCP, at(hub)), "sink"));
    let forwarders = join_all(forwarders).await;
    (node, forwarders.into_iter().map(Result::unwrap).collect())
}

/// Registers `count` forwarders at a hub, no faster than it permits.
async fn register(net: &Network, mut ctx: Context, hub: usize, count: usize) -> Vec<ForwarderId> {
    let vault = Vault::in_memory();
    let local = vault.local_identity(&vault.create_identity("node").unwrap()).unwrap();
    let identity = local.identity().encode();
    let service = route![(TCP, at(hub)), "forwarding_service"];
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        if number % EACH_SECOND == 0 {
            net.sleep(Duration::from_secs(1)).await;
        }
        ids.push(register_one(&mut ctx, &service, &local, &identity).await);
    }
    ids
}

async fn register_one(
    ctx: &mut Context,
    service: &Route,
    local: &LocalIdentity,
    identity: &[u8],
) -> ForwarderId {
    let (mut salt, random) = ([0; 16], SystemRandom::new());
    random.fill(&mut salt).unwrap();
    let (instance, tenure) = (Instance::random(&random), Tenure::NONE);
    let (identifier, service_name) = (local.identifier(), "".parse().unwrap());
    let claim = Claim { identifier, salt: Salt(salt), service: service_name, instance, tenure };
    let destination = route!["sink"];
    let request =
        Request::Register { destination: destination.clone(), claim: Some(claim.clone()) };
    let answer = ask(ctx, service, &request).await;
    let Answer::Challenge { nonce, held_by: displaced } = answer else { panic!("{answer}") };
    let said = Statement { nonce: &nonce, displaced, tenure, destination: &destination };
    let signature = prove(local, &claim.id(), said);
    let identity = identity.to_vec();
    let proof = Request::Proof { destination, claim, nonce, displaced, signature, identity };
    match ask(ctx, service, &proof).await {
        Answer::Registered { id, .. } => id,
        answer => panic!("{answer}"),
    }
}

async fn ask(ctx: &mut Context, service: &Route, request: &Request) -> Answer {
    ctx.send(service.clone(), request.encode()).await.unwrap();
    let answer = ctx.receive::<Payload>().await.unwrap();
    Answer::decode(answer.body()).unwrap()
}

/// Sends one message to each of `ids`, which are of another hub than `hub`, and waits until all
/// have arrived. Returns how many that were in a second.
async fn send_to_each(
    net: &Network,
    ctx: &Context,
    hub: usize,
    ids: &[ForwarderId],
    arrived: &AtomicUsize,
) -> f64 {
    let begun = Instant::now();
    for batch in ids.chunks(AT_A_TIME) {
        let expected = arrived.load(Ordering::Relaxed) + batch.len();
        for id in batch {
            let route = route![(TCP, at(hub)), id.address()];
            ctx.send(route, Payload::from(vec![7; 64])).await.unwrap();
        }
        while arrived.load(Ordering::Relaxed) < expected {
            net.sleep(Duration::from_millis(1)).await;
        }
    }
    ids.len() as f64 / begun.elapsed().as_secs_f64()
}

fn measure(hubs: usize, forwarders: usize) -> Vec<String> {
    let (net, bus) = (Network::seeded(1), MemoryBus::default());
    net.run(async {
        net.set_links(LinkOptions::new().latency(Duration::from_millis(5)));
        let mut nodes = Vec::new();
        for number in 0..hubs {
            let (mut node, bus) = (net.node(&format!("hub-{number}")), bus.clone());
            node.boot(move |node| hub(node, number, bus.clone())).await.unwrap();
            nodes.push(node);
        }
        let arrived = Arc::new(AtomicUsize::new(0));
        let mut registrants = Vec::new();
        for number in 0..NODES {
            registrants.push(registrant(&net, number, hubs, &arrived).await);
        }
        let connections = NODES * hubs;
        let (before, begun) = (usage::memory_now(process::id()), Instant::now());
        let registering = (0..connections).map(|number| {
            let (node, hub) = (&registrants[number / hubs].0, number % hubs);
            let count = forwarders / connections + usize::from(number < forwarders % connections);
            register(&net, node.context().unwrap(), hub, count)
        });
        let registered = join_all(registering).await;
        let (took, after) = (begun.elapsed(), usage::memory_now(process::id()));
        let noted = forwarders * size_of::<ForwarderId>();
        let each = after.saturating_sub(before).saturating_sub(noted as u64) / forwarders as u64;

        // A client of the first hub looks for those of all others.
        let client = net.node("client");
        TcpTransport::create(&client).await.unwrap();
        let ctx = client.context().unwrap();
        let others = (0..connections).filter(|number| hubs == 1 || number % hubs != 0);
        let ids: Vec<_> =
            others.flat_map(|number| &registered[number]).copied().take(LOOKED_FOR).collect();
        let [found, sent_on] = [
            send_to_each(&net, &ctx, 0, &ids, &arrived).await,
            send_to_each(&net, &ctx, 0, &ids, &arrived).await,
        ];
        let rate = forwarders as f64 / took.as_secs_f64();
        [
            hubs.to_string(),
            forwarders.to_string(),
            each.to_string(),
            format!("{rate:.0}"),
            if hubs > 1 { format!("{found:.0}") } else { "-".to_owned() },
            format!("{sent_on:.0}"),
            format!("{:.0}", usage::peak_memory(process::id()) as f64 / 1e6),
        ]
        .to_vec()
    })
}
