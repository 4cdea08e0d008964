//! Replies: what answers a message whose body a worker has taken.

use std::marker::PhantomData;

use crate::{error::Result, message::body::Body, worker::delivery::Delivery};

/// Answers one message, now or later: [`Routed::into_parts`](crate::Routed::into_parts) gives one
/// that takes any body, [`Routed::into_request`](crate::Routed::into_request) one that takes only
/// the `R` that the request names.
///
/// Who has asked waits for it, and is told at once when it is dropped. So a worker that cannot
/// answer drops it, and one that stops or panics has nobody wait in vain.
#[derive(Debug)]
#[must_use = "the message is not answered before `send`"]
pub struct Reply<R = AnyBody> {
    delivery: Delivery,
    answer: PhantomData<fn(R)>,
}

/// The answer may be any body.
#[derive(Debug)]
pub enum AnyBody {}

impl<R> Reply<R> {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self { delivery, answer: PhantomData }
    }
}

impl Reply {
    /// Sends `answer` back along the return route.
    ///
    /// # Errors
    /// As [`Routed::reply`](crate::Routed::reply).
    pub fn send<R: Body>(self, answer: R) -> Result<()> {
        self.delivery.answer(answer)
    }
}

impl<R: Body> Reply<R> {
    /// Sends `answer` back along the return route.
    ///
    /// # Errors
    /// As [`Routed::reply`](crate::Routed::reply).
    pub fn send(self, answer: R) -> Result<()> {
        self.delivery.answer(answer)
    }
}
