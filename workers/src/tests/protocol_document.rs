//! The examples of `docs/protocol.md`: each of its blocks marked `hex` is what this library writes
//! and reads.
//!
//! A block that nobody checks fails the test as well, so an example cannot be added and forgotten.

use std::collections::BTreeMap;

use bytes::BytesMut;
use ockam_actix_runtime::{
    edge::lane::Grant, message::codec, route, Identifier, Message, MessageKind, Notice, Origin,
    Payload, UndeliverableReason,
};
use ockam_actix_transports::frame::{
    decode_grants, encode_grants, header, next_frame, Greeting, Signal, HEADER_BYTES,
};

use crate::{
    datagram::message as datagram,
    forwarder::{
        cluster::tests as cluster,
        protocol::{
            claim::{self, Claim, ForwarderId, Instance, Salt, Statement, Tenure},
            displacement::Displacement,
            refusal::RegistrationRefusal,
            Answer, Request,
        },
        ServiceAddress,
    },
    identity::{address_secret::AddressSecret, local_identity::LocalIdentity, Identity},
    invitation::{Clients, Invitation, Place},
    portal::protocol::{
        introduction::{ClientAddresses, Introduction},
        message as portal,
        message::{Control, Decoded},
        offset::{Limit, Offset},
        reason::{ResetReason, StreamRefusal},
        resumption::{OutletLife, StreamSecret},
    },
    secure_channel::{handshake::tests::worked_example, packet::Packet},
};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// The blocks that are one control message of a stream each.
pub(crate) const PORTAL_CONTROLS: [&str; 13] = [
    "fin",
    "opened",
    "refused busy",
    "window",
    "fin 200",
    "reset",
    "open resumable",
    "open introducing",
    "opened kept",
    "ack",
    "resume",
    "resumed",
    "unknown",
];

/// Bytes by the name of their block.
pub(crate) type Blocks = BTreeMap<String, Vec<u8>>;

/// The bytes that the library makes for a named block.
type Made = Vec<(&'static str, Vec<u8>)>;

/// All blocks of the document.
pub(crate) fn blocks() -> Blocks {
    let mut blocks = Blocks::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("```hex ") else { continue };
        let digits: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .map(|line| line.split('#').next().unwrap_or_default())
            .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
            .collect();
        let before = blocks.insert(name.to_owned(), from_hex(&digits));
        assert!(before.is_none(), "two blocks are named {name}");
    }
    blocks
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn from_hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "half a byte: {digits}");
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// The identity of section 7.
fn responder() -> LocalIdentity {
    LocalIdentity::dangerous_from_fixed_secrets([3; 32], [4; 32])
}

fn hello() -> Message {
    Message::new(route!["echoer"], route!["me"], text("hello"))
}

fn request() -> Message {
    let mut request = hello();
    request.kind = MessageKind::Request;
    request
}

fn text(text: &str) -> Payload {
    Payload::from(rmp_serde::to_vec(text).unwrap())
}

fn watch() -> Message {
    let mut watch = Message::new(route!["shop"], route!["me"], Payload::from(vec![20]));
    watch.kind = MessageKind::Watch;
    watch
}

fn framed(message: Message) -> Vec<u8> {
    let body = codec::encode(message);
    [&header(body.len(), 1)[..], &body].concat()
}

fn grants() -> [Grant; 2] {
    [Grant { lane: 1, moved_on: 1_512, more: 0 }, Grant { lane: 2, moved_on: 65_536, more: 32_768 }]
}

