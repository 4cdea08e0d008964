//! A hostile network between two nodes, and a check that nothing wrong came through.
//!
//! | idea | module |
//! |---|---|
//! | what can go wrong with a frame | [`fault`] |
//! | when it goes wrong, from a seed; no socket, no clock | [`script`] |
//! | the proxy between two nodes, which follows a script and logs what it does | [`proxy`] |
//! | whether what was received is what was sent; no socket either | [`history`] |
//!
//! All that the proxy knows of the wire protocol is that a frame is a 4-byte length and a body, and
//! that the first one is the greeting.

pub mod fault;
pub mod history;
pub mod proxy;
pub mod script;

pub use fault::Fault;
pub use history::{check, End, Outcome, Violation};
pub use proxy::Proxy;
pub use script::{Operation, Script};
