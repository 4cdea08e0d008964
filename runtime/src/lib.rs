//! Addresses, routes, messages, routers and workers: the runtime of an actor-based
//! message-routing node.
//!
//! The map of the whole project is in the documentation of the `ockam` library. In this crate:
//!
//! | idea | module |
//! |---|---|
//! | names of workers and peers | [`address`], [`route`](mod@route), [`identifier`] |
//! | the one envelope, and its bytes on the wire | [`message`], [`payload`], [`codec`] |
//! | where a message came from, and what it may reach | [`origin`], [`reachability`] |
//! | how edges stay bounded | [`budget`], [`path`], [`limits`] |
//! | connecting, what a socket has, and what it is read into | [`addresses`], [`readiness`], [`buffers`] |
//! | what strangers may have | [`source`], [`rate`], [`complaints`] |
//! | which worker has which address, and where its messages wait | [`table`], [`worker`], [`inbox`] |
//! | the function that every message passes | [`node`], [`router`] |
//! | what workers and programs see | [`routed`], [`body`], [`context`] |
//! | what goes wrong | [`error`], [`notice`] |

pub mod address;
pub mod addresses;
pub mod body;
pub mod budget;
pub mod buffers;
pub mod codec;
pub mod complaints;
pub mod context;
pub mod error;
#[cfg(feature = "faults")]
pub mod faults;
pub mod identifier;
mod inbox;
pub mod limits;
pub mod message;
pub mod node;
pub mod notice;
pub mod origin;
pub mod path;
pub mod payload;
pub mod rate;
pub mod reachability;
pub mod readiness;
pub mod route;
pub mod routed;
pub mod router;
pub mod run;
pub mod source;
pub mod supervision;
pub mod table;
pub mod worker;

pub use address::{Address, TransportType};
pub use body::Body;
pub use budget::{Budget, Permit};
pub use context::Context;
pub use error::{Culprit, Error, Result};
pub use identifier::Identifier;
pub use message::{Envelope, Kind, Message};
pub use node::Node;
pub use notice::{Notice, Reason};
pub use origin::Origin;
pub use payload::Payload;
pub use reachability::{Class, Reachability, Rule};
pub use route::Route;
pub use routed::Routed;
pub use run::{run, NodeBuilder};
