//! Vectors that another implementation made: `tests/vectors/secure_channel.json`, and the worked
//! example of `docs/protocol.md`.

use serde_json::Value;

use super::*;
use crate::{
    identity::{address_secret::AddressSecret, secret_bytes::SecretKey},
    secure_channel::{
        handshake::noise::build,
        packet::Packet,
        plaintext::Tag,
        record::{Opener, REKEY_INTERVAL},
    },
    tests::protocol_document::from_hex,
};

const VECTORS: &str = include_str!("../../../../../tests/vectors/secure_channel.json");

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

/// The bytes at a JSON pointer in the file.
fn bytes(vectors: &Value, pointer: &str) -> Vec<u8> {
    let text = vectors.pointer(pointer).and_then(Value::as_str);
    from_hex(text.unwrap_or_else(|| panic!("no {pointer}")))
}

fn key(vectors: &Value, pointer: &str) -> [u8; 32] {
    bytes(vectors, pointer).try_into().unwrap()
}

fn party(vectors: &Value, role: &str) -> LocalIdentity {
    let secret = |name| key(vectors, &format!("/{role}/{name}"));
    LocalIdentity::dangerous_from_fixed_secrets(secret("seed"), secret("static"))
}

#[test]
fn the_library_shakes_hands_as_the_independent_implementation() {
    let vectors = vectors();
    assert_eq!(bytes(&vectors, "/prologue"), PROLOGUE);
    let [initiator, responder] = ["initiator", "responder"].map(|role| {
        let local = party(&vectors, role);
        assert_eq!(
            local.identifier().as_bytes()[..],
            bytes(&vectors, &format!("/{role}/identifier"))
        );
        assert_eq!(local.identity().encode(), bytes(&vectors, &format!("/{role}/identity")));
        local
    });
    let [ours, theirs] =
        ["initiator", "responder"].map(|r| key(&vectors, &format!("/{r}/ephemeral")));
    let message = |n: usize| bytes(&vectors, &format!("/messages/{n}/message"));

    let (awaiting2, message1) =
        Initiator::dangerous_start_with_fixed_ephemeral(&initiator, None, &ours).unwrap();
    assert_eq!(message1, message(0));
    let (awaiting3, message2) =
        Responder::dangerous_accept_with_fixed_ephemeral(&responder, &message1, None, &theirs)
            .unwrap();
    assert_eq!(message2, message(1));
    let (awaiting_ready, message3) =
        awaiting2.handle_message2(&message(1), &TrustEveryonePolicy).unwrap();
    assert_eq!(message3, message(2));
    let (mut server, ready) = awaiting3.handle_message3(&message(2), &TrustEveryonePolicy).unwrap();
    let mut published = bytes(&vectors, "/records/ready/record");
    assert_eq!(ready, published);
    let mut client = awaiting_ready.handle_ready(&mut published).unwrap();
    assert_eq!(client.handshake_hash[..], bytes(&vectors, "/messages/2/hash"));

    let mut count = 0;
    for (from, to, pointer) in [
        (&mut client.sealer, &mut server.opener, "/records/from_initiator"),
        (&mut server.sealer, &mut client.opener, "/records/from_responder"),
    ] {
        count += compare(&vectors, pointer, from, to);
    }
    println!(
        "3 handshake messages, ready and {count} records are those of the other implementation"
    );
}

#[test]
fn forwarded_handshakes_match_the_independent_implementation() {
    let all = vectors();
    let vectors = all.pointer("/through_a_forwarder").unwrap();
    let digits = vectors["secret"].as_str().unwrap();
    let secret = AddressSecret::parse(digits).unwrap();
    let message = |n: usize| bytes(vectors, &format!("/messages/{n}/message"));
    let [initiator, responder] = ["initiator", "responder"].map(|role| party(&all, role));
    let [ours, theirs] = ["initiator", "responder"].map(|r| key(&all, &format!("/{r}/ephemeral")));
    let (awaiting2, one) =
        Initiator::dangerous_start_with_fixed_ephemeral(&initiator, Some(&secret), &ours).unwrap();
    assert_eq!((one.len(), &one), (MESSAGE1_LENGTH_WITH_SECRET, &message(0)));
    let carrier = Packet::OneWithSecret { noise: &one, cookie: &[], tag: &secret.tag(&one) };
    assert_eq!(carrier.encode(), bytes(vectors, "/carrier"));
    let (awaiting3, two) =
        Responder::dangerous_accept_with_fixed_ephemeral(&responder, &one, Some(&secret), &theirs)
            .unwrap();
    assert_eq!(two, message(1));
    let (awaiting_ready, three) = awaiting2.handle_message2(&two, &TrustEveryonePolicy).unwrap();
    assert_eq!(three, message(2));
    let (_, mut ready) = awaiting3.handle_message3(&three, &TrustEveryonePolicy).unwrap();
    let session = awaiting_ready.handle_ready(&mut ready).unwrap();
    assert_eq!(session.handshake_hash[..], bytes(vectors, "/messages/2/hash"));
    let mut sealer = Sealer::new(&SecretKey::copy_of(&key(vectors, "/keys/0")));
    let mut own = session.sealer;
    assert_eq!(sealed(&mut own, b"same keys"), sealed(&mut sealer, b"same keys"));
}

