//! Repeated headers. Most headers are the same as the one before: those of a channel's records on
//! its connection, at both ends; those of a stream's bulk data in its channel, where they are
//! decoded. A repeated header is neither encoded nor decoded again; it is recognised by its fields
//! or its bytes, so nothing depends on what came before.

use crate::{
    message::{
        codec::{
            append_length, decode_fields, decode_length, encode_fields, DecodeError, Fields,
            Header, HEADER_BYTES,
        },
        payload::Payload,
        Message,
    },
    trust::origin::Origin,
};

/// Encodes as [`encode_header`](super::encode_header) does, and reuses the last header where it is
/// the same.
///
/// ```
/// use ockam_actix_runtime::{message::codec, route, Message, Payload};
/// let mut encoder = codec::Encoder::default();
/// let message = Message::new(route!["outlet"], route!["stream"], Payload::from(vec![7]));
/// for _ in 0..2 {
///     assert_eq!(encoder.encode_header(&message), codec::encode_header(&message));
/// }
/// ```
#[derive(Debug, Default)]
pub struct Encoder {
    last: Option<Known>,
}

/// Decodes as [`decode`](super::decode) does, and reuses the fields of the last header where the
/// bytes are the same.
#[derive(Debug, Default)]
pub struct Decoder {
    last: Header,
    /// The fields of the last header, once it has come twice: a header that comes once costs little
    /// more than without a memory.
    fields: Option<Fields>,
}

/// Fields, and their encoding.
#[derive(Debug)]
struct Known {
    bytes: Header,
    fields: Fields,
}

impl Encoder {
    /// Encodes everything before the payload's bytes.
    pub fn encode_header(&mut self, message: &Message) -> Header {
        let mut header = match &self.last {
            Some(last) if last.fields.are_of(message) => Header::from_slice(&last.bytes),
            _ => {
                let bytes = encode_fields(message);
                let short = bytes.len() <= HEADER_BYTES;
                self.last = short.then(|| Known::of(&bytes, message));
                bytes
            }
        };
        append_length(&mut header, message.payload.len());
        header
    }
}

impl Decoder {
    /// Decodes a message that fills `encoded`; the payload stays in place.
    ///
    /// # Errors
    /// As [`decode`](super::decode).
    pub fn decode(&mut self, encoded: Payload, origin: Origin) -> Result<Message, DecodeError> {
        let after = encoded.strip_prefix(&self.last[..]).filter(|_| !self.last.is_empty());
        let (fields, rest) = match (after, &self.fields) {
            (Some(rest), Some(fields)) => (fields.clone(), rest),
            (again, _) => {
                let mut rest: &[u8] = &encoded;
                let fields = decode_fields(&mut rest)?;
                self.fields = again.map(|_| fields.clone());
                if again.is_none() {
                    self.remember(&encoded[..encoded.len() - rest.len()]);
                }
                (fields, rest)
            }
        };
        let length = decode_length(rest)?;
        Ok(fields.with(encoded, length, origin))
    }

    /// Longer headers are not kept, as every connection would take more memory for them.
    fn remember(&mut self, header: &[u8]) {
        self.last.clear();
        if header.len() <= HEADER_BYTES {
            self.last.extend_from_slice(header);
        }
    }
}

impl Known {
    fn of(bytes: &Header, message: &Message) -> Self {
        Self { bytes: Header::from_slice(bytes), fields: Fields::of(message) }
    }
}

impl Fields {
    fn of(message: &Message) -> Self {
        Self {
            kind: message.kind,
            expendable: message.expendable,
            hops: message.hops,
            onward_route: message.onward_route.clone(),
            return_route: message.return_route.clone(),
        }
    }

    fn are_of(&self, message: &Message) -> bool {
        self.kind == message.kind
            && self.expendable == message.expendable
            && self.hops == message.hops
            && self.onward_route == message.onward_route
            && self.return_route == message.return_route
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        address::route::Route,
        message::{
            codec::{decode, encode, encode_header},
            MessageKind,
        },
        Address,
    };

    /// Messages of which many follow one with the same header.
    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let route = || prop::collection::vec("[ab]{1,2}", 0..3);
        let header = (0_u8..=3, any::<bool>(), 30_u8..=32, route(), route());
        let message = (header, prop::collection::vec(0_usize..300, 1..4));
        prop::collection::vec(message, 1..6).prop_map(|all| {
            let mut messages = Vec::new();
            for ((kind, expendable, hops, onward, back), lengths) in all {
                for length in lengths {
                    let of = |names: &[String]| -> Route {
                        names.iter().map(|name| Address::from(name.as_str())).collect()
                    };
                    let payload = Payload::from(vec![7; length]);
                    let mut message = Message::new(of(&onward), of(&back), payload);
                    message.hops = hops;
                    message.kind = MessageKind::from_code(kind).unwrap();
                    message.expendable = expendable;
                    messages.push(message);
                }
            }
            messages
        })
    }

    proptest! {
        #[test]
        fn an_encoder_writes_what_is_written_without_memory(messages in messages()) {
            let mut encoder = Encoder::default();
            for message in &messages {
                prop_assert_eq!(encoder.encode_header(message), encode_header(message));
            }
        }

        #[test]
        fn a_decoder_reads_what_is_read_without_memory(
            messages in messages(),
            cuts: Vec<(prop::sample::Index, prop::sample::Index, u8)>,
        ) {
            let mut decoder = Decoder::default();
            let mut all: Vec<Vec<u8>> =
                messages.into_iter().map(|message| encode(message).to_vec()).collect();
            for (which, at, byte) in cuts {
                let which = which.index(all.len());
                let mut broken = all[which].clone();
                let at = at.index(broken.len());
                broken[at] = byte;
                let cut = all[which][..=at].to_vec();
                all.splice(which..which, [broken, cut]);
            }
            for bytes in all {
                let expected = decode(bytes[..].into(), Origin::Local);
                let decoded = decoder.decode(bytes[..].into(), Origin::Local);
                prop_assert_eq!(format!("{expected:?}"), format!("{decoded:?}"));
            }
        }
    }

    #[test]
    fn a_long_header_is_not_kept() {
        let long: Route = (0..16).map(|_| Address::random()).collect();
        let message = Message::new(long.clone(), long, Payload::default());
        let mut encoder = Encoder::default();
        assert_eq!(encoder.encode_header(&message), encode_header(&message));
        assert!(encoder.last.is_none());
        let mut decoder = Decoder::default();
        let encoded = encode(message);
        for _ in 0..3 {
            decoder.decode(encoded.clone(), Origin::Local).unwrap();
            assert!(decoder.last.is_empty() && decoder.fields.is_none());
        }
    }
}
