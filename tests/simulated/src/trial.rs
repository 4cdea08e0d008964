//! One run: exchanges under faults, then rest, and all that must hold.

use std::time::Duration;

use futures::future::join_all;
use ockam::testing::Network;
use ockam_actix_workers::portal::pool::StreamPool;
use tokio::time::{timeout, Instant};

use crate::{
    exchange::{client, target, Plan},
    faults::{disturb, Where},
    history::History,
    tunnel::{Step, Tunnel, INLET, TARGET},
};

/// How long after the last fault the tunnel may not work: a peer that has vanished is found out in
/// 30 seconds, and attempts then come at most 10 seconds apart.
const RECOVERY: Duration = Duration::from_secs(60);

/// How long a stream may last after that whose other end has vanished.
const ENDING: Duration = Duration::from_secs(240);

/// Clients that connect while there are faults.
pub const CLIENTS: u64 = 6;

/// Runs a trial; returns how many exchanges of the clients were whole.
///
/// Where only what is between the two ends has faults, every stream that the target has seen is
/// whole, but for clients that give up: a fault is shorter than a stream waits for another path. A
/// client that comes while there is none is reset after some seconds.
///
/// # Panics
/// If anything does not hold.
pub fn trial(net: &Network, step: Step, place: Where) -> usize {
    net.run(async {
        let mut tunnel = step.start(net).await.unwrap();
        let history = History::default();
        let host = tunnel.nodes[0].host().clone();
        let serving = target(&net.host("far"), TARGET, &history);

        let begun = Instant::now();
        let rounds = match place {
            Where::Everywhere => 1 + net.random(5),
            Where::Between => 1,
        };
        let plans: Vec<_> = (0..CLIENTS).map(|number| Plan::random(net, number)).collect();
        let clients: Vec<_> = plans
            .iter()
            .map(|plan| {
                let (plan, after) = (*plan, net.random(40_000));
                let running = client(host.clone(), INLET.into(), history.clone(), plan);
                actix_rt::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    running.await;
                })
            })
            .collect();
        disturb(net, &mut tunnel.nodes, step.links(), (place, rounds)).await;
        net.note(format_args!("the faults are over after {:?}", begun.elapsed()));

        recovers(net, &host, &history).await;
        let ended = timeout(ENDING, join_all(clients)).await;
        assert!(ended.is_ok(), "a client still waits {ENDING:?} after the faults: {history:?}");
        rests(net, &tunnel, step).await;
        let violations = history.violations();
        assert!(violations.is_empty(), "{violations:#?}");
        if place == Where::Between {
            for plan in plans.iter().filter(|plan| !plan.gives_up) {
                let noted = history.of(plan.number);
                let came_in_vain = noted.up.received == 0 && noted.down.received == 0;
                assert!(
                    came_in_vain || noted.is_whole(),
                    "the stream of {plan:?} did not survive: {noted:#?}"
                );
            }
        }
        serving.abort();
        (0..CLIENTS).filter(|number| history.of(*number).is_whole()).count()
    })
}

/// Waits until an exchange succeeds.
async fn recovers(net: &Network, host: &ockam::testing::Host, history: &History) {
    let begun = Instant::now();
    for number in CLIENTS.. {
        let plan = Plan::short(number);
        let exchange = client(host.clone(), INLET.into(), history.clone(), plan);
        let left = RECOVERY.saturating_sub(begun.elapsed());
        let in_time = timeout(left, exchange).await.is_ok();
        if in_time && history.of(number).is_whole() {
            return net.note(format_args!("it works again after {:?}", begun.elapsed()));
        }
        let noted = history.of(number);
        assert!(in_time, "it does not work {RECOVERY:?} after the faults: {noted:?}");
        net.sleep(Duration::from_millis(500)).await;
    }
}

/// Waits until nothing is left of the streams.
async fn rests(net: &Network, tunnel: &Tunnel, step: Step) {
    let ends = [&tunnel.nodes[0], &tunnel.nodes[tunnel.nodes.len() - 1]];
    let begun = Instant::now();
    loop {
        let open = ends.map(|node| StreamPool::of(node.as_ref()).open());
        let (connections, under_way) = (net.connections(), tunnel.under_way());
        let links = step.links().len();
        if open == [0, 0] && connections.len() == links && under_way == 0 {
            return;
        }
        let waited = begun.elapsed();
        assert!(
            waited < ENDING,
            "{open:?} streams, {under_way} bytes and {connections:#?} are left"
        );
        net.sleep(Duration::from_secs(1)).await;
    }
}
