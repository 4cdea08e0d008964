//! An embeddable, actor-based message-routing node on [actix].
//!
//! Every component of a node is a worker with a string address: your own actors, inlets and outlets
//! of TCP portals, the ends of secure channels, forwarders, and TCP connections. The node moves
//! messages from address to address along their onward route, and every hop grows their return
//! route. It runs on Linux and macOS.
//!
//! # Tunnel
//!
//! Carry any TCP protocol through an end-to-end encrypted, mutually authenticated channel. This is
//! the client's side, in front of a node that listens on port 4000:
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
//! [`SecureChannels::create_secure_channel_listener`]; where it cannot be connected to,
//! [`RemoteForwarder::create`] has a hub forward to it.
//!
//! # Worker
//!
//! An actix actor that handles [`Routed<M>`](Routed) is a worker, here and for other nodes:
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
//! A body that is a [`Request`] says what answers it, and [`Routed::into_request`] takes no other
//! answer:
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
//! [`NodeBuilder`] starts a node inside the actix `System` that runs already, such as that of an
//! actix-web application. Where none does, as under `#[tokio::main]`, the node brings one:
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
//! # Watch over it
//!
//! With the feature `console`, `ockam::console` is a page, JSON and figures for Prometheus in any
//! actix-web application; `docs/console.md` describes them. What it reads, the node
//! [counts anyway](ockam_actix_runtime::metrics).
//!
//! `#[ockam::node]` also starts a logger, unless the program has installed one;
//! `#[ockam::node(logger = false)]` and this package without default features start none. Authors
//! of transports, and of workers that see envelopes, find what they need in [`author`].
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
//! 2. It stamps the message's [`Origin`], puts the connection's address before the return route,
//!    and holds the bytes on the [lane](ockam_actix_runtime::edge::lane) that the peer chose, until
//!    they have moved on. The lane's credit is all that the peer may send there meanwhile.
//! 3. [`Host::route`](author::Host::route) takes the first address off the onward route, looks up
//!    its [entry](author::Entry), and asks
//!    [`reachability`](ockam_actix_runtime::trust::reachability) whether this origin may reach it.
//! 4. The entry's [delivery](author::Deliver) takes the message: on the worker's own arbiter that
//!    is a call, from another one it goes through the [router actor](ockam_actix_runtime::node)
//!    there. A worker's delivery decodes the body and puts a [`Routed`] into its inbox, from where
//!    the actor's task takes all that waits at once. An [interceptor](author::Interceptor) may see
//!    messages before an empty inbox: an established channel seals them there and then.
//! 5. The worker replies, forwards, or sends something new: back to 3, until a connection's queue
//!    turns the message into a frame, which waits for credit on its lane and is written together
//!    with all that has gathered. One that may be lost leaves as a datagram instead, over QUIC.
//!
//! A [portal](ockam_actix_workers::portal) is the source and the target at the two ends of this
//! route: its data waits for room on the first edge before it is read, and for the reader's credit.
//! Each end keeps what the other has not acknowledged. When the path is lost, the stream is
//! suspended; the inlet looks for another path along the same route and resumes it there, and both
//! ends send again what has not arrived.
//!
//! A secure channel is a worker in the middle: its encryptor makes the message the payload of
//! another one.
//!
//! # What starts what, and what ends with it
//!
//! ```text
//! node ─┬─ arbiters ── router actor each
//!       ├─ TCP listener ── accepted connections        end with their sockets
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
//! actix isolates no panic: one in a handler ends that actor's task. Each worker owns the
//! [registration](author::Registration) of its address, so the address ends with it. The sender of
//! the message that caused the panic, and the senders of messages still queued, get a [`Notice`].
//! What depends on the actor ends as if its socket had been lost. What others count on is started
//! again, a few times, as [`supervision`](ockam_actix_runtime::worker::supervision) lists: TCP
//! listeners, inlets, the forwarding service, remote forwarders, channels that this node opened,
//! and users' workers that have a [`RestartPolicy`]. Users' code that runs in other tasks than
//! their worker's, such as an access rule or a decoder, is contained: its panic refuses the one
//! message.
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
//! | `benches`, `fuzz` | what is measured, and what is fed to decoders |
//!
//! Dependencies point down only: facade to workers and transports, both to runtime.
//!
//! # Invariants
//!
//! 1. There is one envelope, [`Message`]. A frame exists only in transports, a typed body only in a
//!    worker.
//! 2. What decides is pure, what moves bytes is an actor: codec, routing table, handshake, records,
//!    credit and streams know no socket, clock or actix. A test checks it.
//! 3. Trust never travels: an [`Origin`] is stamped by the ingress and believed because of that.
//! 4. Every ingress prepends itself to the return route; a message from outside opens a connection
//!    or resolves a name at an outlet alone, as far as that permits it, and at a hub of a cluster
//!    to the hub that has its forwarder.
//! 5. Every edge is bounded in bytes: sources wait, relays pause the connection that feeds a full
//!    one, and targets never pause, because credit bounds what they can be sent.
//! 6. Nothing is lost in silence: an undeliverable message yields one notice, unless it is
//!    expendable: then it is counted. A stream whose path is lost goes on along the next without a
//!    gap or a repeat, or is reset.
//! 7. States are named for what they await and are consumed by their transition.
//! 8. Limits stand in one file of their crate or module, with unit and reason:
//!    [runtime](ockam_actix_runtime::limits), [transports](ockam_actix_transports::limits),
//!    [portals](ockam_actix_workers::portal::limits),
//!    [UDP portals](ockam_actix_workers::datagram::limits),
//!    [forwarders](ockam_actix_workers::forwarder::limits). What a site decides is in
//!    [`NodeLimits`], [`ChannelLimits`] and [`ForwardingOptions`].
//! 9. There is one [clock](ockam_actix_runtime::clock) and one [source of
//!    chance](ockam_actix_runtime::random), so that a simulated network runs the same way for the
//!    same seed. A test checks it.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | node | the arbiters, the routing table and the workers that belong together: [`Node`] |
//! | arbiter | a thread with an actix event loop; the actors of one connection share one |
//! | worker | whatever takes the messages for an [`Address`]; mostly an actor |
//! | route | addresses that a message passes: [`Route`], [`route!`] |
//! | onward route, return route | what a message still has to pass; what leads back |
//! | ingress, origin | where messages enter a node; what the node knows of a sender because of it |
//! | first hop | the first address of a route, as its sources see it: budget and loss |
//! | inlet, outlet | the TCP server and the TCP client at the two ends of a portal |
//! | stream | one tunnelled TCP connection |
//! | flow | the datagrams of one client of a UDP inlet, and their answers |
//! | path | what carries a stream from end to end, until the link of its first hop is lost |
//! | suspended, resumption | a stream without a path; how it goes on along another one |
//! | outlet life | by which an inlet knows an outlet that may have forgotten streams since |
//! | credit, window | what the reader of a stream lets its writer send |
//! | permit, budget | bytes under way on an edge, and how many there may be |
//! | lane, grant | a part of a connection with credit of its own; more credit for it |
//! | entity, identifier | an identity with its keys in a [`Vault`]; its fingerprint |
//! | policy | decides which identities a channel accepts |
//! | initiator, responder | who began a handshake, who answered |
//! | encryptor, decryptor | the two directions of a channel's end |
//! | record | one sealed message of a channel |
//! | group, member | workers that share one address; one of them, as a route that is watched |
//! | hub | a node with a forwarding service |
//! | forwarder | a worker on a hub that sends to the node that asked for it |
//! | cluster, stray | [hubs](cluster) that share their forwarders; a message to one of another hub |
//! | stand-in | a forwarder of another hub, as a hub of its cluster has it |
//! | request, reply | a message whose sender waits for an answer; what goes back along a return route |
//! | expendable | a message, or its record, that may be lost: nobody waits for it or is told |
//! | notice | what the sender of an undeliverable message gets |
//! | watch | a message that a node holds, to tell its sender of a worker's end |
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
        policy::{Decision, TrustContext},
        trust_file::{TrustFile, TrustFileError, TrustFilePolicy},
        trust_list::{is_peer_name, TrustLineError, TrustList, TrustListError, MAX_PEER_NAME},
        vault::{
            file::{Secret, VaultFileError},
            VaultError,
        },
        Identity, IdentityError,
    },
    invitation::{
        self, Clients, Invitation, InvitationError, InvitationFile, InvitationTextError,
        Invitations, InvitingOutlet, Place,
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
