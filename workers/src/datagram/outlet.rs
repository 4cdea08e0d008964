//! The outlet: sends datagrams to a target, and what the target answers back.
//!
//! * Owns: the outlet's name, and a flow with a socket for each client of an inlet.
//! * Inbox: datagrams. It has no mailbox: they are delivered on the arbiter where they came in, and
//!   go straight into the flow's socket.
//! * Started by [`UdpOutlet::start`]; ends, with its flows, by [`UdpOutlet::stop`] or with the
//!   node.
//! * A panic is contained by the node's hand-over, in the task that delivers: one datagram is lost.
//!   One in the task that reads a flow's socket ends that task, and the flow with it when it has
//!   been idle.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use ockam_actix_runtime::{
    message::{undelivered::Undelivered, MessageKind},
    metrics::{
        listing::Recorded,
        portal::{Portal, PortalKind, StreamRecord},
        Metrics,
    },
    node::entry::{AccessRule, Deliver, Description, Entry},
    Address, Class, Error, Host, Message, Node, Origin, Result, UndeliverableReason,
};
use tokio::{net::UdpSocket, sync::oneshot, time::sleep};

use crate::{
    datagram::{
        flows::Flows,
        limits::{IDLE_TIMEOUT, LOOKUP_PAUSE},
        loss::Loss,
        message::decode,
        outlet::flow::{Back, Flow, FlowKey, Target},
        socket::{has_datagrams, receive_all, GivesWay},
    },
    portal::pool::Holder,
};

mod flow;

/// A running UDP outlet. Dropping this does not stop it; [`UdpOutlet::stop`] does.
#[derive(Clone, Debug)]
pub struct UdpOutlet {
    node: Node,
    address: Address,
}

/// What a UDP outlet sends to, and for whom. A target alone (`host:port`) converts into it.
///
/// ```
/// use ockam_actix_workers::{datagram::UdpOutletOptions, identity::access};
///
/// let options = UdpOutletOptions::to("127.0.0.1:53").access(access::secure_channels_only());
/// # let _ = options;
/// ```
#[must_use]
pub struct UdpOutletOptions {
    target: String,
    access: Option<AccessRule>,
    idle_timeout: Duration,
}

impl UdpOutletOptions {
    /// Datagrams go to `target` (`host:port`). Its name is resolved for each flow.
    pub fn to(target: impl Into<String>) -> Self {
        Self { target: target.into(), access: None, idle_timeout: IDLE_TIMEOUT }
    }

    /// Takes only datagrams from the origins that `rule` permits, on top of the rules for all: see
    /// [`access`](crate::identity::access) for rules by identity and by policy.
    pub fn access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }

    /// Ends a flow in which nothing has passed for so long, at least 100 ms; [`IDLE_TIMEOUT`] if
    /// this is not called. The target sees the client's next datagram come from another port.
    pub const fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }
}

impl<T: Into<String>> From<T> for UdpOutletOptions {
    fn from(target: T) -> Self {
        Self::to(target)
    }
}

impl fmt::Debug for UdpOutletOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpOutletOptions")
            .field("target", &self.target)
            .field("narrowed", &self.access.is_some())
            .field("idle_timeout", &self.idle_timeout)
            .finish()
    }
}

impl UdpOutlet {
    /// Registers an outlet at `address` that sends datagrams to a target: `"127.0.0.1:53"`, or
    /// [`UdpOutletOptions`] with more.
    ///
    /// # Errors
    /// If the address is invalid or already in use, the target is not `host:port`, or on
    /// a simulated network, which has no datagrams.
    pub fn start(
        node: &impl AsRef<Node>,
        address: impl Into<Address>,
        options: impl Into<UdpOutletOptions>,
    ) -> Result<Self> {
        let node = node.as_ref();
        if !has_datagrams(node) {
            return Err(Error::Usage("a simulated network has no datagrams".into()));
        }
        let UdpOutletOptions { target, access, idle_timeout } = options.into();
        let target: Target = target.parse()?;
        let mut description = Description::new(address, Class::User);
        description.access = access;
        let address = description.address.clone();
        log::info!("UDP outlet \"{address}\" for the target {target}");
        let flows = Flows::new(node, idle_timeout, true);
        let portal = Portal::new(PortalKind::UdpOutlet, address.to_string(), target.to_string());
        let portal = Metrics::of(node).portals.list(portal).into();
        let outlet = Arc::new(Outlet { node: node.unheld(), target, flows, portal });
        let registration = node.register_delivery(description, Delivery(outlet.clone()))?;
        let gone = registration.entry().stop_signal();
        node.spawn_on(node.next_arbiter(), async move {
            tokio::select! {
                biased;
                _ = gone => {}
                () = outlet.flows.keep_ending_idle() => {}
            }
        });
        registration.detach();
        Ok(Self { node: node.clone(), address })
    }

