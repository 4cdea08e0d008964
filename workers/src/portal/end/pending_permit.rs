//! Room on the first edge: waited for, or taken before there is anything to put on it.

use std::{
    future::Future,
    pin::Pin,
    task::{ready, Context, Poll},
};

use ockam_actix_runtime::{edge::budget::Budget, Permit};

/// For what room is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Room {
    /// Data of so many bytes, in turn.
    Data(usize),
    /// Short messages that do not queue after data: data of the other direction may be waiting for
    /// them.
    Urgent,
}

/// The edge is closed: nothing goes over it any more.
#[derive(Debug)]
pub(crate) struct EdgeClosed;

/// A permit that is taken, waited for, or neither.
#[derive(Default)]
pub(crate) enum PendingPermit {
    #[default]
    Unwanted,
    Waiting(Pin<Box<dyn Future<Output = Option<Permit>>>>),
    Taken(Permit),
}

impl PendingPermit {
    /// Takes room on the edge of `budget`; if there is none, has the task woken when there is.
    pub(crate) fn poll(
        &mut self,
        budget: &Budget,
        room: Room,
        task: &mut Context<'_>,
    ) -> Poll<Result<Permit, EdgeClosed>> {
        match std::mem::take(self) {
            Self::Taken(permit) => return Poll::Ready(Ok(permit)),
            Self::Waiting(waiting) => *self = Self::Waiting(waiting),
            Self::Unwanted => match try_take(budget, room) {
                Some(permit) => return Poll::Ready(Ok(permit)),
                None => *self = Self::Waiting(take(budget.clone(), room)),
            },
        }
        let Self::Waiting(waiting) = self else { return Poll::Pending };
        let permit = ready!(waiting.as_mut().poll(task));
        *self = Self::Unwanted;
        Poll::Ready(permit.ok_or(EdgeClosed))
    }

    /// Keeps a permit that was not used.
    pub(crate) fn put_back(&mut self, permit: Permit) {
        *self = Self::Taken(permit);
    }

    /// Leaves the room to others.
    pub(crate) fn give_up(&mut self) {
        *self = Self::Unwanted;
    }
}

fn try_take(budget: &Budget, room: Room) -> Option<Permit> {
    match room {
        Room::Data(bytes) => budget.try_acquire(bytes),
        Room::Urgent => budget.try_acquire_urgent(),
    }
}

fn take(budget: Budget, room: Room) -> Pin<Box<dyn Future<Output = Option<Permit>>>> {
    Box::pin(async move {
        match room {
            Room::Data(bytes) => budget.acquire(bytes).await,
            Room::Urgent => budget.acquire_urgent().await,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn room_is_kept_until_given_up() {
        let budget = Budget::new(10_000);
        let (mut first, mut second) = (PendingPermit::default(), PendingPermit::default());
        let mut task = Context::from_waker(Waker::noop());
        let mut poll =
            |pending: &mut PendingPermit| pending.poll(&budget, Room::Data(8_000), &mut task);
        let Poll::Ready(Ok(permit)) = poll(&mut first) else { panic!("there is room") };
        first.put_back(permit);
        assert!(poll(&mut second).is_pending());
        first.give_up();
        assert!(matches!(poll(&mut second), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_closed_edge_ends_the_wait() {
        let budget = Budget::new(100);
        let mut task = Context::from_waker(Waker::noop());
        let all = budget.try_acquire(100);
        let mut pending = PendingPermit::default();
        assert!(pending.poll(&budget, Room::Data(10), &mut task).is_pending());
        budget.close();
        let ended = pending.poll(&budget, Room::Data(10), &mut task);
        assert!(matches!(ended, Poll::Ready(Err(EdgeClosed))));
        assert!(all.is_some());
    }
}
