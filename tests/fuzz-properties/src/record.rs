//! Records of an established channel in any order, altered or not: only the next one opens, to what
//! was sealed.

use std::sync::LazyLock;

use ockam_actix_workers::{
    identity::local_identity::LocalIdentity,
    secure_channel::handshake::{Initiator, Responder, Session},
    TrustEveryonePolicy, Vault,
};

use crate::structured;

static END: LazyLock<LocalIdentity> = LazyLock::new(|| {
    let vault = Vault::in_memory();
    let identifier = vault.create_identity("end").expect("an identity");
    vault.local_identity(&identifier).expect("its keys")
});

pub(crate) fn channel() -> (Session, Session) {
    let (awaiting2, one) = Initiator::start(&END).expect("message 1");
    let (awaiting3, two) = Responder::accept(&END, &one).expect("message 2");
    let (awaiting_ready, three) =
        awaiting2.handle_message2(&two, &TrustEveryonePolicy).expect("message 3");
    let (server, mut ready) =
        awaiting3.handle_message3(&three, &TrustEveryonePolicy).expect("ready");
    (awaiting_ready.handle_ready(&mut ready).expect("a session"), server)
}

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

/// Which record is delivered, and the bit that is flipped in transit.
pub(crate) type Delivery = (u8, Option<u16>);

fn check_one((plaintexts, deliveries): (Vec<Vec<u8>>, Vec<Delivery>)) {
    let (mut client, mut server) = channel();
    let records: Vec<Vec<u8>> = plaintexts
        .iter()
        .map(|plaintext| {
            let mut body = plaintext.clone();
            let (counter, tag) = client.sealer.seal_in_place(&mut body).expect("a short record");
            [&counter[..], &body, &tag].concat()
        })
        .collect();
    let (mut next, mut closed) = (0, false);
    for (which, flip) in deliveries {
        let Some(mut record) = records.get(usize::from(which)).cloned() else { continue };
        if let Some(bit) = flip.map(|bit| usize::from(bit) % (record.len() * 8)) {
            record[bit / 8] ^= 1 << (bit % 8);
        }
        let good = !closed && flip.is_none() && usize::from(which) == next;
        match server.opener.open_in_place(&mut record) {
            Ok(opened) => {
                assert!(good, "a wrong record was opened");
                assert_eq!(opened, &plaintexts[next][..]);
                next += 1;
            }
            Err(_) => {
                assert!(!good, "the next record was not opened");
                closed = true;
            }
        }
    }
}
