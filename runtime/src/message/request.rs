//! Requests: bodies that say what they are answered with.

use crate::message::{body::Body, payload::Payload};

/// A body that asks, and the body that answers it.
///
/// `#[derive(ockam::Request)]` with `#[request(reply = ...)]` writes the same.
///
/// ```
/// use ockam_actix_runtime::Request;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct PriceOf(String);
///
/// impl Request for PriceOf {
///     type Reply = u64;
/// }
/// ```
pub trait Request: Body {
    /// What it is answered with.
    type Reply: Body;
}

/// Bytes are answered with bytes.
impl Request for Payload {
    type Reply = Self;
}
