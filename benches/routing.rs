//! The time of a routed hop: 64-byte messages through workers that forward them, on one arbiter and
//! on two, for 1 to 16 hops; and of a typed question beside that of two raw messages.
//!
//! Run it with `cargo bench --bench routing`.

#![allow(missing_docs)]

#[path = "routing/asks.rs"]
mod asks;
#[path = "routing/ring.rs"]
mod ring;

use asks::{Place, Way};

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};

fn hops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routed hop, 64 bytes");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for arbiters in [1, 2] {
        for hops in [1, 2, 4, 8, 15] {
            let id = BenchmarkId::new(format!("{arbiters} arbiters"), format!("{hops} hops"));
            group.bench_with_input(id, &hops, |bencher, &hops| {
                // On each arbiter a lap passes `hops` hops and the source, each of which is a
                // delivery.
                let deliveries = (hops as u64 + 1) * arbiters as u64;
                bencher.iter_custom(|count| ring::time(arbiters, hops, count.div_ceil(deliveries)));
            });
        }
    }
    group.finish();
}

fn questions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("question and answer");
    group.sample_size(20).throughput(Throughput::Elements(1));
    for place in [Place::Program, Place::Arbiter] {
        for way in [Way::Raw, Way::Typed] {
            let id = BenchmarkId::new(format!("{place:?}"), format!("{way:?}"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| asks::time(place, way, count));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, hops, questions);
criterion_main!(benches);
