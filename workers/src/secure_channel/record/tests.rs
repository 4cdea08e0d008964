//! Records: order, authenticity, rekeying, limits.

use super::*;
use proptest::prelude::*;

use crate::secure_channel::limits::Limits;

/// Rounds of the corruption loop.
const CORRUPTED_RECORDS: u64 = 1_000_000;

const KEY: [u8; 32] = [0x42; 32];

fn pair() -> (Sealer, Opener) {
    let key = SecretKey::copy_of(&KEY);
    (Sealer::new(&key), Opener::new(&key))
}

/// Both ends as they are when `counter` is next, with the key that belongs there for intervals up
/// to the first rekey.
fn pair_at(counter: u64) -> (Sealer, Opener) {
    let (mut sealer, mut opener) = pair();
    (sealer.ordered.counter, opener.ordered.counter) = (counter, counter);
    (sealer, opener)
}

fn record(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut body = plaintext.to_vec();
    let (counter, tag) = sealer.seal_in_place(&mut body).unwrap();
    [&counter[..], &body, &tag].concat()
}

/// A small generator with a printed seed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn records_come_out_as_they_went_in() {
    let (mut sealer, mut opener) = pair();
    for length in [0, 1, 15, 16, 17, 1000, MAX_PLAINTEXT] {
        let plaintext = vec![7; length];
        let mut sealed = record(&mut sealer, &plaintext);
        assert_eq!(sealed.len(), length + OVERHEAD);
        assert_eq!(opener.open_in_place(&mut sealed).unwrap(), &plaintext[..]);
    }
}

#[test]
fn a_range_says_where_the_plaintext_stands() {
    let (mut sealer, mut opener) = pair();
    let mut sealed = record(&mut sealer, b"hello");
    let range = opener.open_in_place_range(&mut sealed).unwrap();
    assert_eq!((range.clone(), &sealed[range]), (8..13, &b"hello"[..]));
}

#[test]
fn oversized_plaintext_is_refused_without_using_a_counter() {
    let (mut sealer, mut opener) = pair();
    let mut huge = vec![0; MAX_PLAINTEXT + 1];
    assert_eq!(sealer.seal_in_place(&mut huge), Err(RecordError::TooLong(MAX_PLAINTEXT + 1)));
    assert!(opener.open_in_place(&mut record(&mut sealer, b"next")).is_ok());
}

#[test]
fn each_bad_record_has_its_error_and_closes() {
    type Spoil = fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>;
    let cases: [(Spoil, RecordError); 4] = [
        (
            |r| vec![r[0].clone(), r[0].clone(), r[1].clone()],
            RecordError::Repeated { expected: 1, found: 0 },
        ),
        (
            |r| vec![r[0].clone(), r[2].clone(), r[1].clone()],
            RecordError::Gap { expected: 1, found: 2 },
        ),
        (
            |r| vec![r[0].clone(), [&r[1][..30], &[!r[1][30]], &r[1][31..]].concat(), r[1].clone()],
            RecordError::BadTag(1),
        ),
        (
            |r| vec![r[0].clone(), r[1][..OVERHEAD - 1].to_vec(), r[1].clone()],
            RecordError::BadLength(OVERHEAD - 1),
        ),
    ];
    for (spoil, expected) in cases {
        let (mut sealer, mut opener) = pair();
        let genuine = (0..3).map(|n| record(&mut sealer, &[n; 20])).collect();
        let mut sent = spoil(genuine);
        assert!(opener.open_in_place(&mut sent[0]).is_ok());
        assert_eq!(opener.open_in_place(&mut sent[1]), Err(expected));
        assert_eq!(opener.open_in_place(&mut sent[2]), Err(RecordError::Closed));
    }
}

#[test]
fn corrupted_replayed_and_reordered_records_are_never_accepted() {
    let seed = 0x9e37_79b9_7f4a_7c15;
    let mut random = Random(seed);
    let key = SecretKey::copy_of(&KEY);
    let started = std::time::Instant::now();
    let mut accepted = 0;
    for round in 0..CORRUPTED_RECORDS {
        let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
        let mut genuine: Vec<_> = (0..3).map(|n| record(&mut sealer, &[n; 40])).collect();
        opener.open_in_place(&mut genuine[0].clone()).unwrap();
        let mut bad = match random.below(5) {
            0 => genuine.swap_remove(0),
            1 => genuine.swap_remove(2),
            2 => {
                let bit = random.below(64 * 8) as usize;
                genuine[1][bit / 8] ^= 1 << (bit % 8);
                genuine.swap_remove(1)
            }
            3 => {
                let length = random.below(64) as usize;
                genuine[1].truncate(length);
                genuine.swap_remove(1)
            }
            _ => {
                // The right counter before another record's body.
                let other = if random.below(2) == 0 { 0 } else { 2 };
                [&genuine[1][..8], &genuine[other][8..]].concat()
            }
        };
        if opener.open_in_place(&mut bad).is_ok() {
            accepted += 1;
        }
        assert_eq!(
            opener.open_in_place(&mut bad),
            Err(RecordError::Closed),
            "seed {seed}, round {round}"
        );
    }
    println!(
        "corrupted records: {CORRUPTED_RECORDS}, accepted: {accepted}, seed {seed:#x}, {:?}",
        started.elapsed()
    );
    assert_eq!(accepted, 0);
}

