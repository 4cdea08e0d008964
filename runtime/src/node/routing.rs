//! Routing: the one function that every message passes through, and the steps before it.

use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::Arc,
};

use crate::{
    address::{route::Route, Address},
    edge::first_hop::FirstHop,
    error::{Error, Result},
    message::{
        body::{encode, Body},
        notice::{Notice, UndeliverableReason},
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::{
        entry::{AccessRule, Entry},
        router::Forward,
        strays::Strays,
        Node,
    },
    trust::{
        origin::Origin,
        reachability::{admit, ReachabilityRule},
    },
};

/// Who chose the next hop of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// The message did: the rules of reachability decide whether its origin may reach the hop.
    Checked,
    /// This node did, so the rules do not apply to that hop.
    Chosen,
}

impl Node {
    /// See [`Host::route`](crate::host::Host::route).
    pub(crate) fn route(&self, message: Message) {
        if let Err(undelivered) = self.try_route(message, NextHop::Checked) {
            self.bounce(undelivered);
        }
    }

    /// See [`Host::try_route`](crate::host::Host::try_route).
    pub(crate) fn try_route(
        &self,
        mut message: Message,
        next_hop: NextHop,
    ) -> Result<(), Box<Undelivered>> {
        let Some(address) = message.onward_route.pop_front() else {
            let notice = Notice::new("end-of-route".into(), UndeliverableReason::Unreachable);
            return Err(Box::new(Undelivered { message, notice }));
        };
        let checked = next_hop == NextHop::Checked && !message.origin.is_local();
        let Some(entry) = self.find_or_dial(&address, checked) else {
            message.onward_route.push_front(address.clone());
            return self.stray(message, &address);
        };
        if checked {
            if let Err(rule) = self.admit(&entry, &message.origin) {
                self.refuse(rule, &address, &message.origin);
                message.onward_route.push_front(address.clone());
                return Err(Undelivered::new(message, &address, UndeliverableReason::Unreachable));
            }
        }
        self.hand_over(entry, message)
    }

    /// Delivers a message to an entry's worker: on the worker's own arbiter by a call, from
    /// elsewhere through the mailbox of the router there.
    pub(crate) fn hand_over(
        &self,
        entry: Arc<Entry>,
        message: Message,
    ) -> Result<(), Box<Undelivered>> {
        if message.kind == MessageKind::Watch && entry.ends_watch(&message) {
            return self.hold_watch(&entry.address, &entry, message);
        }
        if log::log_enabled!(log::Level::Trace) {
            trace(&entry, &message);
        }
        match entry.arbiter {
            Some(index) if self.current_arbiter() != Some(index) => {
                let forward = Forward { entry, message };
                // The permit in the message bounds the bytes under way between arbiters.
                #[allow(clippy::disallowed_methods)]
                self.shared.arbiters[index].router().do_send(forward);
                Ok(())
            }
            _ => entry.take(message),
        }
    }

    /// See [`Host::keep_strays`](crate::host::Host::keep_strays).
    pub(crate) fn keep_strays(&self, strays: Arc<dyn Strays>) -> bool {
        self.shared.strays.set(strays).is_ok()
    }

    /// Nobody has the address that the message goes to.
    #[cold]
    fn stray(&self, message: Message, address: &Address) -> Result<(), Box<Undelivered>> {
        let Some(strays) = self.shared.strays.get() else {
            return Err(Undelivered::new(message, address, UndeliverableReason::Unreachable));
        };
        strays.take(address, Box::new(message)).map_err(|message| {
            Undelivered::new(*message, address, UndeliverableReason::Unreachable)
        })
    }

    fn find_or_dial(&self, address: &Address, remote: bool) -> Option<Arc<Entry>> {
        if let Some(entry) = self.shared.directory.find(address) {
            return Some(entry);
        }
        address.dial_parts()?;
        if remote {
            let rule = ReachabilityRule::OnlyLocalRoutesDial;
            let what = format_args!("refused to dial {address} for a message from outside");
            self.shared.doors.refusals.warn(rule.name(), what);
            return None;
        }
        self.dial(address).map_err(|error| log::warn!("{}", error.one_line())).ok()?;
        self.shared.directory.find(address)
    }

    fn dial(&self, address: &Address) -> Result<()> {
        self.check_running()?;
        address.validate()?;
        let (transport, _) =
            address.dial_parts().ok_or_else(|| Error::NoWorker(address.clone()))?;
        let dialers = self.shared.dialers.read();
        let dialer = dialers.get(transport).cloned();
        drop(dialers);
        dialer.ok_or_else(|| Error::NoTransport(address.clone()))?.dial(self, address)
    }

    fn admit(&self, entry: &Entry, origin: &Origin) -> Result<(), ReachabilityRule> {
        admit(&entry.address, entry.class, origin, self.is_guarded())?;
        if entry.alias_of.as_ref().is_some_and(|pair| !pair.admits(origin)) {
            return Err(ReachabilityRule::OtherIngress);
        }
        match &entry.access {
            Some(rule) if !permits(rule, entry, origin) => Err(ReachabilityRule::WorkerRefused),
            _ => Ok(()),
        }
    }

    fn refuse(&self, rule: ReachabilityRule, address: &Address, origin: &Origin) {
        let what = format_args!("refused a message from {origin} to \"{address}\"");
        self.shared.doors.refusals.warn(rule.name(), what);
    }