/// Sections 2 to 6.
fn connections() -> Made {
    let two = Message::new(route!["b"], route!["a"], Payload::from(vec![1, 2]));
    let mut lost = Message::new(route!["b"], route!["a"], Payload::from(vec![1, 2]));
    lost.expendable = true;
    let refused = Message::new(route!["nobody"], route!["me"], Payload::default());
    let notice =
        Notice::new("nobody".into(), UndeliverableReason::Unreachable).about(refused).unwrap();
    let held = Notice::new("shop".into(), UndeliverableReason::Held).about(watch()).unwrap();
    vec![
        ("greeting", Greeting::ours().encode()),
        ("grants", encode_grants(&grants())),
        ("signal", Signal::Ping.encode()),
        ("message", codec::encode(hello()).to_vec()),
        ("request", codec::encode(request()).to_vec()),
        ("message of two bytes", codec::encode(two).to_vec()),
        ("expendable message", codec::encode(lost).to_vec()),
        ("frame", framed(hello())),
        ("notice", codec::encode(notice).to_vec()),
        ("watch", codec::encode(watch()).to_vec()),
        ("watch held", codec::encode(held).to_vec()),
        ("answer", framed(request().into_reply("echoer".into(), text("hello")))),
    ]
}

/// Section 9.
fn portals() -> Made {
    let request = b"GET / HTTP/1.0\r\n\r\n";
    let limit = Limit::new(262_144);
    let open = Control::Open { limit, secret: None, introduction: Default::default() }.encode();
    let data = [&portal::data_header(Offset::new(0), 18)[..], request].concat();
    let both = [&open[..], &data].concat();
    let first = |payload: Vec<u8>| {
        codec::encode(Message::new(route!["outlet"], route!["s1"], payload.into())).to_vec()
    };
    let (secret, life) =
        (StreamSecret::from_bytes([7; 16]), OutletLife::new(0x0102_0304_0506_0708));
    let received = Offset::new(18).after_fin();
    let resume = Control::Resume { secret, attempt: 1, received: Offset::new(200), limit };
    let busy = Control::Refused { reason: StreamRefusal::from_code(6), text: "no" };
    let [client, server] = ["192.0.2.1:50000", "127.0.0.1:1080"].map(|end| end.parse().unwrap());
    let addresses = ClientAddresses { client, server };
    let introduction = portal::encode_introduction(Some(addresses), "db.internal:5432");
    let introduction = Introduction::of(&introduction);
    let introducing = Control::Open { limit, secret: None, introduction };
    vec![
        ("open", first(open)),
        ("open and data", first(both)),
        ("data", data),
        ("fin", Control::Fin { offset: Offset::new(18) }.encode()),
        ("opened", Control::Opened { limit, life: None }.encode()),
        ("refused busy", busy.encode()),
        ("window", Control::Window { limit }.encode()),
        ("fin 200", Control::Fin { offset: Offset::new(200) }.encode()),
        ("reset", Control::Reset { reason: ResetReason::from_code(4) }.encode()),
        (
            "open resumable",
            Control::Open { limit, secret: Some(secret), introduction: Default::default() }
                .encode(),
        ),
        ("open introducing", introducing.encode()),
        ("opened kept", Control::Opened { limit, life }.encode()),
        ("ack", Control::Ack { received }.encode()),
        ("resume", resume.encode()),
        ("resumed", Control::Resumed { received, limit }.encode()),
        ("unknown", Control::Unknown { life }.encode()),
        ("datagram", datagram_for("dns", b"hi")),
    ]
}

fn datagram_for(outlet: &str, bytes: &[u8]) -> Vec<u8> {
    let payload = [datagram::Header::of(bytes.len()).as_slice(), bytes].concat();
    codec::encode(Message::new(route![outlet], route!["f1"], payload.into())).to_vec()
}

fn claim(service: &str, instance: u8, tenure: u64) -> Claim {
    Claim {
        identifier: responder().identifier(),
        salt: Salt([5; 16]),
        service: service.parse().unwrap(),
        instance: Instance([instance; 16]),
        tenure: Tenure(tenure),
    }
}

/// The claim of the instance 16 x `07`, which displaces the instance 16 x `08`.
fn displacement() -> Displacement {
    let (identity, claim) = (responder(), claim("web", 7, 0));
    let (nonce, displaced, destination) = ([6; 32], Instance([8; 16]), route!["listener"]);
    let tenure = claim.tenure;
    let said = Statement { nonce: &nonce, displaced, tenure, destination: &destination };
    let signature = claim::prove(&identity, &claim.id(), said);
    let (id, identity) = (claim.id(), identity.identity().encode());
    Displacement { id, displaced, tenure, nonce, destination, signature, identity }
}

