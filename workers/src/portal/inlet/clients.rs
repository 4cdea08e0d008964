//! The clients of an inlet: who they are, what they ask for, and the streams that begin for them.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use ockam_actix_runtime::{
    edge::first_hop::FirstHop,
    metrics::{
        listing::Recorded,
        portal::{Portal, StreamRecord},
        Metrics,
    },
    node::entry::Description,
    random,
    socket::{accept::accept_all, endpoint::Endpoint, listener::Listener, stream::Socket},
    trust::{refusal_log::RefusalLog, source::SourceAddress},
    Error, Host, Node, Result, Route,
};
use tokio::time::timeout;

use crate::portal::{
    end::{
        config::{Side, StreamConfig},
        worker::StreamWorker,
    },
    known_outlet::{Known, KnownOutlet},
    limits::PATH_PATIENCE,
    pool::{StreamPool, StreamSlot},
    protocol::{
        introduction::ClientAddresses, message::encode_introduction, resumption::StreamSecret,
        stream::Stream,
    },
    socks::{
        handshake::{named_server, turn_away},
        wire::Reply,
    },
};

/// What is needed to start a stream for a client.
#[derive(Clone)]
pub(super) struct Accept {
    pub(super) endpoint: Endpoint,
    pub(super) route: Route,
    pub(super) resume_for: Duration,
    pub(super) hides_clients: bool,
    pub(super) is_socks: bool,
    pub(super) outlet: KnownOutlet,
    pub(super) portal: Arc<Recorded<Portal>>,
    /// Watching it keeps the connection to the first hop up.
    pub(super) first_hop: FirstHop,
}

impl Accept {
    /// Whether streams outlive their path over `first_hop`. What goes straight to an outlet of this
    /// node has none to lose.
    fn is_resuming(&self, first_hop: &FirstHop) -> bool {
        let is_local = self.route.len() == 1 && !first_hop.is_watched();
        !self.resume_for.is_zero() && !is_local
    }

    /// The two ends of a client's connection, if the outlet is told of them.
    fn addresses(&self, client: &Endpoint, socket: &Socket) -> Option<ClientAddresses> {
        let client = client.network().filter(|_| !self.hides_clients)?;
        let mut server = self.endpoint.network()?;
        if server.ip().is_unspecified() {
            server = socket.system()?.local_addr().ok()?.as_socket()?;
        }
        Some(ClientAddresses { client, server })
    }

    /// Never ends. Where the first hop is a worker of this node, nobody tells when the path was
    /// made again: the first stream learns what there is to know.
    pub(super) async fn learn_of_outlet(&self, node: &Node) {
        if self.is_resuming(&self.first_hop) && self.first_hop.is_watched() {
            self.outlet.keep_asking(node, &self.route).await;
        }
        std::future::pending().await
    }
}

/// Accepts clients for ever.
pub(super) async fn accept_clients(node: &Node, listener: Listener, accept: &Accept) {
    let refusal_log = node.refusals();
    let who = format!("the inlet on {}", accept.endpoint);
    let error = accept_all(listener, &who, &refusal_log, |socket, client| {
        open(node, socket, client.clone(), accept)
            .unwrap_or_else(|error| log_reset(&refusal_log, &client, &error));
    })
    .await;
    log::error!("{who} ended: {error}");
}

/// Starts the stream of one client: at once, or when the path that is lost is there again. Longer
/// than [`PATH_PATIENCE`] nobody waits; the first hop then says what is wrong.
fn open(node: &Node, socket: Socket, client: Endpoint, accept: &Accept) -> Result<()> {
    // Clients that connected between `listen` and `prepare` have inherited nothing, and this option
    // matters.
    socket.set_resets_on_close(true).map_err(unusable)?;
    let slot = StreamPool::of(node).enter_client(source_of(&client));
    let slot = slot.map_err(|full| Error::Usage(full.to_string()))?;
    let (node, accept) = (node.clone(), accept.clone());
    let opening = OpeningClient { node, socket, client, slot, accept, target: String::new() };
    if opening.accept.is_socks {
        tokio::task::spawn_local(opening.start_as_asked());
        return Ok(());
    }
    let first_hop = opening.first_hop()?;
    if !is_lost(&first_hop) {
        return opening.start(first_hop);
    }
    tokio::task::spawn_local(opening.start_with_path(first_hop));
    Ok(())
}

/// Whom a client counts against: those of a Unix socket are this machine.
fn source_of(client: &Endpoint) -> SourceAddress {
    let address = client.network().map(|address| address.ip());
    SourceAddress::of(address.unwrap_or(Ipv4Addr::LOCALHOST.into()))
}

