//! Bodies: what a worker's messages carry.

use bytes::BufMut;
use rmp_serde::{decode, encode, Deserializer};
use serde::{de::DeserializeOwned, Deserialize as _, Serialize};

use crate::{
    error::{Error, Result},
    limits::{HEADROOM_BYTES, MAX_PAYLOAD_BYTES, TAILROOM_BYTES},
    message::{notice::Notice, payload::Payload},
};

/// A type that messages can carry: every `Serialize + DeserializeOwned`, as MessagePack,
/// [`Payload`] itself for workers that want the bytes as they are, and [`Notice`] for those that
/// want to know what was not delivered.
pub trait Body: Sized + Send + 'static {
    /// Whether the worker gets the bytes as they are, whatever they are.
    const RAW: bool = false;

    /// Whether the worker gets notices. Otherwise those about messages that it has forwarded go on
    /// to whoever sent these, and those about messages of its own end in the log.
    const NOTICES: bool = Self::RAW;

    /// The bytes of the body.
    ///
    /// # Errors
    /// When the value has no MessagePack form, such as a map with a key that has none.
    fn encode(self) -> Result<Payload, encode::Error>;

    /// The body from its bytes, of which none may be left.
    ///
    /// # Errors
    /// When the bytes are not of this type.
    fn decode(payload: Payload) -> Result<Self, decode::Error>;
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Body for T {
    fn encode(self) -> Result<Payload, encode::Error> {
        // With room for the headers before it and the tag after it, as all that may leave has.
        let capacity = SMALL_BODY_BYTES + TAILROOM_BYTES;
        let (buffer, start) = Payload::with_headroom(HEADROOM_BYTES, capacity).into_buffer();
        let mut writer = buffer.writer();
        encode::write(&mut writer, &self)?;
        Ok(Payload::from_buffer(writer.into_inner(), start))
    }

    fn decode(payload: Payload) -> Result<Self, decode::Error> {
        let mut deserializer = Deserializer::from_read_ref(&payload[..]);
        deserializer.set_max_depth(MAX_DEPTH);
        let body = T::deserialize(&mut deserializer)?;
        // At the end, and only there, the first byte of one more value is missing.
        match bool::deserialize(&mut deserializer) {
            Err(decode::Error::InvalidMarkerRead(_)) => Ok(body),
            _ => Err(serde::de::Error::custom("bytes follow the body")),
        }
    }
}

impl Body for Payload {
    const RAW: bool = true;

    fn encode(self) -> Result<Payload, encode::Error> {
        Ok(self)
    }

    fn decode(payload: Payload) -> Result<Self, decode::Error> {
        Ok(payload)
    }
}

impl Body for Notice {
    const NOTICES: bool = true;

    fn encode(self) -> Result<Payload, encode::Error> {
        Ok(Self::encode(&self))
    }

    fn decode(payload: Payload) -> Result<Self, decode::Error> {
        Self::decode(&payload).ok_or_else(|| serde::de::Error::custom("it is not a notice"))
    }
}

/// Encodes a body that a caller gave.
pub(crate) fn encode<M: Body>(body: M) -> Result<Payload> {
    let payload = body.encode().map_err(Error::Encode)?;
    let (length, limit) = (payload.len(), MAX_PAYLOAD_BYTES);
    if length > limit {
        return Err(Error::TooLarge { length, limit });
    }
    Ok(payload)
}

/// A body of so many bytes is encoded without a larger buffer; longer ones double it.
const SMALL_BODY_BYTES: usize = 96;

/// How deeply a body from outside may be nested.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_survive_and_trailing_bytes_do_not() {
        let body = (7_u64, String::from("x"), vec![Some(1), None]);
        let payload = Body::encode(body.clone()).unwrap();
        assert_eq!(<(u64, String, Vec<Option<i32>>)>::decode(payload.clone()).unwrap(), body);
        // A whole value, parts of one, and what begins none.
        for trailing in [&[0][..], &[0x91], &[0xa5, b'x'], &[0xce, 0], &[0xc1]] {
            let mut longer = payload.clone();
            longer.extend_from_slice(trailing);
            assert!(<(u64, String, Vec<Option<i32>>)>::decode(longer).is_err());
        }
    }

    /// What `docs/workers.md` says of serde's attributes.
    #[test]
    fn attributes_that_need_names_do_not_work() {
        fn survives<T: Body + Clone + PartialEq>(body: T) -> bool {
            let payload = Body::encode(body.clone()).unwrap();
            T::decode(payload).is_ok_and(|decoded| decoded == body)
        }
        #[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Skipping {
            #[serde(skip_serializing_if = "Option::is_none")]
            first: Option<u8>,
            second: u8,
        }
        #[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(untagged)]
        enum Untagged {
            Named { item: String },
            Plain(u8),
        }
        #[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged {
            Named { item: String },
        }
        #[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Flattening {
            #[serde(flatten)]
            inner: Skipping,
            last: u8,
        }
        assert!(survives(Skipping { first: Some(1), second: 2 }));
        assert!(!survives(Skipping { first: None, second: 2 }));
        assert!(survives(Untagged::Plain(1)));
        assert!(!survives(Untagged::Named { item: "tea".into() }));
        assert!(survives(Tagged::Named { item: "tea".into() }));
        let inner = Skipping { first: None, second: 2 };
        assert!(survives(Flattening { inner, last: 3 }));
        assert_eq!(Body::encode(vec![200_u8; 100]).unwrap().len(), 2 * 100 + 3);
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        struct Nested(Vec<Nested>);
        let deep = vec![0x91; 100_000];
        assert!(Nested::decode(deep.into()).is_err());
    }
}
