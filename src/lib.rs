//! An embeddable, actor-based message-routing node on [actix].
//!
//! Every component of a node is a worker with a string address: your own actors, the inlets and
//! outlets of portals, the ends of secure channels, forwarders, and connections to other nodes. The
//! node moves messages from address to address along their onward route, and every hop adds to
//! their return route. It runs on Linux and macOS.
//!
//! # Tunnel
//!
//! Carry any TCP protocol through an end-to-end encrypted, mutually authenticated channel. This is
//! the client's side; the other side is a node that listens on port 4000:
//!
//! ```no_run
//! use ockam::{route, Context, Result, TcpTransport, TCP};
//! use ockam::{Entity, SecureChannels, TrustEveryonePolicy, Vault};
//!
//! #[ockam::node]
//! async fn main(ctx: Context) -> Result<()> {
//!     let tcp = TcpTransport::create(&ctx).await?;
//!     let vault = Vault::create(&ctx)?;
//!     let mut entity = Entity::create(&ctx, &vault)?;
//!     let listener = route![(TCP, "127.0.0.1:4000"), "secure_channel_listener_service"];
//!     let channel = entity.create_secure_channel(listener, TrustEveryonePolicy)?;
//!     tcp.create_inlet("127.0.0.1:4001", route![channel, "outlet"]).await?;
//!     Ok(())
//! }
//! ```
//!
//! The other side calls [`TcpTransport::create_outlet`], [`TcpTransport::listen`] and
//! [`SecureChannels::create_secure_channel_listener`]; if nobody can connect to it,
//! [`RemoteForwarder::create`] asks a hub to forward messages to it.
//!
//! # Worker
//!
//! An actix actor that handles [`Routed<M>`](Routed) is a worker, for this node and for others:
//!
//! ```
//! use actix::{Actor, Handler};
//! use ockam::{Context, Result, Routed, WorkerContext};
//!
//! struct Shouter;
//!
//! impl Actor for Shouter {
//!     type Context = WorkerContext<Self>;
//! }
//!
//! impl Handler<Routed<String>> for Shouter {
//!     type Result = ();
//!
//!     fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
//!         let answer = message.body().to_uppercase();
//!         message.reply(answer).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
//!     }
//! }
//!
//! #[ockam::node]
//! async fn main(ctx: Context) -> Result<()> {
//!     ctx.worker("shouter", Shouter).start()?;
//!     let answer: String = ctx.ask("shouter", String::from("hello")).reply_as().await?;
//!     assert_eq!(answer, "HELLO");
//!     ctx.stop().await
//! }
//! ```
//!
//! A body that is a [`Request`] names the type of its answer, and the reply of
//! [`Routed::into_request`] takes no other:
//!
//! ```
//! use actix::{Actor, Handler};
//! use ockam::{Context, Request, Result, Routed, WorkerContext};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Request)]
//! #[request(reply = u64)]
//! struct PriceOf(String);
//!
//! struct Shop;
//!
//! impl Actor for Shop {
//!     type Context = WorkerContext<Self>;
//! }
//!
//! impl Handler<Routed<PriceOf>> for Shop {
//!     type Result = ();
//!
//!     fn handle(&mut self, message: Routed<PriceOf>, _: &mut WorkerContext<Self>) {
//!         let (PriceOf(name), reply) = message.into_request();
//!         let price = 2 * name.len() as u64;
//!         reply.send(price).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
//!     }
//! }
//!
//! #[ockam::node]
//! async fn main(ctx: Context) -> Result<()> {
//!     ctx.worker("shop", Shop).start()?;
//!     let price = ctx.ask("shop", PriceOf("tea".into())).await?;
//!     assert_eq!(price, 6);
//!     ctx.stop().await
//! }
//! ```
//!
//! # Embed
//!
//! [`NodeBuilder`] starts a node inside the actix `System` that is already running, such as that of
//! an actix-web application. If none is running, as under `#[tokio::main]`, the node brings its
//! own:
//!
//! ```
//! # actix_rt::System::new().block_on(async {
//! use ockam::{Echoer, NodeBuilder, TcpTransport};
//!
//! let node = NodeBuilder::new().arbiters(2).start().await?;
//! Echoer::start(&node, "echoer")?;
//! let listener = TcpTransport::create(&node).await?.listen("127.0.0.1:0").await?;
//! println!("other nodes reach it at {}", listener.address());
//! node.stop().await;
//! # Ok::<(), ockam::Error>(())
//! # }).unwrap();
//! ```
//!
//! # Test
//!
//! With the feature `testing`, `ockam::testing` runs networks of nodes inside one test, with
//! virtual time, faults and a seed: `docs/testing.md` shows how.
//!
//! # Observe
//!
//! With the feature `console`, `ockam::console` adds a page, JSON and metrics for Prometheus to any
//! actix-web application; `docs/console.md` describes them. The console costs little, as the node
//! [counts in any case](ockam_actix_runtime::metrics).
//!
//! `#[ockam::node]` also starts a logger, unless the program has installed one;
//! `#[ockam::node(logger = false)]` starts none, and neither does this package without default
//! features. [`author`] has what authors of transports need, and of workers that see envelopes.
//!
//! # The route of a message through a node
//!
//! ```text
//! socket ── frame ── message ── router ── worker ── router ── message ── frame ── socket
//!           frame    codec      node      routed              codec      queue
//! ```
//!
//! 1. The session of a [connection](ockam_actix_transports::connection) takes whole
//!    [frames](ockam_actix_transports::frame) off its socket and
//!    [decodes](ockam_actix_runtime::message::codec) each into a [`Message`]; the payload stays
//!    where it was read.
//! 2. The session stamps the message's [`Origin`], prepends the connection's address to the return
//!    route, and counts the bytes on the [lane](ockam_actix_runtime::edge::lane) that the peer
//!    chose, until the message has moved on. Until then, the peer may send no more there than the
//!    lane's credit.
//! 3. [`Host::route`](author::Host::route) takes the first address off the onward route, looks up
//!    its [entry](author::Entry), and asks
//!    [`reachability`](ockam_actix_runtime::trust::reachability) whether this origin may reach it.
//! 4. The entry's [delivery](author::Deliver) takes the message. On the worker's own arbiter that
//!    is a call; from another arbiter the message goes through the [router
//!    actor](ockam_actix_runtime::node) of the worker's arbiter. The delivery decodes the body and
//!    puts a [`Routed`] into the worker's inbox, from which the actor's task takes all waiting
//!    messages at once. While the inbox is empty, an [interceptor](author::Interceptor) may take
//!    the message first: an established channel seals it there and then.
//! 5. The worker replies, forwards, or sends something new. Each of these messages starts again at
//!    3, until one reaches a connection. The connection's queue turns the message into a frame,
//!    which waits for credit on its lane and is written together with all other frames in the
//!    queue. Over QUIC, a message that may be lost leaves as a datagram instead.
//!
//! A [portal](ockam_actix_workers::portal) is the source and the target at the two ends of this
//! route: it reads data only when there is room on the first edge, and sends it when the reader has
//! granted credit. Each end keeps the data that the other has not acknowledged. When the path is
//! lost, the stream is suspended; the inlet looks for another path along the same route and resumes
//! the stream there, and both ends send again whatever has not arrived.
//!
//! A secure channel is a worker in the middle: its encryptor makes the message the payload of
//! another message.
//!
//! # What starts what, and what ends with it
//!
//! ```text
//! node ─┬─ arbiters ── router actor each
//!       ├─ listener ── accepted connections            end with their sockets
//!       ├─ dialled connections                         connect again while somebody watches
//!       ├─ inlet ── streams                            end with client or outlet; outlive their path
//!       ├─ outlet ── streams                           end with target or inlet; outlive their path
//!       ├─ UDP inlet ── flows                          end when idle, or with the inlet
//!       ├─ UDP outlet ── flows                         end when idle, or with the outlet
//!       ├─ secure channel listener ── decryptors       end with handshake or channel
//!       ├─ secure channel (its actor) ── decryptor     established again when lost
//!       ├─ forwarding service ── forwarders            end with the connection that asked
//!       ├─ cluster ── stand-ins                        end with the connection to their hub
//!       ├─ remote forwarder                            registers again when its hub is back
//!       ├─ users' workers                              started again if they have a policy
//!       └─ groups ── watches of their members          a member leaves when it has ended
//! ```
//!
//! A node ends when it is stopped, or when [nothing holds it](ockam_actix_runtime::node) any more.
//!
//! actix isolates no panic: a panic in a handler ends that actor's task. Each worker owns the
//! [registration](author::Registration) of its address, so the address ends with the worker. The
//! sender of the message that caused the panic, and the senders of messages still queued, get a
//! [`Notice`]. Actors that depend on the one that panicked end as if its socket had been lost.
//! Actors that others count on are started again, a few times, as
//! [`supervision`](ockam_actix_runtime::worker::supervision) lists: listeners, inlets, the
//! forwarding service, remote forwarders, channels that this node opened, and users' workers that
//! have a [`RestartPolicy`]. Users' code that runs outside of their worker's task, such as an
//! access rule or a decoder, is contained: its panic refuses only the message at hand.
//!
//! # Where things are
//!
//! | folder | what is in it |
//! |---|---|
//! | `runtime` | [addresses, messages, trust, edges, the node and its workers](ockam_actix_runtime) |
//! | `transports` | [connections between nodes, and what carries them](ockam_actix_transports) |
//! | `workers` | [portals, identities, secure channels, forwarders](ockam_actix_workers) |
//! | `src` | this facade, and the program `ockam` |
//! | `examples` | the guide's programs, and one for each further task; tests run them |
//! | `tests` | whole programs over real sockets, simulated networks, and the house rules |
//! | `benches`, `fuzz` | measurements, and inputs for decoders |
//! | `docs`, `packaging` | pages for users; packages for Debian and containers |
//!
//! Dependencies point down only: facade to workers and transports, both to runtime.
//!
//! # Invariants
//!
//! 1. There is one envelope, [`Message`]. A frame exists only in transports, a typed body only in a
//!    worker.
//! 2. Code that decides is pure, code that moves bytes is an actor: codec, routing table,
//!    handshake, records, credit and streams know no socket, clock or actix. A test checks it.
//! 3. Trust never travels: an [`Origin`] is stamped by the ingress and believed because of that.
//! 4. Every ingress prepends itself to the return route. A message from outside makes a node open a
//!    connection or resolve a name in two cases only: at an outlet, as far as the outlet permits,
//!    and at a hub of a cluster, to the hub that has its forwarder.
//! 5. Every edge is bounded in bytes: sources wait; relays pause the connection that feeds a full
//!    edge; targets never pause, because credit bounds how much can be sent to them.
//! 6. Nothing is lost in silence: an undeliverable message yields one notice, or is counted if it
//!    is expendable. A stream whose path is lost goes on along the next one without a gap or a
//!    repeat, or is reset.
//! 7. States are named for what they await and are consumed by their transition.
//! 8. Limits are in one file of their crate or module, with unit and reason:
//!    [runtime](ockam_actix_runtime::limits), [transports](ockam_actix_transports::limits),
//!    [portals](ockam_actix_workers::portal::limits),
//!    [UDP portals](ockam_actix_workers::datagram::limits),
//!    [forwarders](ockam_actix_workers::forwarder::limits). Limits that an operator may set are in
//!    [`NodeLimits`], [`ChannelLimits`] and [`ForwardingOptions`].
//! 9. There is one [clock](ockam_actix_runtime::clock) and one [source of
//!    randomness](ockam_actix_runtime::random), so that a simulated network runs identically for
//!    the same seed. A test checks it.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | node | the arbiters, the routing table and the workers that belong together: [`Node`] |
//! | arbiter | a thread with an actix event loop; the actors of one connection share one |
//! | worker | takes the messages for an [`Address`]; usually an actor |
//! | route | list of the addresses that a message passes: [`Route`], [`route!`] |
//! | onward route, return route | the addresses that a message still has to pass; those that lead back |
//! | ingress, origin | where messages enter a node; what the node knows of their sender because of it |
//! | first hop | the first address of a route, as its sources see it: its budget, and whether it is lost |
//! | inlet, outlet | the TCP server and the TCP client at the two ends of a portal |
//! | stream | one tunnelled TCP connection |
//! | flow | the datagrams of one client of a UDP inlet, and their answers |
//! | path | what carries a stream from end to end, until the link of its first hop is lost |
//! | suspended, resumption | a stream without a path; how it goes on along another one |
//! | outlet life | number by which an inlet notices that its outlet may have forgotten streams |
//! | credit, window | how much the reader of a stream lets its writer send |
//! | edge | the step from one actor to the next, on which the bytes under way are counted |
//! | permit, budget | bytes under way on an edge; how many there may be |
//! | lane, grant | a part of a connection with its own credit; more credit for it |
//! | entity, identifier | an identity with its keys in a [`Vault`]; its fingerprint |
//! | policy | decides which identities a channel accepts |
//! | initiator, responder | the side that began a handshake; the side that answered |
//! | encryptor, decryptor | the two directions of a channel's end |
//! | record | one sealed message of a channel |
//! | group, member | workers that share one address; one of them, as a route that is watched |
//! | hub | a node with a forwarding service |
//! | forwarder | a worker on a hub that passes messages on to the node that asked for it |
//! | cluster, stray | [hubs](cluster) that share their forwarders; a message for a forwarder of another hub |
//! | stand-in | a worker on one hub that stands for a forwarder of another hub of the cluster |
//! | request, reply | a message whose sender waits for an answer; what goes back along a return route |
//! | expendable | a message, or its record, that may be lost: nobody waits for it or is told |
//! | notice | message to the sender of an undeliverable message, which says why |
//! | watch | message that a node holds in order to tell its sender when a worker ends |
//!
//! [actix]: https://docs.rs/actix

