//! The inlet: takes datagrams of clients, sends them along its route, and the answers back.
//!
//! * Owns: the socket, and a flow for each client's address. A flow has a random address of the
//!   node, to which answers come.
//! * Inbox: none that workers use. Answers are delivered where they come in, straight into the
//!   socket: nothing waits for a turn of the actor.
//! * Started by [`UdpInlet::start`], on the arbiter of its route's first hop; its flows end with
//!   it.
//! * A panic ends receiving for a moment: it is a [`Service`], and datagrams wait in the socket.
//!   Flows go on.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Weak},
    time::Duration,
};

use futures::FutureExt;
use ockam_actix_runtime::{
    edge::first_hop::FirstHop,
    lock::Lock,
    message::{undelivered::Undelivered, MessageKind},
    metrics::{
        listing::Recorded,
        portal::{Portal, PortalKind, StreamRecord},
        Metrics,
    },
    node::{
        directory::Registration,
        entry::{Deliver, Description, Entry},
    },
    trust::source::SourceAddress,
    Error, Host, Message, Node, Result, Route,
};
use socket2::SockRef;

use crate::{
    datagram::{
        flows::Flows,
        inlet_socket::{Client, InletSocket},
        limits::IDLE_TIMEOUT,
        loss::Loss,
        message::decode,
        sending::Sending,
        socket::{enlarge_buffer, has_datagrams, receive_all, GivesWay},
    },
    portal::{
        pool::Holder,
        service::{Serve, Service, Serving},
    },
};

/// A running UDP inlet. Dropping this does not stop it; [`UdpInlet::stop`] does.
#[derive(Clone, Debug)]
pub struct UdpInlet {
    service: Service,
    address: SocketAddr,
}

/// Along which route an inlet's datagrams go, and how long a flow lasts in which nothing passes. A
/// route alone converts into it.
///
/// ```
/// use std::time::Duration;
/// use ockam_actix_workers::datagram::UdpInletOptions;
///
/// let options = UdpInletOptions::along("wireguard").idle_timeout(Duration::from_secs(180));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct UdpInletOptions {
    route: Route,
    idle_timeout: Duration,
}

impl UdpInletOptions {
    /// Datagrams go along `route`, to a UDP outlet.
    pub fn along(route: impl Into<Route>) -> Self {
        Self { route: route.into(), idle_timeout: IDLE_TIMEOUT }
    }

    /// Ends a flow in which nothing has passed for so long, at least 100 ms; [`IDLE_TIMEOUT`] if
    /// this is not called. Answers that come later are dropped, until the client speaks again.
    pub const fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }
}

impl<T: Into<Route>> From<T> for UdpInletOptions {
    fn from(route: T) -> Self {
        Self::along(route)
    }
}

impl UdpInlet {
    /// Takes datagrams of clients on `socket` and sends them to a UDP outlet: along a route, or as
    /// [`UdpInletOptions`] say. Answers leave by the same socket, from the address that the client
    /// sent to.
    ///
    /// # Errors
    /// If the route is invalid or empty, or its first hop does not exist and cannot be dialled; if
    /// the socket cannot be used; or on a simulated network, which has no datagrams.
    pub fn start(
        node: &impl AsRef<Node>,
        socket: UdpSocket,
        options: impl Into<UdpInletOptions>,
    ) -> Result<Self> {
        let node = node.as_ref();
        if !has_datagrams(node) {
            return Err(Error::Usage("a simulated network has no datagrams".into()));
        }
        let UdpInletOptions { route, idle_timeout } = options.into();
        let first_hop = node.first_hop(&route)?;
        let failed = |source| Error::transport("cannot use the UDP inlet's socket", source);
        socket.set_nonblocking(true).map_err(failed)?;
        enlarge_buffer(SockRef::from(&socket));
        let address = socket.local_addr().map_err(failed)?;
        log::info!("UDP inlet on {address} leads to {route}");
        let arbiter = first_hop.arbiter.unwrap_or(0);
        let portal = Portal::new(PortalKind::UdpInlet, address.to_string(), route.to_string());
        let portal = Metrics::of(node).portals.list(portal.over(route.first())).into();
        let inlet = Inlet {
            node: node.unheld(),
            address,
            socket: InletSocket::new(socket).map_err(failed)?,
            route,
            first_hop: Lock::new(first_hop),
            flows: Flows::new(node, idle_timeout, false),
            portal,
        };
        let receiving = Receiving(inlet.into());
        let what = format!("the UDP inlet on {address}");
        let service = Service::start(node, what, arbiter, Arc::new(receiving))?;
        Ok(Self { service, address })
    }

    /// The address that clients send to, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the inlet, and its flows with it.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub fn stop(&self) -> Result<()> {
        self.service.stop()
    }
}

