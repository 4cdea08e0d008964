//! A panic in each kind of actor of the supervision tree of `ockam`: all is in the tests.
