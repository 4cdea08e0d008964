//! First hops: what a source of data needs to know about the first hop of its route.

use std::sync::Arc;

use crate::{
    address::Address,
    edge::{budget::Budget, link_budgets::LinkBudgets},
    trust::origin::Origin,
    watched,
};

/// The state of a connection or a channel, as all who send through it see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Grows each time that an established link is lost: messages sent before may be lost too.
    pub epoch: u64,
    /// Whether it is established now.
    pub up: bool,
    /// While it is not established: why the last attempt failed, if there was one.
    pub failure: Option<Arc<str>>,
    /// Whether the peer has announced the loss, because its node stops: no reason for an alarm.
    pub announced: bool,
}

impl LinkState {
    /// A link that is established from the start.
    pub fn established() -> Self {
        Self { up: true, ..Self::default() }
    }

    /// Notes that the link is established.
    pub fn establish(&mut self) {
        (self.up, self.failure, self.announced) = (true, None, false);
    }

    /// Notes that the link is lost, or could not be established.
    pub fn lose(&mut self, failure: Arc<str>) {
        self.epoch += u64::from(self.up);
        // A loss that was announced is that until the link is established again.
        self.announced &= !self.up;
        (self.up, self.failure) = (false, Some(failure));
    }

    /// Notes that the link is lost, as the peer has announced.
    pub fn lose_as_announced(&mut self, failure: Arc<str>) {
        self.lose(failure);
        self.announced = true;
    }

    /// Notes that another link has taken the place of this one, as its peer has announced that it
    /// stops: it was lost, and is established.
    pub fn moved(&mut self) {
        (self.epoch, self.announced) = (self.epoch + 1, true);
    }
}

/// The first hop of a route as its sources see it: the budget that they wait for, and whether its
/// link is up.
#[derive(Clone, Debug)]
pub struct FirstHop {
    /// The address of the first hop.
    pub address: Address,
    /// The bytes that may be under way over it.
    pub budget: Budget,
    /// The arbiter on which the first hop lives; its sources belong there too.
    pub arbiter: Option<usize>,
    pub(crate) state: Option<watched::Receiver<LinkState>>,
    /// Where it is a connection: the budgets of those who send over it.
    pub(crate) budgets: Option<LinkBudgets>,
}

impl FirstHop {
    /// Returns a check whether a message can be an answer to one that was sent over this hop, if
    /// that is a connection or a channel: only a message that comes in there can be. Where a worker
    /// of this node sends messages on to is known to that worker alone.
    pub fn answers(&self) -> Option<impl Fn(&Origin) -> bool + Send + Sync + 'static> {
        let link = self.state.as_ref().map(|_| self.address.clone())?;
        Some(move |origin: &Origin| origin.came_through(&link))
    }

    /// The same with a budget of its own, for a channel: what is sent through it does not wait for
    /// what others send over the same connection.
    #[must_use]
    pub fn for_channel(self) -> Self {
        match self.budgets.as_ref().map(LinkBudgets::one) {
            Some(budget) => self.with_budget(budget),
            None => self,
        }
    }

    /// The same with another budget.
    #[must_use]
    pub fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// Whether it is a connection, over which messages of the size of a frame pass: not a channel,
    /// and not a worker of this node.
    pub fn is_connection(&self) -> bool {
        self.budgets.is_some()
    }

    /// Whether the loss of the first hop is reported at all: that of a connection or a channel is,
    /// that of a worker of this node is not.
    pub fn is_watched(&self) -> bool {
        self.state.is_some()
    }

    /// The state of the first hop at this moment.
    pub fn state(&self) -> LinkState {
        self.state.as_ref().map_or_else(LinkState::established, |state| state.borrow().clone())
    }

    /// Waits until the link that was established in `epoch` is lost; never returns for a worker of
    /// this node.
    pub async fn lost(&mut self, epoch: u64) {
        self.wait(|state| state.epoch != epoch).await;
    }

    /// Waits until the first hop is established; returns at once for a worker of this node.
    pub async fn up(&mut self) {
        if self.state.is_some() {
            self.wait(|state| state.up).await;
        }
    }

    /// Waits until the first hop is established, or an attempt to do so has failed.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn attempted(&mut self) -> Result<(), Arc<str>> {
        if self.state.is_some() {
            self.wait(|state| state.up || state.failure.is_some()).await;
        }
        let state = self.state();
        match state.failure {
            Some(failure) if !state.up => Err(failure),
            _ => Ok(()),
        }
    }

    /// Waits until `condition` holds, or the first hop is gone.
    async fn wait(&mut self, mut condition: impl FnMut(&LinkState) -> bool) {
        match &mut self.state {
            Some(state) => {
                // An error says that the first hop is gone.
                let _ = state.wait_for(|state| condition(state)).await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loss_of_a_link_is_counted() {
        let mut state = LinkState::default();
        state.lose("nobody answers".into());
        assert_eq!((state.epoch, state.up, state.announced), (0, false, false));
        state.establish();
        assert_eq!(state, LinkState::established());
        state.lose("it was cut".into());
        state.lose("nobody answers".into());
        assert_eq!((state.epoch, state.failure.as_deref()), (1, Some("nobody answers")));
    }

    #[test]
    fn an_announced_loss_is_that_until_it_ends() {
        let mut state = LinkState::established();
        state.lose_as_announced("it stops".into());
        state.lose("nobody answers".into());
        assert!(state.announced && !state.up);
        state.establish();
        state.moved();
        assert_eq!((state.epoch, state.up, state.announced), (2, true, true));
        state.lose("it was cut".into());
        assert_eq!((state.epoch, state.announced), (3, false));
    }
}
