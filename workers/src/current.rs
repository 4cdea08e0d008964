//! The actor behind a handle: another one after each restart.

use std::{fmt, sync::Arc};

use actix::{Actor, Addr};
use ockam_actix_runtime::lock::Lock;

/// Which actor a handle stands for at this moment. Clones share it.
pub(crate) struct Current<A: Actor>(Arc<Lock<State<A>>>);

struct State<A: Actor> {
    actor: Option<Addr<A>>,
    ended: bool,
}

impl<A: Actor> Current<A> {
    /// There is none yet.
    pub(crate) fn none() -> Self {
        Self(Arc::new(Lock::new(State { actor: None, ended: false })))
    }

    /// From now on it is this one.
    ///
    /// # Errors
    /// Gives it back to be stopped, if the program has ended it meanwhile.
    pub(crate) fn set(&self, actor: Addr<A>) -> Result<(), Addr<A>> {
        let mut state = self.0.lock();
        if state.ended {
            return Err(actor);
        }
        state.actor = Some(actor);
        Ok(())
    }

    /// The program wants no more of it: there will be no other. Gives the one that there is, or was.
    pub(crate) fn end(&self) -> Option<Addr<A>> {
        let mut state = self.0.lock();
        state.ended = true;
        state.actor.take()
    }

    /// Whether the program has ended it.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.lock().ended
    }
}

impl<A: Actor> fmt::Debug for Current<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").field("ended", &self.is_ended()).finish_non_exhaustive()
    }
}

impl<A: Actor> Clone for Current<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
