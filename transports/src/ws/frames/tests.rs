//! Frames in every cut, and what breaks the protocol.

use super::*;

/// A frame, masked with a key if one is given.
fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => bytes.push(masked | length as u8),
        Ok(length) => {
            bytes.push(masked | 126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(masked | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    let keys = key.unwrap_or_default();
    bytes.extend(key.iter().flatten());
    bytes.extend(payload.iter().zip(keys.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn numbered(length: usize) -> Vec<u8> {
    (0..length).map(|number| (number % 251) as u8).collect()
}

fn taken(incoming: &mut Incoming, stream: &[u8], cut: usize) -> Result<Vec<u8>, Violation> {
    let mut payload = Vec::new();
    for part in stream.chunks(cut) {
        let mut part = part.to_vec();
        let kept = incoming.take(&mut part)?;
        payload.extend_from_slice(&part[..kept]);
    }
    Ok(payload)
}

#[test]
fn payload_passes_in_every_cut() {
    let payload = numbered(70_000);
    for role in [Role::Server, Role::Client] {
        let key = (role == Role::Server).then_some([1, 20, 77, 200]);
        let stream = [
            frame(0x82, key, &payload[..5]),
            // A message in three parts, with a ping between them.
            frame(0x02, key, &payload[5..300]),
            frame(0x00, key, &[]),
            frame(0x89, key, b"are you there"),
            frame(0x80, key, &payload[300..3_000]),
            frame(0x82, key, &[]),
            frame(0x8a, key, b""),
            frame(0x82, key, &payload[3_000..]),
        ]
        .concat();
        for cut in [1, 2, 3, 7, 16, 1_000, 65_536, stream.len()] {
            let mut incoming = Incoming::new(role);
            assert!(taken(&mut incoming, &stream, cut).unwrap() == payload, "cut by {cut}");
            assert_eq!(incoming.ping.take().unwrap(), b"are you there", "cut by {cut}");
        }
    }
}

#[test]
fn what_is_made_is_what_is_taken() {
    let payload = numbered(100_000);
    let (parts, mut keys) = (payload.chunks(999), Keys::default());
    let mut out = BytesMut::new();
    put_masked(&mut out, keys.next(), payload.len(), parts);
    put_pong(&mut out, Some(keys.next()), b"yes");
    put_close(&mut out, Some(keys.next()), 1000);
    let mut incoming = Incoming::new(Role::Server);
    assert!(taken(&mut incoming, &out, 4_096).unwrap() == payload);
    assert!(incoming.is_closed && incoming.ping.is_none());

    let mut out = BytesMut::new();
    put_message_header(&mut out, payload.len());
    out.extend_from_slice(&payload);
    put_close(&mut out, None, 1000);
    let mut incoming = Incoming::new(Role::Client);
    assert!(taken(&mut incoming, &out, 4_096).unwrap() == payload);
    assert!(incoming.is_closed);
}

#[test]
fn nothing_follows_a_close() {
    let mut incoming = Incoming::new(Role::Client);
    let stream = [frame(0x82, None, b"last"), frame(0x88, None, &[3, 232]), vec![0xff; 9]].concat();
    assert_eq!(taken(&mut incoming, &stream, stream.len()).unwrap(), b"last");
    assert!(incoming.is_closed);
}

#[test]
fn violations_are_told_apart() {
    let key = Some([9, 8, 7, 6]);
    let begun = frame(0x02, key, b"part");
    for (stream, violation) in [
        (frame(0x81, key, b"text"), Violation::Text),
        (frame(0xc2, key, b"deflated"), Violation::Extension),
        (frame(0x83, key, b"?"), Violation::Kind),
        (frame(0x8b, key, b"?"), Violation::Kind),
        (frame(0x82, None, b"bare"), Violation::Masking),
        (frame(0x80, key, b"of nothing"), Violation::Order),
        ([begun.clone(), frame(0x82, key, b"new")].concat(), Violation::Order),
        (frame(0x89, key, &[0; 126]), Violation::Control),
        (frame(0x09, key, b"part"), Violation::Control),
    ] {
        let outcome = taken(&mut Incoming::new(Role::Server), &stream, 1);
        assert_eq!(outcome, Err(violation));
    }
    let from_server = taken(&mut Incoming::new(Role::Client), &frame(0x82, key, b"masked"), 1);
    assert_eq!(from_server, Err(Violation::Masking));
}

#[test]
fn a_flood_of_pings_keeps_one() {
    let mut incoming = Incoming::new(Role::Client);
    let stream = frame(0x89, None, &[7; MAX_CONTROL_BYTES]).repeat(1_000);
    assert!(taken(&mut incoming, &stream, stream.len()).unwrap().is_empty());
    assert_eq!(incoming.ping.as_ref().map(Vec::len), Some(MAX_CONTROL_BYTES));
    assert!(incoming.control.capacity() <= 2 * MAX_CONTROL_BYTES);
}
