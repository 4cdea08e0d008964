//! Secure channels between nodes of one process that are connected by TCP on loopback.
//!
//! Every wait has a deadline; nothing sleeps to let something happen.

mod establishing;
mod load;
mod loss;
mod renewal;
mod support;
mod trust;