#[test]
fn both_ends_rekey_together_and_forget_old_keys() {
    let (mut sealer, mut opener) = pair_at(REKEY_INTERVAL - 1);
    for n in 0..4u8 {
        let mut sealed = record(&mut sealer, &[n; 9]);
        assert_eq!(opener.open_in_place(&mut sealed).unwrap(), &[n; 9]);
    }
    // Someone who missed the rekey cannot go on with the first key.
    let (mut stale, _) = pair_at(REKEY_INTERVAL + 3);
    let mut sealed = record(&mut stale, b"stale");
    assert_eq!(opener.open_in_place(&mut sealed), Err(RecordError::BadTag(REKEY_INTERVAL + 3)));
}

#[test]
fn rekey_is_the_one_of_noise() {
    let (mut sealer, _) = pair_at(REKEY_INTERVAL - 1);
    record(&mut sealer, b"last under the first key");
    let mut second = [0; 32];
    let first = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).unwrap());
    let mut reserved = [0xff; 12];
    reserved[..4].fill(0);
    let _ = first
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(reserved),
            Aad::empty(),
            &mut second,
        )
        .unwrap();
    let mut expected = b"x".to_vec();
    let second = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &second).unwrap());
    second.seal_in_place_append_tag(nonce(REKEY_INTERVAL), Aad::empty(), &mut expected).unwrap();
    assert_eq!(record(&mut sealer, b"x")[8..], expected);
}

#[test]
fn many_intervals_stay_in_step() {
    let (mut sealer, mut opener) = pair();
    for n in 0..REKEY_INTERVAL * 3 + 5 {
        let mut sealed = record(&mut sealer, &n.to_be_bytes());
        assert_eq!(opener.open_in_place(&mut sealed).unwrap(), &n.to_be_bytes());
    }
}

#[test]
fn counters_stop_long_before_they_wrap() {
    let (mut sealer, mut opener) = pair_at(LAST_RECORD - 1);
    let mut sealed = record(&mut sealer, b"the last");
    assert!(opener.open_in_place(&mut sealed).is_ok());
    assert_eq!(sealer.seal_in_place(&mut [0]), Err(RecordError::Exhausted));
    assert_eq!(opener.open_in_place(&mut sealed), Err(RecordError::Exhausted));
}

#[test]
fn keys_expire_by_count_and_by_volume() {
    let limits = Limits::default();
    let judge = |sealer: &Sealer| {
        let volume = sealer.volume();
        (limits.is_due(volume), limits.is_expired(volume))
    };
    for (times, expected) in [(1, (true, false)), (2, (true, true))] {
        let (mut sealer, _) = pair_at(times * REHANDSHAKE_RECORDS - 1);
        assert_ne!(judge(&sealer), expected);
        record(&mut sealer, b"");
        assert_eq!(judge(&sealer), expected);
        let (mut sealer, _) = pair();
        sealer.ordered.bytes = times * REHANDSHAKE_BYTES - 2;
        record(&mut sealer, b"a");
        assert_ne!(judge(&sealer), expected);
        record(&mut sealer, b"b");
        assert_eq!(judge(&sealer), expected);
    }
}

#[test]
fn neither_kind_of_record_opens_as_the_other() {
    let (mut sealer, mut opener) = pair();
    let mut body = b"hello".to_vec();
    let (number, tag) = sealer.seal_expendable_in_place(&mut body).unwrap();
    let expendable = [&number[..], &body, &tag].concat();
    let ordered = record(&mut sealer, b"hello");
    assert_eq!(ordered[..8], expendable[..8], "the same number");
    assert_ne!(ordered[8..], expendable[8..]);
    let dropped = opener.open_expendable_in_place_range(&mut ordered.clone());
    assert_eq!(dropped, Err(expendable::DroppedRecord::BadTag(0)));
    assert_eq!(opener.open_expendable_in_place_range(&mut expendable.clone()), Ok(8..13));
    assert_eq!(opener.open_in_place(&mut ordered.clone()).unwrap(), b"hello");
    let (_, mut other) = pair();
    assert_eq!(other.open_in_place(&mut expendable.clone()), Err(RecordError::BadTag(0)));
}

#[test]
fn expendable_records_call_for_new_keys() {
    let (limits, (mut sealer, mut opener)) = (Limits::default(), pair());
    let (number, tag) = sealer.seal_expendable_in_place(&mut []).unwrap();
    let mut record = [&number[..], &tag].concat();
    opener.open_expendable_in_place_range(&mut record).unwrap();
    let expected = Volume { records: 1, bytes: 0, expendable: 1 };
    assert_eq!((sealer.volume(), opener.volume()), (expected, expected));
    let volume = |expendable| Volume { records: expendable, bytes: 0, expendable };
    assert!(!limits.is_due(volume(expendable::DUE_RECORDS - 1)));
    let most = volume(expendable::MOST_RECORDS);
    assert!(limits.is_due(volume(expendable::DUE_RECORDS)) && !limits.is_expired(most));
}

#[test]
fn debug_shows_no_key() {
    let (sealer, opener) = pair();
    assert_eq!(
        format!("{sealer:?} {opener:?}"),
        "Sealer(next record 0, key redacted) Opener(next record 0, key redacted)"
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_never_open(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert!(pair().1.open_in_place(&mut bytes).is_err());
    }
}
