//! Known answers: the public cacophony vector for our Noise pattern, and one of our own for the
//! whole protocol.

use super::*;
use crate::identity::secret_bytes::SecretKey;

const PUBLIC_PROLOGUE: &str = "4a6f686e2047616c74";
const INITIATOR_STATIC: &str = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
const INITIATOR_EPHEMERAL: &str =
    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
const RESPONDER_STATIC: &str = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
const RESPONDER_EPHEMERAL: &str =
    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
const HANDSHAKE_HASH: &str = "1b7aefb1125762aa21a252890d00af54519638b76437444538f9a52f21e2e0dc";

/// Payload and message, the initiator's first; from the fourth on they are transport messages.
const MESSAGES: [(&str, &str); 6] = [
    (
        "4c756477696720766f6e204d69736573",
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
    ),
    (
        "4d757272617920526f746862617264",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843757117acceb05bd7a45733bc22015c97a9d0cbaf41b80446d5988ff5127235d76b79eade70f473d6a4ef521fdcbeda5340d01e028ba793fc059f2724a83af05f12dda0448a7621a926b379a92477fd",
    ),
    (
        "462e20412e20486179656b",
        "c90f1cf77eba4e50edb038991565e36c9758943a989229b6051244dc4fbecb6946744b401af2ee1a5881b65fbb87fd07cb6a328ececc9ce6ce84c399dc332d4fd521fa4bb7f467ce909395",
    ),
    (
        "4361726c204d656e676572",
        "bc3fa77f6aca3e8466d7dc6bea10013e88a6a29add5132b461806c",
    ),
    (
        "4a65616e2d426170746973746520536179",
        "250b01074cdfe0df2ecf8ccbf1737b15a2ddb5b52fd9a396604e9c793cee3b3bb9",
    ),
    (
        "457567656e2042f6686d20766f6e2042617765726b",
        "449d4d433b3cdc3d02bf6fc881774b9df54366ebcffb9689bb13f14709822cd7ef42bcdb4d",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn key(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_public_vector_passes_both_roles_and_records() {
    let build = |role, secret, ephemeral| {
        noise::build(role, &key(secret), &bytes(PUBLIC_PROLOGUE), None, Some(&key(ephemeral)))
            .unwrap()
    };
    let mut initiator = build(Role::Initiator, INITIATOR_STATIC, INITIATOR_EPHEMERAL);
    let mut responder = build(Role::Responder, RESPONDER_STATIC, RESPONDER_EPHEMERAL);
    for (index, (payload, message)) in MESSAGES[..3].iter().enumerate() {
        let (from, to) = match index % 2 {
            0 => (&mut initiator, &mut responder),
            _ => (&mut responder, &mut initiator),
        };
        let (mut sent, mut read) = ([0; 400], [0; 400]);
        let length = from.write_message(&bytes(payload), &mut sent).unwrap();
        assert_eq!(hex(&sent[..length]), *message);
        let length = to.read_message(&sent[..length], &mut read).unwrap();
        assert_eq!(hex(&read[..length]), *payload);
    }
    assert_eq!(hex(initiator.get_handshake_hash()), HANDSHAKE_HASH);
    let (first, second) = initiator.dangerously_get_raw_split();
    assert_eq!((first, second), responder.dangerously_get_raw_split());
    let [mut initiator, mut responder] =
        [first, second].map(|key| Sealer::new(&SecretKey::copy_of(&key)));
    for (sealer, (payload, message)) in
        [(3, &mut responder), (4, &mut initiator)].map(|(n, s)| (s, MESSAGES[n]))
    {
        assert_eq!(hex(&sealed(sealer, &bytes(payload))[8..]), message);
    }
    let (payload, message) = MESSAGES[5];
    assert_eq!(hex(&sealed(&mut responder, &bytes(payload))[8..]), message);
}

/// Everything that `docs/protocol.md` needs for an example: print it with `--nocapture`.
#[test]
fn our_own_vector_stays_as_published() {
    let initiator = LocalIdentity::dangerous_from_fixed_secrets([1; 32], [2; 32]);
    let responder = LocalIdentity::dangerous_from_fixed_secrets([3; 32], [4; 32]);
    let (awaiting2, message1) =
        Initiator::dangerous_start_with_fixed_ephemeral(&initiator, None, &[5; 32]).unwrap();
    let (awaiting3, message2) =
        Responder::dangerous_accept_with_fixed_ephemeral(&responder, &message1, None, &[6; 32])
            .unwrap();
    let (awaiting_ready, message3) =
        awaiting2.handle_message2(&message2, &TrustEveryonePolicy).unwrap();
    let (mut server, mut ready) =
        awaiting3.handle_message3(&message3, &TrustEveryonePolicy).unwrap();
    let ready_sent = ready.clone();
    let mut client = awaiting_ready.handle_ready(&mut ready).unwrap();
    let vector = [
        ("initiator", initiator.identifier().to_string()),
        ("responder", responder.identifier().to_string()),
        ("message 1", hex(&message1)),
        ("message 2", hex(&message2)),
        ("message 3", hex(&message3)),
        ("ready", hex(&ready_sent)),
        ("handshake hash", hex(&client.handshake_hash)),
        ("initiator's record 0, \"ping\"", hex(&sealed(&mut client.sealer, b"ping"))),
        ("responder's record 1, \"pong\"", hex(&sealed(&mut server.sealer, b"pong"))),
    ];
    let shown: String = vector.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    println!("{shown}");
    assert_eq!(shown, include_str!("vectors.txt"));
}
