//! A million mutated inputs for each decoder, or a tenth of that where signatures are checked,
//! unless `OCKAM_INPUTS` says how many: none may panic, hang, or allocate more than its input
//! accounts for.
//!
//! The mutations begin with the examples of the protocol document. Some decoders have such a test
//! in their own module: [portal messages](crate::portal::protocol::message),
//! [registrations](crate::forwarder::protocol), [records](crate::secure_channel::record).

use std::time::Instant;

use bytes::BytesMut;
use ockam_actix_runtime::{
    limits::MAX_FRAME_BYTES, message::codec, Address, Notice, Origin, Route,
};
use ockam_actix_transports::frame::{missing, next_frame, Greeting};

use crate::{
    datagram,
    forwarder::{
        address::ForwardingAddress,
        protocol::{Answer, Request},
    },
    identity::{vault::file::decode_header, Identity},
    portal::protocol::message as portal,
    secure_channel::{handshake::tests::verify_payload2, packet::Packet},
    tests::protocol_document::{blocks, PORTAL_CONTROLS},
};

const INPUTS: u64 = 1_000_000;

/// The number of inputs where each may cost the check of two signatures: `OCKAM_INPUTS`, or a
/// tenth.
fn signed_inputs() -> u64 {
    std::env::var("OCKAM_INPUTS").map_or(INPUTS / 10, |inputs| inputs.parse().unwrap())
}

/// Bytes that a decoder may allocate beyond twice its input.
const ALLOWANCE: u64 = 64 * 1024;

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    /// Changes, cuts, repeats or adds bytes, up to four times.
    fn mutate(&mut self, input: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(input.len());
            let byte = self.next().to_be_bytes()[0];
            match self.below(7) {
                0 if !input.is_empty() => input[at] ^= 1 << (byte % 8),
                1 if !input.is_empty() => input[at] = byte,
                2 => input.truncate(at),
                3 => input.insert(at, byte),
                // The first byte of something long in MessagePack, and a false length.
                4 => drop(input.splice(at..at, [0xc4 + byte % 28, 0xff, 0xff, 0xff, 0xff])),
                5 => input.extend_from_within(at..),
                _ if !input.is_empty() => drop(input.remove(at)),
                _ => {}
            }
        }
        input.truncate(4_096);
    }
}

/// Gives `decode` a million mutations of `seeds`, and prints how many it accepts.
fn feed_mutations(name: &str, seeds: &[Vec<u8>], decode: impl FnMut(&[u8]) -> bool) {
    feed_some_mutations(INPUTS, name, seeds, decode);
}

fn feed_some_mutations(
    inputs: u64,
    name: &str,
    seeds: &[Vec<u8>],
    mut decode: impl FnMut(&[u8]) -> bool,
) {
    let (begun, seed) = (Instant::now(), 0x5eed);
    let (mut numbers, mut taken, mut most) = (Numbers(seed), 0, 0);
    for seed in seeds {
        assert!(decode(seed), "{name}: a valid input is refused");
    }
    for _ in 0..inputs {
        let mut input = seeds[numbers.below(seeds.len())].clone();
        numbers.mutate(&mut input);
        let allocated =
            allocation_counter::measure(|| taken += u64::from(decode(&input))).bytes_max;
        let length = u64::try_from(input.len()).unwrap();
        assert!(allocated <= 2 * length + ALLOWANCE, "{name}: {allocated} bytes for {input:02x?}");
        most = most.max(allocated);
    }
    println!(
        "{name}: {inputs} inputs from seed {seed:#x}, {taken} valid, \
         at most {most} bytes allocated, {:.1} s",
        begun.elapsed().as_secs_f32()
    );
}

fn named(names: &[&str]) -> Vec<Vec<u8>> {
    let blocks = blocks();
    names.iter().map(|name| blocks[*name].clone()).collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn frames_and_greetings() {
    feed_mutations("greeting", &named(&["greeting"]), |input| {
        matches!(Greeting::decode(&mut BytesMut::from(input)), Ok(Some(_)))
    });
    feed_mutations("frame", &named(&["frame", "answer", "greeting"]), |input| {
        let mut arrived = BytesMut::from(input);
        let announced = missing(&arrived);
        let frame = next_frame(&mut arrived, MAX_FRAME_BYTES);
        frame.is_ok_and(|frame| frame.is_some() == (announced == 0 && !input.is_empty()))
    });
}

#[test]
fn messages_and_notices() {
    let messages = named(&["message", "message of two bytes", "notice", "open"]);
    feed_mutations("message", &messages, |input| {
        codec::decode(input.into(), Origin::Local).is_ok()
    });
    let notice = vec![0x93, 0, 0xa6, b'n', b'o', b'b', b'o', b'd', b'y', 0xa0];
    feed_mutations("notice", &[notice], |input| Notice::decode(input).is_some());
}

#[test]
fn texts_of_addresses_and_routes() {
    let text = |input: &[u8]| String::from_utf8_lossy(input).into_owned();
    let addresses = texts(&["outlet", "tcp#127.0.0.1:4000", "tcp#[::1]:4000"]);
    feed_mutations("address", &addresses, |input| Address::parse(&text(input)).is_ok());
    let routes = texts(&["tcp#127.0.0.1:4000 => outlet", "a => b => c"]);
    feed_mutations("route", &routes, |input| Route::parse(&text(input)).is_ok());
    let identifier = "60ed66d1c761541b027864a5897a11caba65400bf26b1ff5dee9493c03d50d62";
    let forwarding = format!("F15807b56d6d6dbaa0421f7e71722de67.I{identifier}");
    feed_mutations("forwarding address", &texts(&[&forwarding]), |input| {
        text(input).parse::<ForwardingAddress>().is_ok()
    });
}

#[test]
fn handshakes_and_identities() {
    feed_mutations("carrier", &named(&["carrier 1"]), |input| Packet::decode(input).is_ok());
    let identity = named(&["identity"]);
    feed_some_mutations(signed_inputs(), "identity", &identity, |input| {
        Identity::decode(input).is_ok()
    });
    let payload = named(&["payload 2"]);
    feed_some_mutations(signed_inputs(), "handshake payload", &payload, |input| {
        let verified = verify_payload2(input);
        assert!(!verified || *input == payload[0], "a forged payload: {input:02x?}");
        verified
    });
}

#[test]
fn messages_of_portals_and_forwarders() {
    let controls = [named(&["data"]), named(&PORTAL_CONTROLS)].concat();
    feed_mutations("portal message", &controls, |input| portal::decode(input).is_ok());
    let datagram = vec![0x93, 11, 1, 0xc4, 2, b'h', b'i'];
    feed_mutations("datagram", &[datagram], |input| datagram::message::decode(input).is_ok());
    let requests = ["register", "register claim", "register again", "proof", "renew", "release"];
    let requests = named(&requests);
    feed_mutations("request", &requests, |input| Request::decode(input).is_ok());
    let answers =
        named(&["challenge", "registered", "registered for 300 s", "refused full", "displaced"]);
    feed_mutations("answer", &answers, |input| Answer::decode(input).is_ok());
}

#[test]
fn headers_of_vault_files() {
    let valid = crate::identity::vault::file::example_header();
    feed_mutations("vault file", &[valid], decode_header);
}
