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
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what answers it",
    label = "this body is no `Request`",
    note = "say what the answer is where you ask: `ctx.ask(route, body).reply_as::<String>().await`",
    note = "or let the body say it: `#[derive(Request)]` with `#[request(reply = String)]`"
)]
pub trait Request: Body {
    /// What it is answered with.
    type Reply: Body;
}

/// Bytes are answered with bytes.
impl Request for Payload {
    type Reply = Self;
}
