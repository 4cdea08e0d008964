//! A panic in each kind of actor: see the tests, one for each kind in the supervision tree of
//! `ockam`.
