//! Makes actors panic: see the tests, one for each kind of actor in the supervision tree of `ockam`.

pub use ockam_runtime::faults::panic_in;
