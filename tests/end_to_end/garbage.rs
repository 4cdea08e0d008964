//! Hostile peers: what they send harms nobody else, and the log says who they were and why they
//! were disconnected. On other carriers than TCP also what is not of the carrier, and [what is
//! inside](encrypted).

mod encrypted;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    time::Duration,
};

use ockam_actix_harness::{
    client::{connect, fetch},
    deadline::{poll, PATIENCE},
    network::in_own_network,
    program::Program,
    target::{Target, PAGE},
};

use crate::{
    carrier::Carrier,
    over::Over,
    tunnel::{step_02, step_03, step_04},
};

/// A node's greeting, as in docs/protocol.md.
const GREETING: &[u8] = b"\0\0\0\x13\0\0\x93\xabockam-actix\x01\xce\0\x04\0\0";

/// How long a refusal may take.
const MOMENT: Duration = Duration::from_secs(5);

/// Sends `bytes` to the fixed port, and waits until the node closes the connection; its log must
/// name this peer and say `why`.
fn is_disconnected(listening: &Program, bytes: &[u8], why: &str) {
    let (mut peer, address) = hostile_peer(bytes);
    // The rest may not be taken any more, and the connection may end with a reset.
    let _ = peer.shutdown(Shutdown::Write);
    let end = peer.read_to_end(&mut Vec::new());
    if let Err(error) = end {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{why}");
    }
    is_logged(listening, &address, why);
}

/// What the node says about a peer has the reason in it.
fn is_logged(listening: &Program, address: &str, why: &str) {
    let said = poll("a line about the peer", MOMENT, || {
        let lines = listening.stderr();
        let named = lines.iter().find(|line| line.contains(address)).cloned();
        named.ok_or(format!("nothing about {address} ({why}): {listening}"))
    });
    assert!(said.contains(why), "{why:?} is not in {said:?}");
}

/// What a peer can send in place of a greeting, and of what follows it, and how the node says that.
fn wrong_words() -> Vec<(Vec<u8>, &'static str)> {
    let after_greeting = |bytes: &[u8]| [GREETING, bytes].concat();
    vec![
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "does not speak the protocol"),
        (vec![0xff; 100_000], "does not speak the protocol"),
        (b"\0\0\0\x13\0\0\x93\xabockam-actix\x09\xce\0\x04\0\0".to_vec(), "version 9"),
        (after_greeting(&[0xff; 4]), "frame of 4294967295 bytes"),
        (after_greeting(b"\0\x04\0\x01"), "frame of 262145 bytes"),
        (after_greeting(b"\0\0\0\x05\0\x01wrong"), "breaks the protocol"),
        (after_greeting(b"\0\0\0\0\0\x01"), "breaks the protocol"),
        (after_greeting(b"\0\0\0\0\0\0"), "malformed grant"),
        (
            after_greeting(b"\0\0\0\x0a\0\0\0\x07\0\0\0\x01\0\0\0\0"),
            "credit for which there is no reason",
        ),
    ]
}

fn hostile_peer(bytes: &[u8]) -> (TcpStream, String) {
    let mut peer = connect("127.0.0.1:4000".parse().unwrap(), PATIENCE).unwrap();
    let address = peer.local_addr().unwrap().to_string();
    let _ = peer.write_all(bytes);
    (peer, address)
}

/// Everything that a peer can do wrong before it is understood; `serves` shows that others are
/// served.
fn garbage_at(listening: &mut Program, serves: impl Fn()) {
    let after_greeting = |bytes: &[u8]| [GREETING, bytes].concat();
    for (words, why) in wrong_words() {
        is_disconnected(listening, &words, why);
        serves();
    }
    // Half a greeting and half a frame, and the connections stay open.
    let open = [
        hostile_peer(b""),
        hostile_peer(&GREETING[..10]),
        hostile_peer(&after_greeting(b"\0\0")),
        hostile_peer(&after_greeting(b"\0\x04\0\0half of it")),
    ];
    serves();
    drop(open);
    serves();
    assert!(listening.is_running(), "{listening}");
}

#[test]
fn garbage_at_step_02_outlet_harms_nobody_else() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_02(&target.address(), 1);
        let inlet = tunnel.inlet;
        garbage_at(&mut tunnel.programs[0], || assert_eq!(fetch(inlet, "/"), Ok(PAGE.into())));
    });
}

#[test]
fn garbage_at_step_03_outlet_harms_nobody_else() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_03(&target.address(), 1);
        let inlet = tunnel.inlet;
        garbage_at(&mut tunnel.programs[0], || assert_eq!(fetch(inlet, "/"), Ok(PAGE.into())));
    });
}

#[test]
fn garbage_at_the_hub_harms_nobody_else() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_04(&target.address(), 1);
        let inlet = tunnel.inlet;
        garbage_at(&mut tunnel.programs[0], || assert_eq!(fetch(inlet, "/"), Ok(PAGE.into())));
    });
}

/// A request for a WebSocket.
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The beginning of a binary message of these bytes, masked with zeros.
fn message(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0x82, 0xfe][..], &length, &[0; 4], bytes].concat()
}

/// What a peer may send in place of what the carrier, or a node on it, has first.
fn strange_words() -> Vec<Vec<u8>> {
    let after_greeting = |bytes: &[u8]| [GREETING, bytes].concat();
    let mut words = vec![
        Vec::new(),
        vec![0],
        vec![0xff; 60_000],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        // A hello of TLS that does not go on, and one that is too long.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"\x16\x03\x01\xff\xff\x01".to_vec(),
        // Packets of QUIC: of an unknown version, a first one, and one of no connection.
        [&b"\xc0\x0a\x0a\x0a\x0a\x08"[..], &[7; 1_200]].concat(),
        [&b"\xc0\x00\x00\x00\x01\x08"[..], &[7; 1_200]].concat(),
        [&b"\x40"[..], &[7; 1_200]].concat(),
        GREETING[..10].to_vec(),
        after_greeting(&[0xff; 4]),
        after_greeting(b"\0\x04\0\0half of it"),
    ];
    let in_messages = words.clone();
    words.extend(in_messages.iter().map(|words| [UPGRADE, &message(words)].concat()));
    // Messages of no known kind, and one of text.
    words.extend([&[0xff; 8][..], b"\x81\x80\0\0\0\0"].map(|words| [UPGRADE, words].concat()));
    words
}

/// Says something to the hub; the connection, if it is one, stays open until that is dropped.
fn say(over: &Over, words: &[u8]) -> Box<dyn Send> {
    match over.carrier {
        Carrier::Unix => {
            let mut stream = UnixStream::connect(over.files.path("hub.sock")).unwrap();
            let _ = stream.write_all(words);
            Box::new(stream)
        }
        Carrier::Quic => {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(words, "127.0.0.1:4000").unwrap();
            Box::new(socket)
        }
        Carrier::Tcp | Carrier::Ws | Carrier::Wss => Box::new(hostile_peer(words).0),
    }
}

#[test]
fn strange_words_on_each_carrier_harm_nobody_else() {
    in_own_network(|| {
        let target = Target::start();
        for over in Carrier::ALL.map(Over::new) {
            let mut tunnel = over.step_04(&target.address());
            let serves = || assert_eq!(fetch(tunnel.inlet, "/"), Ok(PAGE.into()));
            let open: Vec<_> = strange_words().iter().map(|words| say(&over, words)).collect();
            serves();
            drop(open);
            serves();
            for program in &mut tunnel.programs {
                assert!(program.is_running(), "{program}");
            }
        }
    });
}