/// Whether the last attempt to make the path has failed.
fn is_lost(first_hop: &FirstHop) -> bool {
    let state = first_hop.state();
    !state.up && state.failure.is_some()
}

fn unusable(source: io::Error) -> Error {
    Error::transport("its socket cannot be used", source)
}

fn log_reset(refusal_log: &RefusalLog, client: &Endpoint, error: &Error) {
    let what = format_args!("reset the client {client}: {}", error.one_line());
    refusal_log.warn("client-reset", what);
}

/// A client whose stream has not begun.
struct OpeningClient {
    node: Node,
    socket: Socket,
    client: Endpoint,
    slot: StreamSlot,
    accept: Accept,
    /// The server that it names; empty if it names none.
    target: String,
}

impl OpeningClient {
    /// The first hop may have another actor than when the inlet began: a peer may have been dialled
    /// anew.
    fn first_hop(&self) -> Result<FirstHop> {
        self.node.first_hop(&self.accept.route)
    }

    /// Asks the client for its server, and starts its stream.
    async fn start_as_asked(mut self) {
        let refusal_log = self.node.refusals();
        let named = tokio::select! {
            biased;
            named = named_server(&self.socket) => named,
            () = self.node.stopping() => return,
        };
        match named {
            Ok(target) => self.target = target,
            Err(why) => {
                let what = format_args!("closed the client {}: {why}", self.client);
                return refusal_log.warn("socks-refused", what);
            }
        }
        let client = self.client.clone();
        let started = match self.first_hop() {
            Ok(first_hop) if is_lost(&first_hop) => return self.start_with_path(first_hop).await,
            Ok(first_hop) => self.start(first_hop),
            Err(error) => {
                turn_away(&self.socket, Some(Reply::Failed)).await;
                Err(error)
            }
        };
        started.unwrap_or_else(|error| log_reset(&refusal_log, &client, &error));
    }

    /// Starts the stream when the path that is lost is there again, or the client has waited long
    /// enough.
    async fn start_with_path(self, mut first_hop: FirstHop) {
        // An error says that the time is over.
        let _ = timeout(PATH_PATIENCE, first_hop.up()).await;
        let (refusal_log, client) = (self.node.refusals(), self.client.clone());
        let started = self.first_hop().and_then(|first_hop| self.start(first_hop));
        started.unwrap_or_else(|error| log_reset(&refusal_log, &client, &error));
    }

    fn start(self, first_hop: FirstHop) -> Result<()> {
        let Self { node, socket, client, slot, accept, target } = self;
        let description = Description::answered_over(&first_hop);
        // A client that has waited for a lost path in vain is reset, and waits no longer.
        let is_resuming = accept.is_resuming(&first_hop) && !is_lost(&first_hop);
        let introduction = encode_introduction(accept.addresses(&client, &socket), &target);
        let introduction = Some(introduction.into()).filter(|bytes: &Arc<[u8]>| !bytes.is_empty());
        let over = Some(first_hop.address.clone());
        let Accept { route, resume_for, outlet, portal, is_socks: owes_reply, .. } = accept;
        let mut record = StreamRecord::new(portal, over);
        record.client = Some(client.clone());
        record.target = (!target.is_empty()).then(|| target.into());
        let record = Metrics::of(&node).streams.list(record);
        let mut stream = Stream::inlet(slot.first_window());
        let known = match outlet.get() {
            _ if !is_resuming => None,
            Known::Nothing => Some(None),
            Known::Keeps(life) => Some(Some(life)),
            Known::KeepsNothing => None,
        };
        if let Some(known) = known {
            stream = stream.resumable_by(StreamSecret::from_bytes(random::bytes()), known);
        }
        let side = Side::Inlet { client, outlet, introduction, owes_reply };
        let arbiter = first_hop.arbiter.unwrap_or_else(|| node.next_arbiter());
        let config = StreamConfig {
            node: node.clone(),
            stream,
            first_hop,
            route,
            side,
            slot,
            resume_for,
            record,
        };
        if node.current_arbiter() == Some(arbiter) {
            node.launch_here(description, StreamWorker::new(config, Some(socket)))?;
            return Ok(());
        }
        let socket = socket.detach().map_err(unusable)?;
        node.launch(description.on(arbiter), move |_| match socket.attach() {
            Ok(socket) => StreamWorker::new(config, Some(socket)),
            Err(_) => StreamWorker::without_socket(config),
        })?;
        Ok(())
    }
}
