//! The MessagePack form of a [`Message`], strict and bounded while it is decoded.
//!
//! `[kind, hops, [onward ...], [return ...], payload]`: arrays only, addresses as `str`, the
//! payload as `bin` and last, so that a message is a header followed by its payload and both ends
//! leave the payload where it is. One bit of the kind's byte says that the message is
//! [expendable](MessageParts::expendable).

mod repeated;

use rmp::{
    decode as read,
    encode::{self as write, ValueWriteError},
    Marker,
};
use smallvec::SmallVec;

use crate::{
    address::{route::Route, Address, AddressError},
    limits::{MAX_ADDRESS_BYTES, MAX_HOPS, MAX_ROUTE_ADDRESSES},
    message::{payload::Payload, Message, MessageKind, MessageParts},
    trust::origin::Origin,
};

pub use repeated::{Decoder, Encoder};

/// The encoded fields before the payload's bytes.
pub type Header = SmallVec<[u8; HEADER_BYTES]>;

/// Bytes of a header that need no allocation: enough for six random addresses in its routes.
const HEADER_BYTES: usize = 256;

/// The bit of the kind's byte that an expendable message has.
const EXPENDABLE: u8 = 8;

/// Why bytes from a peer are not a message. No error says more than the peer already knew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end in the middle of a field.
    #[error("the message ends inside its {0}")]
    Truncated(&'static str),
    /// A field has another MessagePack type or value than the protocol says.
    #[error("the message's {0} is malformed")]
    Malformed(&'static str),
    /// A route has more than [`MAX_ROUTE_ADDRESSES`].
    #[error("a route of {0} addresses was sent, at most {MAX_ROUTE_ADDRESSES} are allowed")]
    RouteTooLong(u32),
    /// An address breaks the rules.
    #[error("an invalid address was sent: {0}")]
    Address(#[from] AddressError),
    /// Bytes follow the message.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

/// Whether both routes are short enough for a peer.
///
/// Ingresses and workers lengthen the routes of a message under way; a peer that got a longer one
/// would close the connection that brought it, so every egress checks first.
pub fn routes_fit(message: &Message) -> bool {
    message.onward_route.len().max(message.return_route.len()) <= MAX_ROUTE_ADDRESSES
}

/// Encodes everything before the payload's bytes.
pub fn encode_header(message: &Message) -> Header {
    let mut header = encode_fields(message);
    append_length(&mut header, message.payload.len());
    header
}

/// Encodes everything before the payload's length.
fn encode_fields(message: &Message) -> Header {
    let mut header = zeros(most_field_bytes(message));
    let mut room = &mut header[..];
    write_fields(&mut room, message).expect("there is room for the longest form of each field");
    let left = room.len();
    header.truncate(header.len() - left);
    header
}

/// Encodes the length of the payload.
fn append_length(header: &mut Header, length: usize) {
    let mut longest = [0; LENGTH_BYTES];
    let mut room = &mut longest[..];
    write::write_bin_len(&mut room, u32::try_from(length).unwrap_or(u32::MAX))
        .expect("there is room for the longest form");
    let left = room.len();
    header.extend_from_slice(&longest[..LENGTH_BYTES - left]);
}

fn zeros(length: usize) -> Header {
    if length <= HEADER_BYTES {
        Header::from_buf_and_len([0; HEADER_BYTES], length)
    } else {
        Header::from_vec(vec![0; length])
    }
}

/// The longest form of a MessagePack length: its marker and 32 bits.
const LENGTH_BYTES: usize = 5;

/// The most bytes that the array's marker, the kind, the hop counter and the two routes can take.
fn most_field_bytes(message: &Message) -> usize {
    let route = |route: &Route| {
        LENGTH_BYTES + route.iter().map(|a| LENGTH_BYTES + a.shown().len()).sum::<usize>()
    };
    3 + route(&message.onward_route) + route(&message.return_route)
}

fn write_fields(room: &mut &mut [u8], message: &Message) -> Result<(), ValueWriteError> {
    write::write_array_len(room, 5)?;
    write::write_uint(room, kind_byte(message).into())?;
    write::write_uint(room, message.hops.min(MAX_HOPS).into())?;
    for route in [&message.onward_route, &message.return_route] {
        write::write_array_len(room, u32::try_from(route.len()).unwrap_or(u32::MAX))?;
        for address in route.iter() {
            write::write_str(room, address.shown())?;
        }
    }
    Ok(())
}

fn kind_byte(message: &Message) -> u8 {
    let is_expendable = message.expendable && message.kind.may_be_expendable();
    message.kind.code() | if is_expendable { EXPENDABLE } else { 0 }
}

/// What the kind's byte says: the kind, and whether the message is expendable.
fn read_kind(byte: u8) -> Option<(MessageKind, bool)> {
    let expendable = byte & EXPENDABLE != 0;
    let kind = MessageKind::from_code(byte & !EXPENDABLE)?;
    (!expendable || kind.may_be_expendable()).then_some((kind, expendable))
}

/// The whole message as one payload; the header is written into the room before the body.
pub fn encode(message: Message) -> Payload {
    let header = encode_header(&message);
    let mut payload = message.into_parts().payload;
    payload.prepend(&header);
    payload
}

/// Decodes a message that fills `encoded`; the payload stays in place.
///
/// # Errors
/// [`DecodeError`] for anything that the protocol does not allow; nothing is allocated for a
/// field before its size was checked.
pub fn decode(encoded: Payload, origin: Origin) -> Result<Message, DecodeError> {
    let mut rest: &[u8] = &encoded;
    let fields = decode_fields(&mut rest)?;
    let length = decode_length(rest)?;
    Ok(fields.with(encoded, length, origin))
}

/// The fields before the payload.
#[derive(Clone, Debug)]
struct Fields {
    kind: MessageKind,
    expendable: bool,
    hops: u8,
    onward_route: Route,
    return_route: Route,
}

impl Fields {
    /// The message that ends with `length` bytes of payload.
    fn with(self, encoded: Payload, length: usize, origin: Origin) -> Message {
        let Self { kind, expendable, hops, onward_route, return_route } = self;
        let range = encoded.len() - length..encoded.len();
        let mut payload = encoded;
        payload.narrow(range);
        let permit = None;
        Message::from(MessageParts {
            kind,
            expendable,
            hops,
            onward_route,
            return_route,
            payload,
            origin,
            permit,
        })
    }
}

fn decode_fields(rest: &mut &[u8]) -> Result<Fields, DecodeError> {
    if marker(rest, "array")? != Marker::FixArray(5) {
        return Err(DecodeError::Malformed("array"));
    }
    let kind = match marker(rest, "kind")? {
        Marker::FixPos(byte) => read_kind(byte),
        _ => None,
    };
    let (kind, expendable) = kind.ok_or(DecodeError::Malformed("kind"))?;
    let hops = match marker(rest, "hop counter")? {
        Marker::FixPos(hops) if hops <= MAX_HOPS => hops,
        _ => return Err(DecodeError::Malformed("hop counter")),
    };
    let onward_route = decode_route(rest, "onward route")?;
    let return_route = decode_route(rest, "return route")?;
    Ok(Fields { kind, expendable, hops, onward_route, return_route })
}

/// The length of the payload, which must be all that follows.
fn decode_length(mut rest: &[u8]) -> Result<usize, DecodeError> {
    let length = read::read_bin_len(&mut rest).map_err(|_| DecodeError::Malformed("payload"))?;
    let (length, available) = (usize::try_from(length).unwrap_or(usize::MAX), rest.len());
    if length > available {
        return Err(DecodeError::Truncated("payload"));
    }
    if length < available {
        return Err(DecodeError::Trailing(available - length));
    }
    Ok(length)
}

fn marker(rest: &mut &[u8], field: &'static str) -> Result<Marker, DecodeError> {
    read::read_marker(rest).map_err(|_| DecodeError::Truncated(field))
}

fn decode_route(rest: &mut &[u8], field: &'static str) -> Result<Route, DecodeError> {
    let count = read::read_array_len(rest).map_err(|_| DecodeError::Malformed(field))?;
    if usize::try_from(count).map_or(true, |count| count > MAX_ROUTE_ADDRESSES) {
        return Err(DecodeError::RouteTooLong(count));
    }
    let mut addresses = SmallVec::new();
    for _ in 0..count {
        addresses.push(decode_address(rest, field)?);
    }
    Ok(Route::from_first_to_last(addresses))
}

fn decode_address(rest: &mut &[u8], field: &'static str) -> Result<Address, DecodeError> {
    let length = read::read_str_len(rest).map_err(|_| DecodeError::Malformed(field))?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_ADDRESS_BYTES {
        return Err(DecodeError::Malformed(field));
    }
    let (text, after) = rest.split_at_checked(length).ok_or(DecodeError::Truncated(field))?;
    *rest = after;
    let text = std::str::from_utf8(text).map_err(|_| DecodeError::Malformed(field))?;
    Ok(Address::parse(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;
    use proptest::prelude::*;

    #[test]
    fn no_address_is_encoded_with_its_secret() {
        let public = format!("F{}.I{}", "0".repeat(32), "1".repeat(64));
        let whole = format!("{public}.S{}", "5e".repeat(32));
        let message =
            Message::new(route!["hub", whole.as_str()], route![whole.as_str()], Vec::new().into());
        let header = encode_header(&message);
        assert!(!header.windows(4).any(|window| window == b"5e5e"));
        let sent = Message::new(route!["hub", public.as_str()], route![public], Vec::new().into());
        assert_eq!(header, encode_header(&sent));
    }

    fn message() -> Message {
        let payload = Payload::from(b"payload".to_vec());
        Message::new(route!["tcp#[::1]:4000", "outlet"], route!["0123"], payload)
    }

    #[test]
    fn a_message_survives_the_wire() {
        let encoded = encode(message());
        let decoded = decode(encoded, Origin::Local).unwrap();
        assert_eq!(decoded.onward_route, message().onward_route);
        assert_eq!(decoded.return_route, message().return_route);
        assert_eq!(decoded.payload, message().payload);
        assert_eq!((decoded.kind, decoded.hops), (MessageKind::Data, MAX_HOPS));
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol_document() {
        let message = Message::new(route!["b"], route!["a"], Payload::from(vec![1, 2]));
        let expected = [0x95, 0, 32, 0x91, 0xa1, b'b', 0x91, 0xa1, b'a', 0xc4, 2, 1, 2];
        assert_eq!(&encode(message)[..], &expected);
    }

    #[test]
    fn each_kind_survives_the_wire() {
        for code in 0..=4 {
            let kind = MessageKind::from_code(code).unwrap();
            let mut sent = message();
            sent.kind = kind;
            assert_eq!(decode(encode(sent), Origin::Local).unwrap().kind, kind);
        }
    }

    #[test]
    fn only_data_and_replies_are_expendable() {
        let all = [(MessageKind::Data, true), (MessageKind::Reply, true)];
        let others = [MessageKind::Notice, MessageKind::Request, MessageKind::Watch];
        for (kind, kept) in all.into_iter().chain(others.map(|kind| (kind, false))) {
            let mut sent = message();
            (sent.kind, sent.expendable) = (kind, true);
            let mut encoded = encode(sent).to_vec();
            let decoded = decode(encoded[..].into(), Origin::Local).unwrap();
            assert_eq!((decoded.kind, decoded.expendable), (kind, kept));
            encoded[1] = kind.code() | EXPENDABLE;
            assert_eq!(decode(encoded.into(), Origin::Local).is_ok(), kept, "{kind:?}");
        }
    }

    #[test]
    fn truncated_and_extended_messages_are_errors() {
        let encoded = encode(message()).to_vec();
        for length in 0..encoded.len() {
            assert!(decode(encoded[..length].into(), Origin::Local).is_err(), "{length}");
        }
        let longer = [&encoded[..], &[0]].concat();
        let error = decode(longer.into(), Origin::Local).unwrap_err();
        assert_eq!(error, DecodeError::Trailing(1));
    }

    #[test]
    fn routes_that_have_grown_too_long_are_noticed() {
        let sixteen: Route = (0..16).map(|n| Address::from(format!("a{n}"))).collect();
        let of = |onward: &Route, back: &Route| {
            Message::new(onward.clone(), back.clone(), Payload::default())
        };
        assert!(routes_fit(&of(&sixteen, &sixteen)));
        let seventeen = sixteen.then("b");
        assert!(!routes_fit(&of(&seventeen, &sixteen)));
        assert!(!routes_fit(&of(&sixteen, &seventeen)));
    }

    #[test]
    fn too_many_addresses_are_refused_unread() {
        // An array of 2^32 - 1 addresses is announced and none follows.
        let bytes = vec![0x95, 0, 32, 0xdd, 0xff, 0xff, 0xff, 0xff];
        let error = decode(bytes.into(), Origin::Local).unwrap_err();
        assert_eq!(error, DecodeError::RouteTooLong(u32::MAX));
    }

    #[test]
    fn maps_nested_arrays_and_spent_values_are_refused() {
        for bytes in [vec![0x85, 0, 32], vec![0x95, 0x95], vec![0x95, 5], vec![0x95, 0, 33]] {
            assert!(decode(bytes.into(), Origin::Local).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = decode(bytes.into(), Origin::Local);
        }

        #[test]
        fn mutated_messages_are_a_message_or_an_error(at in 0_usize..40, byte: u8) {
            let mut encoded = encode(message());
            let at = at % encoded.len();
            encoded[at] = byte;
            let _ = decode(encoded, Origin::Local);
        }
    }
}