    /// The outlet's name.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Frees the outlet's name, and ends its flows.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub fn stop(&self) -> Result<()> {
        self.node.stop_worker(self.address.clone())
    }
}

/// What an outlet and the readers of its flows share.
struct Outlet {
    node: Node,
    target: Target,
    flows: Flows<FlowKey, OpenFlow>,
    portal: Arc<Recorded<Portal>>,
}

/// A flow, whose reader ends with this.
struct OpenFlow {
    flow: Arc<Flow>,
    record: Recorded<StreamRecord>,
    _reading: oneshot::Sender<()>,
}

struct Delivery(Arc<Outlet>);

impl Deliver for Delivery {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        if message.kind == MessageKind::Notice {
            return Ok(());
        }
        let outlet = &self.0;
        let Err(loss) = outlet.take(&message) else { return Ok(()) };
        loss.count(&outlet.node, format_args!("{} to {}", message.origin, outlet.target));
        match loss {
            Loss::NoDatagram(_) => {
                let reason = UndeliverableReason::BodyNotUnderstood;
                Err(Undelivered::new(message, &entry.address, reason))
            }
            _ => Ok(()),
        }
    }
}

impl Outlet {
    /// Sends the datagram in a message to the target.
    fn take(self: &Arc<Self>, message: &Message) -> Result<(), Loss> {
        let datagram = &message.payload[decode(&message.payload)?];
        let (node, route) = (&self.node, &message.return_route);
        let inlet = route.last().ok_or(Loss::PathLost)?.clone();
        let holders = Holder::of(&message.origin);
        let key = FlowKey { peer: holders.first().cloned(), inlet };
        if let Some(open) = self.flows.find(&key) {
            open.flow.answer_along(node, route)?;
            return open.send(datagram);
        }
        let back = Back::along(node, route)?;
        let arbiter = node.arbiter_for(&back.first_hop);
        let (reading, ended) = oneshot::channel();
        let open = self.flows.add(&key, &holders, || {
            let over = Some(back.first_hop.address.clone());
            let mut record = StreamRecord::new(self.portal.clone(), over);
            record.peer = message.origin.peer();
            let record = Metrics::of(node).streams.list(record);
            let flow = Flow::new(key.inlet.clone(), back, &self.target).into();
            Ok(OpenFlow { flow, record, _reading: reading })
        })?;
        let reader = Reader {
            node: node.clone(),
            target: self.target.clone(),
            outlet: Arc::downgrade(self),
            key,
            flow: open.flow.clone(),
        };
        node.spawn_on(arbiter, async move {
            tokio::select! {
                biased;
                _ = ended => {}
                () = reader.run() => {}
            }
        });
        open.send(datagram)
    }
}

impl OpenFlow {
    fn send(&self, datagram: &[u8]) -> Result<(), Loss> {
        self.flow.send(datagram)?;
        self.record.traffic.count_received(datagram.len());
        Ok(())
    }
}

/// Reads what the target answers on one flow.
struct Reader {
    node: Node,
    target: Target,
    outlet: Weak<Outlet>,
    key: FlowKey,
    flow: Arc<Flow>,
}

impl Reader {
    /// Returns only if the flow has no socket, and ends the flow then: its next datagram begins
    /// another one.
    async fn run(&self) {
        let (node, target) = (&self.node, &self.target);
        match self.flow.socket(node, target).await {
            Ok(socket) => {
                let who = format!("a flow to {target}");
                let (read, pass) = (UdpSocket::try_recv_from, |answer: &[u8], _| self.pass(answer));
                let error = receive_all(&socket, &who, &node.refusals(), read, pass).await;
                log::error!("{who} ended: {error}");
            }
            Err(loss) => {
                loss.count(node, format_args!("{} to {target}", self.key.inlet));
                sleep(LOOKUP_PAUSE).await;
            }
        }
        if let Some(outlet) = self.outlet.upgrade() {
            outlet.flows.remove(&self.key);
        }
    }

    /// Passes an answer back.
    fn pass(&self, answer: &[u8]) -> GivesWay {
        let Some(outlet) = self.outlet.upgrade() else { return true };
        let open = outlet.flows.find(&self.key);
        let Err(loss) = self.flow.answer(&self.node, answer) else {
            open.iter().for_each(|open| open.record.traffic.count_sent(answer.len()));
            return false;
        };
        loss.count(&self.node, format_args!("{}", self.target));
        matches!(loss, Loss::NoRoom)
    }
}
