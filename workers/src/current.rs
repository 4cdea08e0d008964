//! The actor behind a handle: another one after each restart.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::{Actor, Addr};

/// Which actor a handle stands for at this moment. Clones share it.
pub(crate) struct Current<A: Actor>(Arc<Mutex<State<A>>>);

struct State<A: Actor> {
    actor: Option<Addr<A>>,
    ended: bool,
}

impl<A: Actor> Current<A> {
    /// There is none yet.
    pub(crate) fn none() -> Self {
        Self(Arc::new(Mutex::new(State { actor: None, ended: false })))
    }

    /// From now on it is this one.
    ///
    /// # Errors
    /// Gives it back to be stopped, if the program has ended it meanwhile.
    pub(crate) fn set(&self, actor: Addr<A>) -> Result<(), Addr<A>> {
        let mut state = self.lock();
        if state.ended {
            return Err(actor);
        }
        state.actor = Some(actor);
        Ok(())
    }

    /// The program wants no more of it: there will be no other. Gives the one that there is, or was.
    pub(crate) fn end(&self) -> Option<Addr<A>> {
        let mut state = self.lock();
        state.ended = true;
        state.actor.take()
    }

    /// Whether the program has ended it.
    pub(crate) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