#[test]
fn message_3_does_not_open_without_the_secret() {
    let secret = |byte: &str| AddressSecret::parse(&byte.repeat(32)).unwrap();
    let (awaiting2, one) = Initiator::start_with_secret(&ALICE, Some(&secret("07"))).unwrap();
    let (awaiting3, two) = Responder::accept_with_secret(&BOB, &one, Some(&secret("08"))).unwrap();
    let (_, three) = awaiting2.handle_message2(&two, &TrustEveryonePolicy).unwrap();
    let outcome = awaiting3.handle_message3(&three, &TrustEveryonePolicy).map(drop);
    assert_eq!(outcome, Err(HandshakeError::NotAuthentic(HandshakeMessage::Three)));
    // Nor is one pattern taken for the other.
    assert!(Responder::accept(&BOB, &one).is_err());
}

/// Seals and opens the records at a JSON pointer in the file; returns how many there are.
fn compare(vectors: &Value, pointer: &str, sealer: &mut Sealer, opener: &mut Opener) -> usize {
    let records = vectors.pointer(pointer).and_then(Value::as_array).unwrap();
    for record in records {
        let (plaintext, mut published) = (bytes(record, "/plaintext"), bytes(record, "/record"));
        assert_eq!(record["counter"], sealer.next_counter());
        assert_eq!(sealed(sealer, &plaintext), published);
        assert_eq!(opener.open_in_place(&mut published).unwrap(), &plaintext[..]);
    }
    records.len()
}

#[test]
fn rekeying_matches_the_independent_implementation() {
    let vectors = vectors();
    let first = SecretKey::copy_of(&key(&vectors, "/keys/0"));
    let (mut sealer, mut opener) = (Sealer::new(&first), Opener::new(&first));
    let hello = bytes(&vectors, "/records/from_initiator/0/plaintext");
    assert_eq!(hello[0], Tag::Message.byte());
    while sealer.next_counter() < REKEY_INTERVAL - 1 {
        let mut record = sealed(&mut sealer, &bytes(&vectors, "/rekey/filler"));
        opener.open_in_place(&mut record).unwrap();
    }
    assert_eq!(compare(&vectors, "/rekey/records", &mut sealer, &mut opener), 3);
}

#[test]
fn expendable_records_match_the_independent_implementation() {
    let vectors = vectors();
    for direction in 0..2 {
        let first = SecretKey::copy_of(&key(&vectors, &format!("/keys/{direction}")));
        let (mut sealer, mut opener) = (Sealer::new(&first), Opener::new(&first));
        let pointer = format!("/expendable/{direction}/records");
        let records = vectors.pointer(&pointer).and_then(Value::as_array).unwrap();
        let all: Vec<_> = records.iter().map(|record| bytes(record, "/record")).collect();
        for (record, published) in records.iter().zip(&all) {
            let plaintext = bytes(record, "/plaintext");
            assert_eq!(sealed_expendable(&mut sealer, &plaintext), *published);
        }
        for mut published in all.into_iter().rev() {
            opener.open_expendable_in_place_range(&mut published).unwrap();
        }
    }
}

fn sealed_expendable(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut body = plaintext.to_vec();
    let (number, tag) = sealer.seal_expendable_in_place(&mut body).unwrap();
    [&number[..], &body, &tag].concat()
}

#[test]
fn a_refusal_is_that_of_the_independent_implementation() {
    let vectors = vectors();
    let responder = party(&vectors, "responder");
    let theirs = key(&vectors, "/responder/ephemeral");
    let message = |n: usize| bytes(&vectors, &format!("/messages/{n}/message"));
    let (awaiting3, _) =
        Responder::dangerous_accept_with_fixed_ephemeral(&responder, &message(0), None, &theirs)
            .unwrap();
    let nobody = TrustIdentifierPolicy::new(responder.identifier());
    let Ok(Answer::Refused { record, .. }) = awaiting3.answer_message3(&message(2), &nobody) else {
        panic!("the policy trusts the initiator");
    };
    assert_eq!(record, bytes(&vectors, "/refused"));
}

