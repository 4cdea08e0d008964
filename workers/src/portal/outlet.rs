//! The outlet: starts the other end of a stream for each `Open`, and connects it to the target.
//!
//! * Owns: the outlet's name, and the list of its streams that their inlets do not know yet.
//! * Inbox: `Open`, and what an inlet sends before it has received `Opened`. It has no mailbox:
//!   both are delivered on the arbiter where they came in, so the stream lives there, and what
//!   follows an `Open` cannot overtake it.
//! * Started by [`Outlet::start`]; its name is freed by [`Outlet::stop`] or with the node.
//! * A panic is contained by the node's hand-over, in the task that delivers: one message is lost.

use std::{fmt, sync::Arc};

use ockam_actix_runtime::{
    message::{undelivered::Undelivered, MessageKind},
    node::{
        entry::{AccessRule, Deliver, Description, Entry},
        routing::NextHop,
        Node,
    },
    Address, Class, Error, Host, Message, Origin, Payload, Result, UndeliverableReason,
};

use crate::portal::{
    end::{
        config::{Side, StreamConfig},
        worker::StreamWorker,
    },
    opening::Opening,
    pool::StreamPool,
    protocol::{
        message::{decode, Control, DecodeError, Decoded},
        offset::Limit,
        reason::StreamRefusal,
        stream::Stream,
    },
};

/// A running outlet. Dropping this does not stop it; [`Outlet::stop`] does.
#[derive(Clone, Debug)]
pub struct Outlet {
    node: Node,
    address: Address,
}

/// What an outlet connects to, and for whom. A target alone (`host:port`) converts into one.
///
/// ```
/// use ockam_actix_workers::{identity::access, portal::OutletOptions};
///
/// let options = OutletOptions::to("127.0.0.1:5000").access(access::secure_channels_only());
/// # let _ = options;
/// ```
#[must_use]
pub struct OutletOptions {
    target: String,
    access: Option<AccessRule>,
}

impl OutletOptions {
    /// Streams connect to `target` (`host:port`). Its name is resolved for each stream, so a target
    /// that moves or starts later is found.
    pub fn to(target: impl Into<String>) -> Self {
        Self { target: target.into(), access: None }
    }

    /// Accepts only streams from the origins that `rule` permits, on top of the rules for all: see
    /// [`access`](crate::identity::access) for rules by identity and by policy.
    pub fn access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }
}

impl<T: Into<String>> From<T> for OutletOptions {
    fn from(target: T) -> Self {
        Self::to(target)
    }
}

impl fmt::Debug for OutletOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let narrowed = self.access.is_some();
        f.debug_struct("OutletOptions")
            .field("target", &self.target)
            .field("narrowed", &narrowed)
            .finish()
    }
}

impl Outlet {
    /// Registers an outlet at `address` whose streams connect to a target: `"127.0.0.1:5000"`, or
    /// [`OutletOptions`] with more.
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the target is not `host:port`.
    pub fn start(
        node: &impl AsRef<Node>,
        address: impl Into<Address>,
        options: impl Into<OutletOptions>,
    ) -> Result<Self> {
        let (node, OutletOptions { target, access }) = (node.as_ref(), options.into());
        check_target(&target)?;
        let mut description = Description::new(address, Class::User);
        description.access = access;
        let address = description.address.clone();
        let (opening, own) = (Opening::default(), node.unheld());
        let delivery = OutletDelivery { node: own, target: target.clone(), opening };
        node.register_delivery(description, delivery)?.detach();
        log::info!("outlet \"{address}\" for the target {target}");
        Ok(Self { node: node.clone(), address })
    }

    /// The outlet's name.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Frees the outlet's name; open streams go on.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub fn stop(&self) -> Result<()> {
        self.node.stop_worker(self.address.clone())
    }
}

fn check_target(target: &str) -> Result<()> {
    let port = target.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    if port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "\"{target}\" is not a target: expected host:port, such as 127.0.0.1:5000"
    )))
}

