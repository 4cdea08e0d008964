//! A worker that several tests talk to over a transport.

use actix::{Actor, Context, Handler};
use ockam_actix_runtime::{worker::mailbox::Registered, Routed};

/// Answers with what it was sent.
pub(crate) struct Echoer;

impl Actor for Echoer {
    type Context = Context<Self>;
}

impl Handler<Registered> for Echoer {
    type Result = ();

    fn handle(&mut self, _: Registered, _: &mut Self::Context) {}
}

impl Handler<Routed<String>> for Echoer {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut Self::Context) {
        let (body, reply) = message.into_parts();
        let _ = reply.send(body);
    }
}
