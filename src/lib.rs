//! An embeddable, actor-based message-routing node on [actix].
//!
//! Every component is a worker with a string address: the users' own actors, inlets and outlets of
//! TCP portals, the ends of secure channels, forwarders, and TCP connections. The node moves
//! messages from address to address along their onward route; every hop grows their return route.
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
//! # The way of a message
//!
//! ```text
//! socket ── frame ── message ── router ── worker ── router ── message ── frame ── socket
//!           frame    codec      node      routed              codec      queue
//! ```
//!
//! 1. A [session](ockam_actix_transports::tcp) takes whole [frames](ockam_actix_transports::frame) off its socket and
//!    [decodes](ockam_actix_runtime::message::codec) each into a [`Message`]; the payload stays where it was read.
//! 2. It stamps the message's [`Origin`], puts the connection's address before the return route, and
//!    takes the bytes from its ingress [budget](ockam_actix_runtime::edge::budget); while there are none the socket
//!    is not read.
//! 3. [`Node::route`] takes the first address off the onward route, looks up its
//!    [entry](ockam_actix_runtime::node::entry::Entry), and asks [`reachability`](ockam_actix_runtime::trust::reachability) whether this origin may reach it.
//! 4. The entry's [sink](ockam_actix_runtime::node::entry::Deliver) takes the message: on the worker's own arbiter that is a call,
//!    from another one it goes through the [router actor](ockam_actix_runtime::node) there. A worker's sink decodes the body
//!    and puts a [`Routed`] into its inbox, from where the actor's task takes all that waits at once. A
//!    [front](ockam_actix_runtime::node::entry::Interceptor) may stand before the inbox: an established channel seals a message there and then.
//! 5. The worker replies, forwards, or sends something new: back to 3, until a connection's queue
//!    turns the message into a frame, which is written together with all that has gathered.
//!
//! A [portal](ockam_actix_workers::portal) is a source and a sink at the ends of this way: its data waits for
//! room on the first edge before it is read, and for the reader's credit. A secure channel is a
//! worker in the middle: its encryptor makes the message the payload of another one.
//!
//! # What is started by whom, and what ends with it
//!
//! ```text
//! node ─┬─ arbiters ── router actor each
//!       ├─ TCP listener ── accepted connections        end with their sockets
//!       ├─ dialled connections                         connect again while somebody watches
//!       ├─ inlet ── streams                            end with client, outlet or path
//!       ├─ outlet ── streams                           end with target, inlet or path
//!       ├─ secure channel listener ── responders       end with handshake or channel
//!       ├─ secure channel (encryptor) ── decryptor     established again when lost
//!       ├─ forwarding service ── forwarders            end with the connection that asked
//!       ├─ remote forwarder                            registers again when its hub is back
//!       └─ users' workers
//! ```
//!
//! actix isolates no panic: one in a handler ends that actor's task. Each worker owns the
//! [registration](ockam_actix_runtime::node::directory::Registration) of its address, so the address ends with it; the sender of the message that it
//! died of, and of those that waited for it, gets a [`Notice`]. What hangs on the actor ends as if its
//! socket had been lost. What others count on is started again, a few times, as
//! [`supervision`](ockam_actix_runtime::worker::supervision) lists: TCP listeners, inlets, the forwarding service, remote
//! forwarders, and channels that this node opened. What users write for other tasks than their worker's, a rule
//! or a decoder, is contained: its panic refuses the one message.
//!
//! # Invariants
//!
//! 1. There is one envelope, [`Message`]. A frame exists only in transports, a typed body only in a
//!    worker.
//! 2. What decides is pure, what moves bytes is an actor: codec, routing table, handshake, records, credit
//!    and streams know no socket, clock or actix.
//! 3. Trust never travels: an [`Origin`] is stamped by the ingress and believed because of that.
//! 4. Every ingress prepends itself to the return route; a message from outside never opens a
//!    connection and never resolves a name.
//! 5. Every edge is bounded in bytes: sources wait, relays pause the connection that feeds a full one,
//!    sinks never pause because credit bounds what they can be sent.
//! 6. Nothing is lost in silence: an undeliverable message yields one notice, a cut stream a reset.
//! 7. States are named for what they await and are consumed by their transition.
//! 8. Limits stand in one file of their crate or module, with unit and reason, such as those of the
//!    [runtime](ockam_actix_runtime::limits) and the [transports](ockam_actix_transports::limits).
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
//! | inlet, outlet | the TCP server and the TCP client at the two ends of a portal |
//! | stream | one tunnelled TCP connection |
//! | credit, window | what the reader of a stream lets its writer send |
//! | path | the first hop of a route as its sources see it: budget and loss |
//! | permit, budget | bytes under way on an edge, and how many there may be |
//! | entity, identifier | an identity with its keys in a [`Vault`]; its fingerprint |
//! | policy | decides which identities a channel accepts |
//! | initiator, responder | who began a handshake, who answered |
//! | encryptor, decryptor | the two directions of a channel's end |
//! | record | one sealed message of a channel |
//! | hub | a node with a forwarding service |
//! | forwarder | a worker on a hub that sends to the node that asked for it |
//! | notice | what the sender of an undeliverable message gets |
//!
//! [actix]: https://docs.rs/actix

pub mod author;
mod run;
mod tcp_transport;

/// The attribute that turns an async `main` into a program that runs a node.
pub use ockam_actix_macros::node;
pub use ockam_actix_runtime::{
    address::TransportType,
    limits::NodeLimits,
    message::{notice::UndeliverableReason, MessageKind},
    route,
    trust::{
        rate::Rate,
        reachability::{Class, Entrance, Reach, Reachability, ReachabilityRule, Reachable},
        refusal_log::RefusalLog,
    },
    Address, Body, Context, Culprit, Error, Identifier, Message, Node, NodeBuilder, Notice, Origin,
    Payload, Result, Route, Routed, WorkerHandle, WorkerOptions,
};
pub use ockam_actix_transports::{ListenOptions, Listener, TCP};
pub use ockam_actix_workers::{
    echoer::Echoer,
    forwarder::{ForwardingOptions, ForwardingService, RegistrationState, RemoteForwarder},
    identity::{
        access,
        local_identity::LocalIdentity,
        policy::{Decision, TrustContext},
        vault::{
            file::{Secret, VaultFileError},
            VaultError,
        },
        Identity, IdentityError,
    },
    portal::{Inlet, Outlet, OutletOptions},
    relay::Relay,
    secure_channel::{Limits as ChannelLimits, SecureChannelListener},
    Entity, ForwardingAddress, SecureChannel, SecureChannels, TrustEveryonePolicy,
    TrustIdentifierPolicy, TrustMultiIdentifiersPolicy, TrustPolicy, Vault,
};
pub use run::{run, start_logger};
pub use tcp_transport::{InletOptions, TcpTransport};

/// actix's context, under a name that leaves [`Context`] to the node's.
pub use actix::Context as ActorContext;

/// Compiles the programs that the readme shows; what it shows in parts is in the examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