struct OutletDelivery {
    node: Node,
    target: String,
    opening: Opening,
}

impl Deliver for OutletDelivery {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        if message.kind == MessageKind::Notice {
            return Ok(());
        }
        if let Some(stream) = self.opening.find(&message.return_route) {
            return self.pass_on(stream, message);
        }
        match decode(&message.payload) {
            Ok((Decoded::Control(Control::Open { limit, .. }), length)) => {
                self.open(entry, limit, length, message)
            }
            Ok((Decoded::Control(Control::Reset { .. }), _)) => Ok(()),
            Err(DecodeError::UnsupportedVersion(_)) => {
                self.refuse(entry, message, StreamRefusal::UnsupportedVersion);
                Ok(())
            }
            Ok(_) | Err(_) => {
                let reason = UndeliverableReason::BodyNotUnderstood;
                Err(Undelivered::new(message, &entry.address, reason))
            }
        }
    }
}

impl OutletDelivery {
    /// Passes an early message on to its stream: it has the return route of the stream's `Open`, so
    /// it came by the same way.
    fn pass_on(&self, stream: Address, mut message: Message) -> Result<(), Box<Undelivered>> {
        message.onward_route.push_front(stream);
        self.node.try_route(message, NextHop::Chosen)
    }

    /// Starts the stream of a message that begins with `length` bytes of `Open`; the stream gets
    /// the rest.
    fn open(
        &self,
        entry: &Entry,
        limit: Limit,
        length: usize,
        mut message: Message,
    ) -> Result<(), Box<Undelivered>> {
        let node = &self.node;
        let inlet = message.return_route.clone();
        let Ok(first_hop) = node.first_hop(&inlet) else {
            let reason = UndeliverableReason::Unreachable;
            return Err(Undelivered::new(message, &entry.address, reason));
        };
        let slot = match StreamPool::of(node).enter(&message.origin) {
            Ok(slot) => slot,
            Err(full) => {
                let (target, origin) = (&self.target, &message.origin);
                let what = format_args!("refused a stream from {origin} to {target}: {full}");
                node.refusals().warn(full.rule(), what);
                self.refuse(entry, message, StreamRefusal::Busy);
                return Ok(());
            }
        };
        let Ok(stream) = Stream::outlet(limit, slot.first_window()) else {
            let reason = UndeliverableReason::BodyNotUnderstood;
            return Err(Undelivered::new(message, &entry.address, reason));
        };
        let description = Description::answered_over(&first_hop);
        let address = description.address.clone();
        let listed = self.opening.list(inlet.clone(), address.clone());
        let side = Side::Outlet { target: self.target.clone(), _listed: Some(listed) };
        let arbiter = node.arbiter_for(&first_hop);
        let config =
            StreamConfig { node: node.clone(), stream, first_hop, route: inlet, side, slot };
        let launched = if node.current_arbiter() == Some(arbiter) {
            node.launch_here(description, StreamWorker::new(config, None)).map(drop)
        } else {
            node.launch(description.on(arbiter), move |_| StreamWorker::new(config, None)).map(drop)
        };
        if launched.is_err() {
            return Err(Undelivered::new(
                message,
                &entry.address,
                UndeliverableReason::Unreachable,
            ));
        }
        message.payload.narrow(length..usize::MAX);
        match message.payload.is_empty() {
            true => Ok(()),
            false => self.pass_on(address, message),
        }
    }

    /// Answers an `Open` that no stream was made for.
    fn refuse(&self, entry: &Entry, message: Message, reason: StreamRefusal) {
        let refused = Control::Refused { reason, text: reason.text() };
        let payload = Payload::from(&refused.encode()[..]);
        if let Err(undelivered) = self.node.answer(message, entry.address.clone(), payload) {
            log::debug!("a refusal was not delivered: {}", undelivered.notice);
        }
    }
}