/// The blocks of `docs/protocol.md`, section 8, as this library makes them.
pub(crate) fn worked_example() -> Vec<(&'static str, Vec<u8>)> {
    let mut initiator = Noise::start(Role::Initiator, &ALICE, None, Some(&[5; 32])).unwrap();
    let mut responder = Noise::start(Role::Responder, &BOB, None, Some(&[6; 32])).unwrap();
    let one = initiator.write(HandshakeMessage::One, &[]).unwrap();
    responder.read(HandshakeMessage::One, &one).unwrap();
    let hash1 = responder.hash();
    let proof = super::payload::make(Role::Responder, &BOB, &hash1);
    let two = responder.write(HandshakeMessage::Two, &proof).unwrap();
    initiator.read(HandshakeMessage::Two, &two).unwrap();
    let hash2 = initiator.hash();
    let third = super::payload::make(Role::Initiator, &ALICE, &hash2);
    let three = initiator.write(HandshakeMessage::Three, &third).unwrap();
    responder.read(HandshakeMessage::Three, &three).unwrap();
    let hash3 = responder.hash();

    let [up, down] = keys();
    let (mut up, mut refusing) = (Sealer::new(&up), Sealer::new(&down));
    let mut down = Sealer::new(&down);
    let plaintext = [&[Tag::Message.byte()][..], &hello(false)].concat();
    let may_be_lost = hello(true);
    let carrier = Packet::One { noise: &one, cookie: &[] }.encode();
    let secret = AddressSecret::parse(&"07".repeat(32)).unwrap();
    let started = Initiator::dangerous_start_with_fixed_ephemeral(&ALICE, Some(&secret), &[5; 32]);
    let (_, noise) = started.unwrap();
    let tag = &secret.tag(&noise);
    let with_secret = Packet::OneWithSecret { noise: &noise, cookie: &[], tag }.encode();
    vec![
        ("carrier 1", carrier),
        ("carrier with secret", with_secret),
        ("noise 1", one),
        ("h 1", hash1.to_vec()),
        ("payload 2", proof),
        ("noise 2", two),
        ("h 2", hash2.to_vec()),
        ("noise 3", three),
        ("h 3", hash3.to_vec()),
        ("keys", keys().iter().flat_map(|key| *key.expose()).collect()),
        ("rekeyed", bytes(&vectors(), "/rekey/next_key")),
        ("ready", sealed(&mut down, READY)),
        ("refused", sealed(&mut refusing, REFUSED)),
        ("record", sealed(&mut up, &plaintext)),
        ("plaintext", plaintext),
        ("ping", sealed(&mut up, &[Tag::Ping.byte()])),
        ("pong", sealed(&mut down, &[Tag::Pong.byte()])),
        ("expendable key", bytes(&vectors(), "/expendable/0/key")),
        ("expendable record", sealed_expendable(&mut up, &may_be_lost)),
        ("expendable plaintext", may_be_lost),
    ]
}

/// Whether a payload proves the responder of the worked example in its handshake.
pub(crate) fn verify_payload2(payload: &[u8]) -> bool {
    static HASH: LazyLock<[u8; 32]> = LazyLock::new(|| key(&vectors(), "/messages/0/hash"));
    let message = HandshakeMessage::Two;
    let public = BOB.static_key().public();
    super::payload::verify(message, payload, Role::Responder, &HASH, public).is_ok()
}

/// The keys of the worked example, the initiator's first.
fn keys() -> [SecretKey; 2] {
    let secret = |local: &LocalIdentity| *local.static_key().secret().expose();
    let mut initiator =
        build(Role::Initiator, &secret(&ALICE), PROLOGUE, None, Some(&[5; 32])).unwrap();
    let mut responder =
        build(Role::Responder, &secret(&BOB), PROLOGUE, None, Some(&[6; 32])).unwrap();
    let (mut sent, mut read) = ([0; MAX_MESSAGE], [0; MAX_MESSAGE]);
    for number in 1..=3 {
        let (from, to) = match number {
            2 => (&mut responder, &mut initiator),
            _ => (&mut initiator, &mut responder),
        };
        // The payloads of the file: the keys depend on their bytes, not on who may send them.
        let payload = bytes(&vectors(), &format!("/messages/{}/payload", number - 1));
        let length = from.write_message(&payload, &mut sent).unwrap();
        to.read_message(&sent[..length], &mut read).unwrap();
    }
    let (up, down) = initiator.dangerously_get_raw_split();
    [up, down].map(|key| SecretKey::copy_of(&key))
}

/// "hello" from `a` for `echoer`, as it stands in a record.
fn hello(expendable: bool) -> Vec<u8> {
    let hello = ockam_actix_runtime::Payload::from(b"\xa5hello".to_vec());
    let mut message = ockam_actix_runtime::Message::new(
        ockam_actix_runtime::route!["echoer"],
        ockam_actix_runtime::route!["a"],
        hello,
    );
    message.expendable = expendable;
    ockam_actix_runtime::message::codec::encode(message).to_vec()
}
