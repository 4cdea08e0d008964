//! Bodies: what a worker's messages carry.

use std::io::Cursor;

use serde::{de::DeserializeOwned, Serialize};

use crate::{
    error::{Error, Result},
    limits::MAX_PAYLOAD_BYTES,
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
    fn encode(self) -> Result<Payload, rmp_serde::encode::Error>;

    /// The body from its bytes, of which none may be left.
    ///
    /// # Errors
    /// When the bytes are not of this type.
    fn decode(payload: Payload) -> Result<Self, rmp_serde::decode::Error>;
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Body for T {
    fn encode(self) -> Result<Payload, rmp_serde::encode::Error> {
        Ok(Payload::from(rmp_serde::to_vec(&self)?))
    }

    fn decode(payload: Payload) -> Result<Self, rmp_serde::decode::Error> {
        let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(&payload[..]));
        deserializer.set_max_depth(MAX_DEPTH);
        let body = T::deserialize(&mut deserializer)?;
        if deserializer.position() < payload.len() as u64 {
            return Err(serde::de::Error::custom("bytes follow the body"));
        }
        Ok(body)
    }
}

impl Body for Payload {
    const RAW: bool = true;

    fn encode(self) -> Result<Payload, rmp_serde::encode::Error> {
        Ok(self)
    }

    fn decode(payload: Payload) -> Result<Self, rmp_serde::decode::Error> {
        Ok(payload)
    }
}

impl Body for Notice {
    const NOTICES: bool = true;

    fn encode(self) -> Result<Payload, rmp_serde::encode::Error> {
        Ok(Self::encode(&self))
    }

    fn decode(payload: Payload) -> Result<Self, rmp_serde::decode::Error> {
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
        let mut longer = payload;
        longer.extend_from_slice(&[0]);
        assert!(<(u64, String, Vec<Option<i32>>)>::decode(longer).is_err());
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
