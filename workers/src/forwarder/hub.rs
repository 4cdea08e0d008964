//! The hub's side: the service that registers nodes, and the forwarders that it keeps for them.
//!
//! | idea | module |
//! |---|---|
//! | how a hub is set up | [`options`] |
//! | the worker that registers nodes | [`service`] |
//! | caps, rates and leases, without clock or actor | `ledger` |
//! | one forwarder: a registered address and the route that it puts before a message's own | `forwarder` |

mod forwarder;
mod ledger;
pub mod options;
pub mod service;
