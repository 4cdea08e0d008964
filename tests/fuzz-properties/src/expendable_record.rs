//! Expendable records of an established channel in any order, altered or not: each opens once, to
//! what was sealed, and no bad one harms another.

use std::collections::BTreeSet;

use crate::{
    record::{channel, Delivery},
    structured,
};

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

fn check_one((plaintexts, deliveries): (Vec<Vec<u8>>, Vec<Delivery>)) {
    let (mut client, mut server) = channel();
    let records: Vec<Vec<u8>> = plaintexts
        .iter()
        .map(|plaintext| {
            let mut body = plaintext.clone();
            let sealed = client.sealer.seal_expendable_in_place(&mut body);
            let (number, tag) = sealed.expect("a short record");
            [&number[..], &body, &tag].concat()
        })
        .collect();
    let mut opened = BTreeSet::new();
    for (which, flip) in deliveries {
        let Some(mut record) = records.get(usize::from(which)).cloned() else { continue };
        if let Some(bit) = flip.map(|bit| usize::from(bit) % (record.len() * 8)) {
            record[bit / 8] ^= 1 << (bit % 8);
        }
        let good = flip.is_none() && !opened.contains(&which);
        match server.opener.open_expendable_in_place_range(&mut record) {
            Ok(plaintext) => {
                assert!(good, "a wrong record was opened");
                assert_eq!(record[plaintext], plaintexts[usize::from(which)][..]);
                opened.insert(which);
            }
            Err(dropped) => assert!(!good, "a good record was dropped: {dropped}"),
        }
    }
    let mut body = *b"next";
    let (counter, tag) = client.sealer.seal_in_place(&mut body).expect("a short record");
    let mut next = [&counter[..], &body, &tag].concat();
    assert!(server.opener.open_in_place(&mut next).is_ok(), "the other records go on");
}
