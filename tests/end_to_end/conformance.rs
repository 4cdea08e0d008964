//! A tunnel ends connections as TCP does: scripts of what client and target do, played over a
//! direct connection and through each step of the guide, must lead to what TCP allows, and to the
//! outcome of a direct connection where that has only one.
//!
//! | module | what is in it |
//! |---|---|
//! | [`script`] | what a client and a target do |
//! | [`orders`] | all orders of FIN and RST |
//! | [`cases`] | the others: half-close, full windows, unread bytes |
//! | [`expected`] | what was seen, and what TCP allows |
//! | [`application`] | one side of a connection |
//! | [`runner`] | playing a script over a connection or a tunnel |
//!
//! Each script runs once; `OCKAM_ORDERS` times if that is set, with other byte counts each time, of
//! which `OCKAM_ORDERS_SEED` is the seed. Scripts that move megabytes, and those that must run
//! alone, run a hundredth as often.

mod application;
mod cases;
mod expected;
mod orders;
mod runner;
mod script;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    net::SocketAddr,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex,
    },
    time::Instant,
};

use futures::{stream::iter, StreamExt, TryStreamExt};

use self::{
    expected::{History, Outcome},
    runner::Runner,
    script::Script,
};
use ockam_actix_harness::network::in_own_network;

use crate::{
    carrier::Carrier,
    over::Over,
    tunnel::{step_01, step_02, step_03, step_04, Tunnel},
};

/// The outcomes that each exact script had, at client and target.
type Seen = BTreeMap<String, BTreeSet<[Outcome; 2]>>;

/// Scripts at a time.
const AT_ONCE: usize = 32;
const LARGE_AT_ONCE: usize = 4;

/// The most bytes of a script that is not large.
const MAX_BYTES: u64 = 150_000;

/// As many bytes before a FIN and a RST arrive over a direct connection, because they fit into the
/// sockets' first buffers, and through a tunnel, because an inlet may send them before the outlet
/// has answered.
const EXACT_BYTES: u64 = 60_000;

/// The default seed, fixed so that a failure can be repeated.
const SEED: u64 = 0x5eed;