fn requests() -> Vec<(&'static str, Request)> {
    let (destination, id) = (route!["listener"], claim("web", 7, 0).id());
    let register = |destination, claim| Request::Register { destination, claim };
    let proved = displacement();
    let proof = Request::Proof {
        destination: proved.destination,
        claim: claim("web", 7, 0),
        nonce: proved.nonce,
        displaced: proved.displaced,
        signature: proved.signature,
        identity: proved.identity,
    };
    vec![
        ("register", register(destination.clone(), None)),
        ("register claim", register(destination.clone(), Some(claim("web", 7, 0)))),
        ("register again", register(destination, Some(claim("", 7, 1_795_000_000_000)))),
        ("register ab", register(route!["ab"], None)),
        ("proof", proof),
        ("renew", Request::Renew(id)),
        ("release", Request::Release(id)),
    ]
}

fn answers() -> Vec<(&'static str, Answer)> {
    let (id, tenure) = (claim("web", 7, 0).id(), Tenure(1_795_000_000_000));
    let (seven, none) = (ForwarderId([7; 16]), Tenure::NONE);
    let full = RegistrationRefusal::HubFull;
    vec![
        ("challenge", Answer::Challenge { nonce: [6; 32], held_by: Instance([8; 16]) }),
        ("registered", Answer::Registered { id, lease_seconds: 60, tenure }),
        (
            "registered for 300 s",
            Answer::Registered { id: seven, lease_seconds: 300, tenure: none },
        ),
        ("refused full", Answer::Refused { refusal: full, text: "x".to_owned() }),
        ("displaced", Answer::Displaced(Box::new(displacement()))),
        ("leaving", Answer::Leaving(id)),
    ]
}

#[test]
fn every_block_is_what_the_library_writes() {
    let written = [connections(), worked_example(), portals(), cluster::worked_example()].concat();
    let identity = ("identity", responder().identity().encode());
    let requests = requests().into_iter().map(|(name, request)| (name, request.encode().to_vec()));
    let answers = answers().into_iter().map(|(name, answer)| (name, answer.encode().to_vec()));
    let written = written.into_iter().chain([identity]).chain(requests).chain(answers);
    let written: Blocks = written.map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    let published = blocks();
    for (name, bytes) in &written {
        assert_eq!(published.get(name), Some(bytes), "the block \"{name}\"");
    }
    let unchecked: Vec<_> = published.keys().filter(|name| !written.contains_key(*name)).collect();
    assert!(unchecked.is_empty(), "nothing is compared with {unchecked:?}");
    println!("{} blocks of docs/protocol.md are as published", published.len());
}

