//! Looking up an entry of the routing table as the table grows.

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::entries::{Asked, Filled, NUMBERS};

/// The time stays flat for a few busy workers among many; for each entry in turn the caches show.
pub(crate) fn finds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find among");
    group.throughput(Throughput::Elements(1));
    for asked in [Asked::Busy, Asked::All] {
        for entries in NUMBERS {
            let filled = Filled::new(entries, asked);
            let id = BenchmarkId::new(format!("{asked:?}"), format!("{entries} entries"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| {
                    let begun = Instant::now();
                    filled.find(count);
                    begun.elapsed()
                });
            });
        }
    }
    group.finish();
}
