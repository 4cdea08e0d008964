//! The cost of the pure parts, without sockets, actors or clocks. Each message that a node moves
//! passes some of them.
//!
//! | file | what is measured |
//! |---|---|
//! | [`message`] | encoding and decoding messages, and splitting arrived bytes into frames |
//! | [`channel`] | handshakes, records and cookies |
//! | [`portal`] | the messages of streams, and a chunk passing the states of both ends |
//! | [`table`] | finding an entry of the routing table |
//!
//! Run it with `cargo bench --bench pure`, or a part of it with
//! `cargo bench --bench pure -- records`.

#![allow(missing_docs)]

mod channel;
mod entries;
mod message;
mod portal;
mod table;

use std::time::Duration;

use criterion::{criterion_group, criterion_main, BatchSize, Criterion};

/// Inputs prepared before each timing: few enough to stay in the caches, enough to make the time of
/// reading the clock small.
const BATCH: BatchSize = BatchSize::NumIterations(32);

/// Short, so that all of them together take less than a minute.
fn configuration() -> Criterion {
    Criterion::default()
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
}

criterion_group! {
    name = benches;
    config = configuration();
    targets = message::codec, message::frames, channel::records, channel::handshakes,
        channel::cookies, portal::messages, portal::chunks, table::finds
}
criterion_main!(benches);