#[test]
fn every_block_is_read_as_what_it_says() {
    let blocks = blocks();
    let mut greeting = BytesMut::from(&blocks["greeting"][..]);
    assert_eq!(Greeting::decode(&mut greeting), Ok(Some(Greeting::ours())));
    assert!(decode_grants(&blocks["grants"][HEADER_BYTES..]).unwrap().eq(grants()));
    assert_eq!(Signal::decode(&blocks["signal"][HEADER_BYTES..]), Some(Signal::Ping));
    for name in ["frame", "answer"] {
        let mut arrived = BytesMut::from(&blocks[name][..]);
        let frame = next_frame(&mut arrived, 1024).unwrap().unwrap();
        assert!(arrived.is_empty());
        assert_eq!(frame.lane, 1);
        let message = codec::decode(frame.body.into(), Origin::Local).unwrap();
        let kind = if name == "frame" { MessageKind::Data } else { MessageKind::Reply };
        assert_eq!(message.kind, kind);
    }
    let message = |name: &str| codec::decode(blocks[name][..].into(), Origin::Local).unwrap();
    assert_eq!(message("message").payload, text("hello"));
    assert_eq!(message("request").kind, MessageKind::Request);
    assert_eq!(message("message of two bytes").return_route, route!["a"]);
    let notice = message("notice");
    assert_eq!((notice.kind, notice.onward_route.clone()), (MessageKind::Notice, route!["me"]));
    let unreachable = Notice::new("nobody".into(), UndeliverableReason::Unreachable);
    assert_eq!(Notice::decode(&notice.payload), Some(unreachable));
    let (watch, held) = (message("watch"), message("watch held"));
    assert_eq!((watch.kind, watch.onward_route.clone()), (MessageKind::Watch, route!["shop"]));
    let expected = Notice::new("shop".into(), UndeliverableReason::Held);
    assert_eq!(Notice::decode(&held.payload), Some(expected));
    assert_eq!(&Identity::decode(&blocks["identity"]).unwrap(), responder().identity());
    let carrier = Packet::decode(&blocks["carrier 1"]).unwrap();
    assert_eq!(carrier, Packet::One { noise: &blocks["noise 1"], cookie: &[] });
    let carrier = Packet::decode(&blocks["carrier with secret"]).unwrap();
    let Packet::OneWithSecret { noise, cookie: &[], tag } = carrier else {
        panic!("{carrier:?} has a secret")
    };
    let secret = AddressSecret::parse(&"07".repeat(32)).unwrap();
    assert!(secret.has_made(tag, noise));
    for (name, request) in requests() {
        assert_eq!(Request::decode(&blocks[name]), Ok(request), "{name}");
    }
    for (name, answer) in answers() {
        assert_eq!(Answer::decode(&blocks[name]), Ok(answer), "{name}");
    }
    let open = message("open").into_parts().payload;
    let expected = Control::Open {
        limit: Limit::new(262_144),
        secret: None,
        introduction: Default::default(),
    };
    assert_eq!(portal::decode(&open), Ok((Decoded::Control(expected), open.len())));
    let both = message("open and data").into_parts().payload;
    assert_eq!(both[..], [&open[..], &blocks["data"]].concat());
    assert_eq!(portal::decode(&both), Ok((Decoded::Control(expected), open.len())));
    let data = Decoded::Data { offset: Offset::new(0), range: 16..34 };
    assert_eq!(portal::decode(&blocks["data"]), Ok((data, blocks["data"].len())));
    let to_dns = message("datagram").into_parts().payload;
    assert_eq!(to_dns[datagram::decode(&to_dns).unwrap()], *b"hi");
    for name in PORTAL_CONTROLS {
        let Ok((Decoded::Control(control), _)) = portal::decode(&blocks[name]) else {
            panic!("{name} is not a control message");
        };
        assert_eq!(control.encode(), blocks[name]);
    }
}

#[test]
fn identifiers_in_the_text_match_the_example() {
    let initiator = LocalIdentity::dangerous_from_fixed_secrets([1; 32], [2; 32]).identifier();
    let responder = responder().identifier();
    let address = |service| claim(service, 7, 0).id().forwarding_address(Some(responder));
    let copied = [address(""), address("web")].map(|address| address.to_string());
    let service = ServiceAddress::new(responder, "web").unwrap();
    let named = service.forwarding_address().to_string();
    let texts = [initiator.to_string(), responder.to_string(), named];
    for text in texts.into_iter().chain(copied) {
        assert!(DOCUMENT.contains(&text), "{text}");
    }
    let first = Identifier::of_first_key(responder_key().as_slice().try_into().unwrap());
    assert_eq!(first, responder);
}

#[test]
fn the_invitation_in_the_text_reads_as_described() {
    let text = DOCUMENT.split("```text\n").find(|text| text.starts_with("AQ")).unwrap();
    let invitation: Invitation = text.split("```").next().unwrap().parse().unwrap();
    assert_eq!(invitation.service, ServiceAddress::new(responder().identifier(), "web").unwrap());
    assert_eq!(invitation.place, Place::Hub("tcp#hub.example.org:4000".into()));
    assert_eq!(invitation.clients, Clients::Tcp);
    assert_eq!((invitation.expires, invitation.secret.0), (1_800_000_000, [7; 16]));
    let key = "c04f8ed9511beb911a56393268b06e3d1b0719240b4bc205ea0bc2779d12eda0";
    assert_eq!(invitation.key().reveal(), key);
}

fn responder_key() -> Vec<u8> {
    blocks()["identity"][4..36].to_vec()
}