    /// See [`Host::bounce`](crate::host::Host::bounce).
    // Callers pass on the boxed error of `try_route`.
    #[allow(clippy::boxed_local)]
    pub(crate) fn bounce(&self, undelivered: Box<Undelivered>) {
        let Undelivered { message, notice } = *undelivered;
        if message.expendable {
            let what = format_args!("dropped a message that may be lost: {notice}");
            return self.shared.doors.refusals.info("expendable-undelivered", what);
        }
        if !self.has_room_to_answer(&message) {
            return;
        }
        let Some(reply) = notice.about(message) else {
            log::debug!("dropped a message that has no sender to tell: {notice}");
            return;
        };
        if let Err(undelivered) = self.try_route(in_order(reply, &notice), NextHop::Chosen) {
            let lost = undelivered.notice;
            log::debug!("the sender could not be told of {notice}, because of {lost}");
        }
    }

    /// Sends a message made here.
    pub(crate) fn send_message(&self, message: Message) -> Result<()> {
        self.try_route(message, NextHop::Checked).map_err(|undelivered| self.report(undelivered))
    }

    /// Sends on a message that the worker at `own` did not make. If it cannot be delivered, its
    /// sender gets a notice, even one on this node, and the caller gets an error.
    pub(crate) fn forward_message(
        &self,
        own: &Address,
        mut message: Message,
        next_hop: NextHop,
    ) -> Result<()> {
        message.return_route.push_front(own.clone());
        self.try_route(message, next_hop).map_err(|mut undelivered| {
            // The worker has the error, so the notice is for those before it.
            let route = &mut undelivered.message.return_route;
            if route.first() == Some(own) {
                route.pop_front();
            }
            let notice = undelivered.notice.clone();
            self.bounce(undelivered);
            Error::Undeliverable(notice)
        })
    }

    /// Sends a notice to a remote sender, and makes an error for the caller.
    fn report(&self, undelivered: Box<Undelivered>) -> Error {
        let notice = undelivered.notice.clone();
        if !undelivered.message.origin.is_local() {
            self.bounce(undelivered);
        }
        self.check_running().err().unwrap_or(Error::Undeliverable(notice))
    }

    /// See [`Host::send_from`](crate::host::Host::send_from).
    pub(crate) async fn send_from<M: Body>(
        &self,
        sender: &Address,
        route: impl Into<Route>,
        body: M,
    ) -> Result<()> {
        let route = route.into();
        let payload = encode(body)?;
        let first_hop = self.first_hop(&route)?;
        self.send_over(&first_hop, Message::new(route, Route::from(sender.clone()), payload)).await
    }

    /// As [`send_from`](Self::send_from), but does not wait.
    pub(crate) fn try_send_from<M: Body>(
        &self,
        sender: &Address,
        route: impl Into<Route>,
        body: M,
    ) -> Result<()> {
        let route = route.into();
        let payload = encode(body)?;
        let first_hop = self.first_hop(&route)?;
        let permit = first_hop.budget.try_acquire(payload.len());
        let permit = permit.ok_or(Error::NoRoom { hop: first_hop.address })?;
        let message = Message::new(route, Route::from(sender.clone()), payload);
        self.send_message(message.with_permit(permit))
    }

    /// Sends a message made here over the first hop of its route, once there is room on it.
    pub(crate) async fn send_over(&self, first_hop: &FirstHop, message: Message) -> Result<()> {
        let permit = tokio::select! {
            biased;
            permit = first_hop.budget.acquire(message.payload.len()) => permit,
            // Nobody makes room any more.
            () = self.stopped() => None,
        };
        let permit = permit.ok_or(Error::Stopped)?;
        self.send_message(message.with_permit(permit))
    }

    /// How many messages wait for the worker at `address`, or are kept by it.
    pub(crate) fn queue_length(&self, address: &Address) -> usize {
        self.shared.directory.find(address).map_or(0, |entry| entry.delivery.queue_length())
    }

    /// See [`Host::first_hop`](crate::host::Host::first_hop).
    pub(crate) fn first_hop(&self, route: &Route) -> Result<FirstHop> {
        route.validate()?;
        let first = route.first().ok_or(Error::EmptyRoute)?;
        let next = route.iter().nth(1);
        if let Some(entry) = self.shared.directory.find(first) {
            return Ok(entry.first_hop(next));
        }
        self.dial(first)?;
        let entry = self.shared.directory.find(first);
        Ok(entry.ok_or_else(|| Error::NoWorker(first.clone()))?.first_hop(next))
    }
}

/// A notice does not overtake what a stream sent before it ended, which may tell of the end.
fn in_order(mut message: Message, notice: &Notice) -> Message {
    let bytes = message.payload.len();
    message.permit = message.permit.take().map(|mut permit| {
        permit.end_as(bytes);
        permit.of_flow(notice.hop.clone())
    });
    message
}

/// Logs a message that is delivered: where from, and what it still has to pass, but not its body.
#[cold]
fn trace(entry: &Entry, message: &Message) {
    let onward = message.onward_route.iter();
    let onward: String = onward.map(|address| format!(" => {address}")).collect();
    log::trace!(
        "{:?} of {} bytes from {} to {}{onward}; back: {}",
        message.kind,
        message.payload.len(),
        message.origin,
        entry.address,
        message.return_route
    );
}

/// Asks a worker's own rule. A panicking rule refuses the message, and its panic ends neither the
/// connection that the message came through nor the router.
fn permits(rule: &AccessRule, entry: &Entry, origin: &Origin) -> bool {
    catch_unwind(AssertUnwindSafe(|| rule(origin))).unwrap_or_else(|_| {
        log::error!("the access rule of \"{}\" panicked, so it refuses the message", entry.address);
        false
    })
}
