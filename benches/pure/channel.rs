//! Handshakes, records and cookies of secure channels.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use ockam::{TrustEveryonePolicy, Vault};
use ockam_actix_workers::{
    identity::local_identity::LocalIdentity,
    secure_channel::{
        cookie::Cookies,
        handshake::{Initiator, Responder, Session},
    },
};
use ring::rand::SystemRandom;

use crate::BATCH;

/// Bytes of the plaintexts: a keystroke, a packet, and a portal's small and large reads.
const PLAINTEXTS: [usize; 4] = [64, 1024, 32 * 1024, 60 * 1024];

/// Sealing and opening in place, by bytes of plaintext, with the replacements of keys that fall
/// due.
pub(crate) fn records(criterion: &mut Criterion) {
    let ends = ends();
    let mut group = criterion.benchmark_group("record");
    for bytes in PLAINTEXTS {
        group.throughput(Throughput::Bytes(bytes as u64));
        let parameter = format!("{bytes} bytes");
        let (mut client, mut server) = handshake(&ends);
        group.bench_function(BenchmarkId::new("seal", &parameter), |bencher| {
            let mut body = vec![7; bytes];
            bencher.iter(|| client.sealer.seal_in_place(black_box(&mut body)).expect("sealed"));
        });
        group.bench_function(BenchmarkId::new("open", &parameter), |bencher| {
            let seal = || {
                let mut body = vec![7; bytes];
                let (counter, tag) = server.sealer.seal_in_place(&mut body).expect("sealed");
                [&counter[..], &body, &tag].concat()
            };
            let open = |mut record: Vec<u8>| {
                client.opener.open_in_place(&mut record).expect("the next record");
                record
            };
            bencher.iter_batched(seal, open, BATCH);
        });
    }
    group.finish();
}

/// Both ends of a whole handshake with identities and policies, without a network between them.
pub(crate) fn handshakes(criterion: &mut Criterion) {
    let ends = ends();
    criterion.bench_function("handshake, both ends", |bencher| bencher.iter(|| handshake(&ends)));
}

/// What a listener under load does for each first message.
pub(crate) fn cookies(criterion: &mut Criterion) {
    let [initiator, _] = ends();
    let (_, message) = Initiator::start(&initiator).expect("message 1");
    let cookies = Cookies::new(&SystemRandom::new()).expect("the system has randomness");
    let source = b"192.0.2.1";
    let cookie = cookies.issue(0, source, &message);
    let mut group = criterion.benchmark_group("cookie");
    group.bench_function("make", |bencher| {
        bencher.iter(|| cookies.issue(0, black_box(source), &message));
    });
    group.bench_function("check", |bencher| {
        bencher.iter(|| assert!(cookies.verify(0, black_box(source), &message, &cookie)));
    });
    group.finish();
}

fn ends() -> [LocalIdentity; 2] {
    let vault = Vault::in_memory();
    ["initiator", "responder"].map(|name| {
        let identifier = vault.create_identity(name).expect("an identity");
        vault.local_identity(&identifier).expect("its keys")
    })
}

/// The sessions of both ends.
fn handshake([initiator, responder]: &[LocalIdentity; 2]) -> (Session, Session) {
    let policy = &TrustEveryonePolicy;
    let (awaiting2, one) = Initiator::start(initiator).expect("message 1");
    let (awaiting3, two) = Responder::accept(responder, &one).expect("message 2");
    let (awaiting_ready, three) = awaiting2.handle_message2(&two, policy).expect("message 3");
    let (server, mut ready) = awaiting3.handle_message3(&three, policy).expect("ready");
    (awaiting_ready.handle_ready(&mut ready).expect("a session"), server)
}
