//! The messages of streams, and a chunk passing the states of both ends.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput};
use ockam_actix_workers::portal::{
    limits::MAX_WINDOW,
    protocol::{
        action::Action,
        credit::SendWindow,
        message::{data_header, decode, Control, Decoded, DATA_HEADER},
        offset::{Limit, Offset},
        stream::Stream,
    },
};

/// Bytes of a chunk.
const CHUNK: usize = 32 * 1024;
/// Time between two chunks on the streams' clock: a rate of 0.8 GB/s.
const EACH: Duration = Duration::from_micros(40);
/// The round trip on one machine.
const ROUND_TRIP: Duration = Duration::from_micros(150);

/// `Window`, which grants credit, and `Data`, whose bytes stay in place.
pub(crate) fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("portal message");
    let window = Control::Window { limit: Limit::new(1 << 40) };
    let encoded = window.encode();
    let header = || data_header(black_box(Offset::new(1 << 40)), CHUNK as u32);
    let data = [&header()[..], &vec![7; CHUNK]].concat();
    group.bench_function("encode Window", |bencher| bencher.iter(|| black_box(&window).encode()));
    group.bench_function("decode Window", |bencher| {
        bencher.iter(|| decode(black_box(&encoded)).expect("a message"));
    });
    group.bench_function("encode Data's header", |bencher| bencher.iter(header));
    group.bench_function("decode Data", |bencher| {
        bencher.iter(|| decode(black_box(&data)).expect("a message"));
    });
    group.finish();
}

/// What a stream decides for each chunk of 32 KiB, without moving the bytes themselves.
pub(crate) fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a chunk's credit", |bencher| {
        let mut window = SendWindow::new(Limit::new(MAX_WINDOW));
        bencher.iter(|| {
            let offset = window.consume(black_box(CHUNK as u64)).expect("there is credit");
            window.raise(Limit::new(offset.value() + MAX_WINDOW)).expect("a small grant");
        });
    });
    group.bench_function("a chunk through both ends", |bencher| {
        let mut pair = Pair::open();
        bencher.iter(|| pair.carry());
    });
    group.finish();
}

/// Both ends of an open stream.
struct Pair {
    inlet: Stream,
    outlet: Stream,
    now: Duration,
}

impl Pair {
    fn open() -> Self {
        let mut inlet = Stream::inlet(MAX_WINDOW);
        let Some(Action::Send(Control::Open { limit, .. })) = inlet.poll_action() else {
            panic!("an inlet asks for its stream first");
        };
        let mut outlet = Stream::outlet(limit, MAX_WINDOW).expect("the inlet's limit is allowed");
        outlet.connected();
        let mut pair = Self { inlet, outlet, now: Duration::ZERO };
        pair.answer();
        pair
    }

    /// From the client's socket to the target's, and the credit back.
    fn carry(&mut self) {
        assert!(self.inlet.readable() >= CHUNK, "the target reads at once, so there is credit");
        let offset = self.inlet.socket_read(CHUNK).expect("it is readable");
        let data = Decoded::Data { offset, range: DATA_HEADER..DATA_HEADER + CHUNK };
        let range =
            self.outlet.handle_message(data).expect("the next bytes").expect("there are some");
        self.now += EACH;
        self.outlet.socket_wrote(range.len(), self.now, ROUND_TRIP).expect("they were received");
        self.answer();
    }

    /// Delivers the outlet's messages to the inlet.
    fn answer(&mut self) {
        while let Some(action) = self.outlet.poll_action() {
            let Action::Send(message) = action else { panic!("{action:?} while nothing ends") };
            self.inlet.handle_message(Decoded::Control(message)).expect("an expected message");
        }
        assert_eq!(self.inlet.poll_action(), None, "an inlet has nothing to say between chunks");
    }
}
