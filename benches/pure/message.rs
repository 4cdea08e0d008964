//! Encoding and decoding messages, and splitting arrived bytes into frames.

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput};
use ockam::{Address, Message, Origin, Payload, Route};
use ockam_actix_runtime::{limits::MAX_FRAME_BYTES, message::codec};
use ockam_actix_transports::frame::{header, next_frame, Frame};

use crate::BATCH;

/// Bytes of the payloads: a keystroke, and what a portal reads at once while the socket is slow.
const PAYLOADS: [usize; 2] = [64, 32 * 1024];
/// Addresses on each of the two routes; 16 is the maximum.
const ADDRESSES: [usize; 3] = [1, 3, 16];
/// Frames that arrive together.
const FRAMES: usize = 32;

/// Encoding into the room before the payload, and decoding, which leaves the payload in place.
pub(crate) fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    group.throughput(Throughput::Elements(1));
    for bytes in PAYLOADS {
        for addresses in ADDRESSES {
            let parameter = format!("{bytes} bytes, routes of {addresses}");
            let route = route(addresses);
            let plain = Payload::from(vec![7; bytes]);
            group.bench_function(BenchmarkId::new("encode", &parameter), |bencher| {
                let message = || Message::new(route.clone(), route.clone(), plain.clone());
                bencher.iter_batched(message, codec::encode, BATCH);
            });
            group.bench_function(
                BenchmarkId::new("encode the same header", &parameter),
                |bencher| {
                    let message = Message::new(route.clone(), route.clone(), plain.clone());
                    let mut encoder = codec::Encoder::default();
                    bencher.iter(|| encoder.encode_header(&message));
                },
            );
            let encoded = codec::encode(Message::new(route.clone(), route.clone(), plain.clone()));
            group.bench_function(BenchmarkId::new("decode", &parameter), |bencher| {
                let decode = |encoded| codec::decode(encoded, Origin::Local).expect("a message");
                bencher.iter_batched(|| encoded.clone(), decode, BATCH);
            });
            group.bench_function(
                BenchmarkId::new("decode the same header", &parameter),
                |bencher| {
                    let mut decoder = codec::Decoder::default();
                    let decode =
                        |encoded| decoder.decode(encoded, Origin::Local).expect("a message");
                    bencher.iter_batched(|| encoded.clone(), decode, BATCH);
                },
            );
        }
    }
    group.finish();
}

/// A route over connections, whose addresses are 32 random letters long.
fn route(addresses: usize) -> Route {
    (0..addresses).map(|number| Address::from(format!("{number:032x}"))).collect()
}

/// Splitting a buffer of whole frames, all of them at once.
pub(crate) fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Elements(FRAMES as u64));
    for bytes in PAYLOADS {
        let frame = [&header(bytes, 1)[..], &vec![7; bytes]].concat();
        let arrived = frame.repeat(FRAMES);
        group.bench_function(BenchmarkId::new("split", format!("{bytes} bytes")), |bencher| {
            bencher.iter_batched(|| BytesMut::from(&arrived[..]), split, BATCH);
        });
    }
    group.finish();
}

fn split(mut arrived: BytesMut) -> Vec<Frame> {
    let next = || next_frame(&mut arrived, MAX_FRAME_BYTES).expect("no frame is too large");
    let frames: Vec<_> = std::iter::from_fn(next).collect();
    assert_eq!(frames.len(), FRAMES);
    frames
}
