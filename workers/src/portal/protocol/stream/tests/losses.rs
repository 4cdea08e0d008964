//! Whole lives along many paths, in random order, from seeds: what each application sees is an
//! exact prefix and then an end or a reset, nothing is held beyond its bound, and nothing hangs.
//!
//! `OCKAM_SEEDS=100000 cargo test -p ockam-actix-workers losses` runs more of them.

use std::time::Duration;

use crate::portal::{
    limits::MIN_WINDOW,
    protocol::{
        action::End,
        reason::ResetReason,
        stream::tests::{
            end::{Plan, Side},
            link::{Seen, INLET, OUTLET},
            world::{Setting, World},
        },
    },
};

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn side(&mut self) -> usize {
        self.below(2) as usize
    }
}

/// Says which seed failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the seed is {}", self.0);
        }
    }
}

/// What may happen besides losses of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Losses,
    Everything,
}

/// What the seeds of a test came by.
#[derive(Debug, Default)]
struct Count {
    resumed: u64,
    anew: u64,
    clean: u64,
    reset: u64,
    forgotten: u64,
}

fn seeds() -> u64 {
    std::env::var("OCKAM_SEEDS").map_or(4_000, |seeds| seeds.parse().unwrap())
}

fn plan(numbers: &mut Numbers) -> Plan {
    let retain_cap = match numbers.below(3) {
        0 => 4_000 + numbers.below(100_000),
        _ => u64::MAX,
    };
    Plan {
        sends: if numbers.one_in(6) { 0 } else { numbers.below(300_000) },
        receive_cap: MIN_WINDOW + numbers.below(300_000),
        retain_cap,
    }
}

fn setting(numbers: &mut Numbers, kind: Kind) -> Setting {
    let all = kind == Kind::Everything;
    Setting {
        plans: [plan(numbers), plan(numbers)],
        offers: !(all && numbers.one_in(10)),
        keeps: !(all && numbers.one_in(10)),
        knows: !(all && numbers.one_in(3)),
    }
}

fn step(world: &mut World, numbers: &mut Numbers, count: &mut Count, kind: Kind) {
    let (at, number) = (numbers.side(), numbers.below(60_000));
    world.now += Duration::from_millis(numbers.below(10));
    match numbers.below(100) {
        0..25 => drop(world.send(at, number, numbers.one_in(2))),
        25..45 => drop(world.take(at, number)),
        45..75 => drop(world.carry(at)),
        75..78 => drop(world.at(at, Side::end_direction)),
        78..80 => world.connect(number),
        80..82 => world.cut(at, number as usize % 5),
        82..85 => world.lose(at),
        85..90 => count.resumed += u64::from(world.resume()),
        90..91 => world.carry_late(number as usize),
        91..94 => world.at(at, |side| side.stream.acknowledge()),
        94..96 => world.at(at, |side| side.stream.handle_silence()),
        _ if kind == Kind::Losses || !numbers.one_in(5) => {}
        96 => world.at(at, Side::reset),
        97 => drop(world.give_up(at)),
        98 => match number % 4 {
            0 => world.restart_outlet(),
            1 => world.refuse(),
            _ => world.stop(at),
        },
        _ => world.restart_outlet(),
    }
}

/// Both applications read and write on, every message arrives, and the inlet finds another path,
/// until nothing moves.
fn run_out(world: &mut World) {
    let mut moved = true;
    for round in 0.. {
        if !std::mem::take(&mut moved) {
            return;
        }
        assert!(round < 10_000, "no end in sight");
        if !world.is_whole() {
            world.lose(INLET);
            world.lose(OUTLET);
        }
        moved |= world.resume();
        while world.carry(OUTLET) || world.carry(INLET) {
            moved = true;
        }
        world.connect(0);
        world.now += Duration::from_millis(1);
        for at in [INLET, OUTLET] {
            moved |= world.send(at, 50_000, true) | world.take(at, 70_000);
            moved |= world.at(at, Side::end_direction);
            moved |= world.at(at, |side| {
                let owed = side.stream.owes_ack();
                side.stream.acknowledge();
                owed
            });
        }
        // Nobody resumes a stream whose inlet is over.
        moved |= !moved && world.inlet.is_over() && world.give_up(OUTLET);
    }
}

fn check(world: &World, kind: Kind, count: &mut Count) {
    let client = &world.inlet;
    for (side, peer) in world
        .outlets
        .iter()
        .map(|outlet| (outlet, Some(client)))
        .chain([(client, world.outlets.last())])
    {
        assert!(side.is_over(), "an end waits for ever: {:?}", side.stream);
        if side.seen == Seen::Eof {
            let peer = peer.unwrap();
            assert!(peer.ended && side.got == peer.plan.sends, "a silent truncation");
        }
        match side.end {
            Some(End::Clean) => assert!(side.ended && side.seen == Seen::Eof),
            _ => assert!(side.seen == Seen::Reset && kind == Kind::Everything, "{:?}", side.end),
        }
    }
    count.anew += u64::from(world.was_unknown() && client.end == Some(End::Clean));
    match client.end {
        Some(End::Clean) => count.clean += 1,
        Some(End::ByPeer(ResetReason::Forgotten)) => count.forgotten += 1,
        _ => count.reset += 1,
    }
}

fn live(kind: Kind) -> Count {
    let mut count = Count::default();
    for seed in 0..seeds() {
        let _said = Seed(seed);
        let numbers = &mut Numbers(seed);
        let mut world = World::new(setting(numbers, kind));
        for _ in 0..numbers.below(250) {
            step(&mut world, numbers, &mut count, kind);
        }
        run_out(&mut world);
        check(&world, kind, &mut count);
    }
    count
}

#[test]
fn losses_alone_take_nothing_from_a_stream() {
    let count = live(Kind::Losses);
    println!("{count:?}");
    assert!(count.resumed > seeds() && count.clean == seeds());
}

#[test]
fn whatever_happens_applications_see_prefixes_and_ends() {
    let count = live(Kind::Everything);
    println!("{count:?}");
    let rare = seeds() / 200;
    let Count { resumed, anew, clean, reset, forgotten } = count;
    assert!([resumed, anew, clean, reset, forgotten].iter().all(|times| *times > rare));
}