pub mod author;
pub mod cluster;
#[cfg(feature = "console")]
pub mod console;
#[cfg(feature = "logger")]
mod logger;
#[cfg(feature = "quic")]
mod quic_transport;
mod run;
mod tcp_transport;
#[cfg(feature = "testing")]
pub mod testing;
mod udp_portals;
mod unix_transport;
#[cfg(feature = "ws")]
mod ws_transport;

#[cfg(feature = "logger")]
pub use logger::LogFormat;
/// The attribute that turns an async `main` into a program that runs a node.
pub use ockam_actix_macros::node;
/// Implements the trait of the same name: `#[request(reply = ...)]` names the answering body.
pub use ockam_actix_macros::Request;
pub use ockam_actix_runtime::{
    address::{identifier::ParseIdentifierError, route::RouteError, AddressError, TransportType},
    limits::NodeLimits,
    message::{notice::UndeliverableReason, Direction, MessageKind},
    route,
    trust::{
        rate::Rate,
        reachability::{Class, Entrance, Reach, Reachability, ReachabilityRule, Reachable},
        refusal_log::RefusalLog,
    },
    Address, Answer, Ask, AskAs, Body, Context, Culprit, Ended, Error, Group, GroupBuilder,
    Identifier, Message, Node, NodeBuilder, Notice, Origin, Payload, Reply, Request, RestartPolicy,
    Result, Route, Routed, Watch, WorkerBuilder, WorkerHandle,
};
#[cfg(feature = "quic")]
pub use ockam_actix_transports::QUIC;
#[cfg(feature = "ws")]
pub use ockam_actix_transports::WS;
#[cfg(feature = "tls")]
pub use ockam_actix_transports::{
    tls::{ClientTls, ServerTls},
    WSS,
};
pub use ockam_actix_transports::{ListenOptions, Listener, Proxies, TCP, UNIX};
pub use ockam_actix_workers::{
    datagram::{limits::IDLE_TIMEOUT, UdpInlet, UdpOutlet, UdpOutletOptions},
    echoer::Echoer,
    forwarder::{
        ForwardingOptions, ForwardingService, RegistrationState, RemoteForwarder,
        RemoteForwarderOptions, ServiceAddress,
    },
    identity::{
        access,
        known_identities::{HistoryFile, KnownHistory},
        local_identity::LocalIdentity,
        peer_names::PeerNames,
        policy::{Decision, Rejection, TrustContext},
        trust_file::{TrustFile, TrustFileError, TrustFilePolicy},
        trust_list::{is_peer_name, TrustLineError, TrustList, TrustListError, MAX_PEER_NAME},
        vault::{
            file::{Secret, VaultFileError},
            VaultError,
        },
        Identity, IdentityError,
    },
    invitation::{
        self, Clients, Invitation, InvitationError, InvitationFile, InvitationRefusal,
        InvitationTextError, Invitations, InvitingOutlet, Place,
    },
    portal::{limits::RESUME_FOR, Inlet, Outlet, OutletOptions, ProxyProtocol},
    relay::Relay,
    secure_channel::{
        Limits as ChannelLimits, SecureChannelListener, SecureChannelListenerOptions,
        SecureChannelOptions,
    },
    trace::{
        report::{HopRole, HopSight, Trace, TraceFailure, TracedHop},
        trace, TraceOptions,
    },
    Entity, ForwardingAddress, SecureChannel, SecureChannels, TrustEveryonePolicy,
    TrustIdentifierPolicy, TrustMultiIdentifiersPolicy, TrustPolicy, Vault,
};
#[cfg(feature = "quic")]
pub use quic_transport::QuicTransport;
#[cfg(feature = "logger")]
pub use run::start_logger_as;
pub use run::{conclude, flush_logger, run, run_system, start_logger, start_logger_at};
pub use tcp_transport::{InletOptions, TcpTransport};
pub use udp_portals::{UdpInletOptions, UdpPortals};
pub use unix_transport::UnixTransport;
#[cfg(feature = "ws")]
pub use ws_transport::WsTransport;
#[cfg(feature = "tls")]
pub use ws_transport::WssTransport;

/// The context of a worker's actor: actix's `Context`, under a name that is neither that of the
/// node's [`Context`] nor that of actix's trait `ActorContext`.
///
/// ```
/// use actix::prelude::*;
/// use ockam::{Context, Routed, WorkerContext};
///
/// /// Handles one message, and stops.
/// struct Once;
///
/// impl Actor for Once {
///     type Context = WorkerContext<Self>;
/// }
///
/// impl Handler<Routed<String>> for Once {
///     type Result = ();
///
///     fn handle(&mut self, _: Routed<String>, context: &mut WorkerContext<Self>) {
///         context.stop();
///     }
/// }
///
/// fn start(ctx: &Context) -> ockam::Result<()> {
///     ctx.worker("once", Once).start()?;
///     Ok(())
/// }
/// ```
pub use actix::Context as WorkerContext;

/// Runs the tests that the page about testing shows.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../docs/testing.md")]
struct Testing;

/// Compiles the programs that the readme shows; what it shows in parts is in the examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
