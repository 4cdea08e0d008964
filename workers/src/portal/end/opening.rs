//! How far the opening of a stream's socket is.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use ockam_actix_runtime::socket::network::Network;

use crate::portal::{
    end::joined_delay::{opened_delay, JoinedDelay},
    target::connect::{connect_target, Connected, Dial, NoTarget},
};

/// The application's socket is being connected, or there.
pub(crate) enum Opening {
    /// The target has not answered yet.
    Connecting(Pin<Box<dyn Future<Output = Result<Connected, NoTarget>>>>),
    /// The target is connected, and `Opened` waits for its first bytes, to go with them.
    AwaitingAnswer(JoinedDelay),
    /// Nothing waits any more.
    Open,
}

impl Opening {
    /// Connects to a target.
    pub(crate) fn connect(network: &Network, dial: &Dial) -> Self {
        Self::Connecting(Box::pin(connect_target(network.clone(), dial.clone())))
    }

    /// Whether the target has not answered yet.
    pub(crate) const fn is_connecting(&self) -> bool {
        matches!(self, Self::Connecting(_))
    }

    /// Whether `Opened` waits for the target's first bytes.
    pub(crate) const fn awaits_answer(&self) -> bool {
        matches!(self, Self::AwaitingAnswer(_))
    }

    /// Has `Opened` wait for the target's first bytes, for a moment.
    pub(crate) fn await_answer(&mut self) {
        *self = Self::AwaitingAnswer(opened_delay());
    }

    /// `Opened` waits no longer.
    pub(crate) fn stop_waiting(&mut self) {
        if self.awaits_answer() {
            *self = Self::Open;
        }
    }

    /// The connection, once the target has answered.
    pub(crate) fn poll_connected(
        &mut self,
        task: &mut Context<'_>,
    ) -> Poll<Result<Connected, NoTarget>> {
        let Self::Connecting(connecting) = self else { return Poll::Pending };
        let polled = connecting.as_mut().poll(task);
        if polled.is_ready() {
            *self = Self::Open;
        }
        polled
    }

    /// Whether the time for the target's first bytes is over.
    pub(crate) fn is_too_late(&mut self, task: &mut Context<'_>) -> bool {
        match self {
            Self::AwaitingAnswer(delay) => Pin::new(delay).poll(task).is_ready(),
            Self::Connecting(_) | Self::Open => false,
        }
    }
}