/// What every actor of one inlet has in common.
struct Inlet {
    node: Node,
    address: SocketAddr,
    socket: InletSocket,
    route: Route,
    /// Watching it keeps the connection to the first hop up.
    first_hop: Lock<FirstHop>,
    flows: Flows<Client, Flow>,
    portal: Arc<Recorded<Portal>>,
}

/// What belongs to one client.
struct Flow {
    sending: Sending,
    /// The address that answers come to.
    _registration: Registration,
    record: Recorded<StreamRecord>,
}

impl Inlet {
    /// Sends all that clients send; returns only if the socket cannot be used.
    async fn receive(self: &Arc<Self>, node: &Node) -> io::Error {
        // Another descriptor of the same socket: answers are sent from any thread.
        let socket = match self.socket.reading() {
            Ok(socket) => socket,
            Err(error) => return error,
        };
        let who = format!("the UDP inlet on {}", self.address);
        let read = |socket: &_, buffer: &mut _| self.socket.try_receive(socket, buffer);
        let send = |datagram: &_, client| self.send(datagram, client);
        receive_all(&socket, &who, &node.refusals(), read, send).await
    }

    /// Sends the datagram of a client along the route.
    fn send(self: &Arc<Self>, datagram: &[u8], client: Client) -> GivesWay {
        let Err(loss) = self.try_send(datagram, client) else { return false };
        loss.count(&self.node, format_args!("{} to {}", client.address, self.address));
        matches!(loss, Loss::NoRoom)
    }

    fn try_send(self: &Arc<Self>, datagram: &[u8], client: Client) -> Result<(), Loss> {
        let first_hop = self.first_hop()?;
        let flow = match self.flows.find(&client) {
            Some(flow) => flow,
            None => {
                let holders = [Holder::Source(SourceAddress::of(client.address.ip()))];
                self.flows.add(&client, &holders, || self.open(client, &first_hop))?
            }
        };
        flow.sending.send(&self.node, &first_hop, &self.route, datagram)?;
        flow.record.traffic.count_sent(datagram.len());
        Ok(())
    }

    /// The first hop as it is now: a peer may have been dialled anew since.
    fn first_hop(&self) -> Result<FirstHop, Loss> {
        let mut first_hop = self.first_hop.lock();
        if !first_hop.state().up {
            let again = self.node.first_hop(&self.route).map_err(|_| Loss::PathLost)?;
            *first_hop = again;
        }
        Ok(first_hop.clone())
    }

    fn open(self: &Arc<Self>, client: Client, first_hop: &FirstHop) -> Result<Flow, Loss> {
        let description = Description::answered_over(first_hop);
        let sending = Sending::onward(description.address.clone());
        let answers = Answers { inlet: Arc::downgrade(self), client };
        // An error says that the node has stopped.
        let registration = self.node.register_delivery(description, answers);
        let registration = registration.map_err(|_| Loss::PathLost)?;
        let over = Some(first_hop.address.clone());
        let mut record = StreamRecord::new(self.portal.clone(), over);
        record.client = Some(client.address.into());
        let record = Metrics::of(&self.node).streams.list(record);
        Ok(Flow { sending, _registration: registration, record })
    }

    /// Passes an answer, or a notice, on to a client.
    fn answer(&self, message: &Message, client: Client) -> Result<(), Loss> {
        if message.kind == MessageKind::Notice {
            return Loss::of_notice(&message.payload).map_or(Ok(()), Err);
        }
        let datagram = decode(&message.payload)?;
        let flow = self.flows.find(&client);
        let sent = self.socket.answer(&message.payload[datagram], client);
        let sent = sent.map_err(Loss::Socket)?;
        flow.iter().for_each(|flow| flow.record.traffic.count_received(sent));
        Ok(())
    }
}

/// Takes what comes to the address of one flow.
struct Answers {
    inlet: Weak<Inlet>,
    client: Client,
}

impl Deliver for Answers {
    fn deliver(&self, _: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let Some(inlet) = self.inlet.upgrade() else { return Ok(()) };
        if let Err(loss) = inlet.answer(&message, self.client) {
            let whose = format_args!("{} or its answer, at {}", self.client.address, inlet.address);
            loss.count(&inlet.node, whose);
        }
        Ok(())
    }
}

/// What every actor of one inlet runs.
struct Receiving(Arc<Inlet>);

impl Serve for Receiving {
    fn begin(self: Arc<Self>) -> Result<Serving> {
        let inlet = self.0.clone();
        Ok(Box::new(move |node| {
            let serving = async move {
                tokio::select! {
                    biased;
                    () = inlet.flows.keep_ending_idle() => {}
                    error = inlet.receive(&node) => {
                        log::error!("the UDP inlet on {} ended: {error}", inlet.address);
                    }
                }
            };
            serving.boxed_local()
        }))
    }
}