fn number(variable: &str, default: u64) -> u64 {
    let text = env::var(variable);
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// Plays all scripts over a direct connection; with a tunnel to the target also through that, and
/// compares the outcomes.
fn conforms(start: impl FnOnce(&str) -> Option<Tunnel> + Send + 'static) {
    actix_rt::System::new().block_on(async {
        let runner = Runner::start().await;
        let direct = runner.address();
        let count = number("OCKAM_ORDERS", 1);
        let target = direct.to_string();
        let start = tokio::task::spawn_blocking(move || start(&target));
        let tunnel = start.await.unwrap();
        let directly = play_all("direct", &runner, direct, count).await;
        let Some(mut tunnel) = tunnel else { return };
        let tunnelled = play_all("through the tunnel", &runner, tunnel.inlet, count).await;
        compare(&directly, &tunnelled);
        for program in &mut tunnel.programs {
            assert!(program.is_running(), "{program}");
        }
    });
}

/// Asserts that a script with one outcome over direct connections has the same one through a
/// tunnel.
fn compare(directly: &Seen, tunnelled: &Seen) {
    let one = directly.iter().filter(|(_, outcomes)| outcomes.len() == 1);
    let differ: Vec<_> = one
        .clone()
        .filter(|(script, outcomes)| tunnelled[*script] != **outcomes)
        .map(|(script, outcomes)| {
            format!("\"{script}\": directly {outcomes:?}, tunnelled {:?}", tunnelled[script])
        })
        .collect();
    assert!(differ.is_empty(), "{} scripts differ:\n{}", differ.len(), differ.join("\n"));
    println!("{} scripts have the outcome of a direct connection", one.count());
}

async fn play_all(entry_name: &str, runner: &Runner, entry: SocketAddr, count: u64) -> Seen {
    let all_seen = Mutex::new(Seen::new());
    let (begun, seed) = (Instant::now(), number("OCKAM_ORDERS_SEED", SEED));
    let numbers = AtomicU64::new(1);
    let play = |run: u64, script: Script| {
        let (number, all_seen) = (numbers.fetch_add(1, Ordering::Relaxed), &all_seen);
        async move {
            let played = runner.run(entry, &script, number).await;
            let note = |[client, target]: [History; 2]| {
                if script.is_exact {
                    let outcomes = [client.outcome(&target), target.outcome(&client)];
                    let mut seen = all_seen.lock().unwrap();
                    seen.entry(script.name.clone()).or_default().insert(outcomes);
                }
            };
            played.map(note).map_err(|why| {
                format!("{entry_name}, run {run} of seed {seed}, \"{}\": {why}", script.name)
            })
        }
    };
    let each = |count: u64, scripts: fn(u64) -> Vec<Script>, takes: fn(&Script) -> bool| {
        let runs = (0..count).flat_map(move |run| {
            let scripts = scripts(bytes_of(seed, run)).into_iter();
            scripts.filter(takes).map(move |script| (run, script))
        });
        iter(runs).map(|(run, script)| play(run, script))
    };
    let seldom = count.div_ceil(100);
    let orders = each(count, orders::scripts, |_| true).buffer_unordered(AT_ONCE);
    let small = |script: &Script| !script.is_large && !script.is_bare;
    let small = each(count, cases::scripts, small).buffer_unordered(AT_ONCE / 2);
    let large = each(seldom, cases::scripts, |script| script.is_large);
    let bare = each(seldom, cases::scripts, |script| script.is_bare);
    let rest = small.chain(large.buffer_unordered(LARGE_AT_ONCE)).chain(bare.buffered(1));
    let played = orders.chain(rest).try_fold(0, |played, ()| async move { Ok(played + 1) });
    let played: u64 = played.await.unwrap_or_else(|violation: String| panic!("{violation}"));
    println!(
        "{entry_name}: {} orders of FIN and RST in 3 variants each, {count} times, \
         with the other cases {played} scripts, \
         seed {seed}, 0 violations, {:.1} s",
        orders::scripts(0).len() / 3,
        begun.elapsed().as_secs_f32()
    );
    all_seen.into_inner().unwrap()
}

/// How many bytes a run's scripts send: in every other run so few that there is one outcome.
fn bytes_of(seed: u64, run: u64) -> u64 {
    let mixed = (seed ^ run).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    1 + (mixed >> 32) % if run.is_multiple_of(2) { EXACT_BYTES } else { MAX_BYTES }
}

#[test]
fn direct_connections_end_as_the_scripts_say() {
    in_own_network(|| conforms(|_| None));
}

#[test]
fn step_01_ends_connections_as_tcp_does() {
    in_own_network(|| conforms(|target| Some(step_01(target, 2))));
}

#[test]
fn step_02_ends_connections_as_tcp_does() {
    in_own_network(|| conforms(|target| Some(step_02(target, 2))));
}

#[test]
fn step_03_ends_connections_as_tcp_does() {
    in_own_network(|| conforms(|target| Some(step_03(target, 2))));
}

#[test]
fn step_04_ends_connections_as_tcp_does() {
    in_own_network(|| conforms(|target| Some(step_04(target, 2))));
}

/// Step 04 by `ockam`; over TCP it is above.
fn conforms_over(carrier: Carrier) {
    let over = Arc::new(Over::new(carrier));
    // Its files stay until all scripts have been played: the inlet may dial a socket in their
    // folder only after it has said where it listens.
    let started = over.clone();
    conforms(move |target| Some(started.step_04(target)));
}

#[test]
fn unix_sockets_end_connections_as_tcp_does() {
    in_own_network(|| conforms_over(Carrier::Unix));
}

#[test]
fn ws_ends_connections_as_tcp_does() {
    in_own_network(|| conforms_over(Carrier::Ws));
}

#[test]
fn wss_ends_connections_as_tcp_does() {
    in_own_network(|| conforms_over(Carrier::Wss));
}

#[test]
fn quic_ends_connections_as_tcp_does() {
    in_own_network(|| conforms_over(Carrier::Quic));
}
