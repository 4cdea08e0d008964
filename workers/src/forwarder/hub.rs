//! The hub's side: the service that registers nodes, and the forwarders that it keeps for them.
//!
//! | idea | module |
//! |---|---|
//! | how a hub is set up | [`options`] |
//! | the worker that registers nodes | [`service`] |
//! | who sends a request | `registrant` |
//! | caps, rates and leases, without clock or actor | `ledger` |
//! | which of two programs has an address | `succession` |
//! | whether a claim is proved | `proofs` |
//! | what the other hubs of a cluster are told of claims, and tell | `rivals` |
//! | what the operator is told | `journal` |
//! | what nodes are told, unasked | `notify` |
//! | one forwarder: a registered address and the route that it puts before a message's own | `forwarder` |

mod forwarder;
mod journal;
mod ledger;
mod notify;
pub mod options;
mod proofs;
mod registrant;
mod rivals;
pub mod service;
mod succession;
