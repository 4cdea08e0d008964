//! Frames of WebSockets, as they arrive in pieces.

use bytes::BytesMut;
use ockam_actix_transports::ws::frames::{
    put_masked, put_message_header, Incoming, Role, Violation, MAX_CONTROL_BYTES,
};

/// Checks one input: a byte that says which end takes it, a byte that says how long the pieces
/// are, and what arrives.
pub fn check(input: &[u8]) {
    let [role, length, arrived @ ..] = input else { return };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    let whole = taken(role, arrived, arrived.len().max(1));
    assert_eq!(taken(role, arrived, usize::from(*length) + 1), whole, "the cut changes nothing");
    let framed = framed(role, arrived);
    let (payload, ..) = taken(role, &framed, usize::from(*length) + 1).unwrap();
    assert_eq!(payload, arrived, "what is sent is taken");
}

/// Payload, the ping that is to be answered, and whether the peer has closed the connection.
type Taken = (Vec<u8>, Option<Vec<u8>>, bool);

fn taken(role: Role, arrived: &[u8], piece: usize) -> Result<Taken, Violation> {
    let (mut incoming, mut payload) = (Incoming::new(role), Vec::new());
    for piece in arrived.chunks(piece) {
        let mut piece = piece.to_vec();
        let kept = incoming.take(&mut piece)?;
        payload.extend_from_slice(&piece[..kept]);
    }
    let ping = incoming.ping;
    assert!(ping.as_ref().is_none_or(|ping| ping.len() <= MAX_CONTROL_BYTES));
    Ok((payload, ping, incoming.is_closed))
}

/// A message of these bytes from the other end.
fn framed(role: Role, bytes: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    match role {
        Role::Server => put_masked(&mut out, [1, 2, 3, 0], bytes.len(), [bytes]),
        Role::Client => {
            put_message_header(&mut out, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
    out
}
