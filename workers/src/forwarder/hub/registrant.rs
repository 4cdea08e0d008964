//! Who sends a request to a hub, as far as the hub knows it itself.

use ockam_actix_runtime::{trust::source::SourceAddress, Address, Origin, Payload, Route, Routed};

use crate::forwarder::protocol::refusal::RegistrationRefusal;

/// How a request comes to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Via {
    /// From a worker or a program on it.
    ThisNode,
    /// Over the connection with this address on it.
    Connection(Address),
}

/// Who registers: the connection, and the route over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registrant {
    pub(super) via: Via,
    /// The connection's remote end, where a listener accepted it.
    pub(super) source: Option<SourceAddress>,
    /// The addresses that lead to the node, without the destination on it.
    pub(super) route: Route,
}

impl Registrant {
    /// The sender of a request, and the route back to it.
    pub(super) fn of(message: &Routed<Payload>) -> Result<Self, RegistrationRefusal> {
        let back = message.return_route();
        // The last address is the mailbox from which the request was sent.
        let steps = back.len().checked_sub(1).ok_or(RegistrationRefusal::Route)?;
        let route: Route = back.iter().take(steps).cloned().collect();
        let via = match message.origin() {
            Origin::Local => Via::ThisNode,
            Origin::Remote(ingress) if route.first() == Some(&ingress.via) => {
                Via::Connection(ingress.via.clone())
            }
            Origin::Remote(_) => return Err(RegistrationRefusal::Route),
        };
        Ok(Self { via, source: message.origin().source(), route })
    }
}
