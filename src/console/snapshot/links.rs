//! Connections, secure channels, registrations and forwarders.

use std::{collections::HashMap, sync::Arc};

use ockam_actix_runtime::{
    metrics::{
        link::{Link, State},
        Forwarder as ForwarderRecord,
    },
    Address,
};

use crate::console::{
    api::{Channel, Connection, Forwarder, Registration, Status},
    public_text::public,
    words::{direction, seconds},
};

/// A link with its number.
type Numbered = (u64, Arc<Link>);

/// The ids of what a node has: of links also by the addresses that routes over them begin with.
pub(super) struct Ids<'a> {
    prefix: &'a str,
    links: HashMap<Address, String>,
}

impl<'a> Ids<'a> {
    pub(super) fn of(prefix: &'a str, connections: &[Numbered], channels: &[Numbered]) -> Self {
        let mut all = Self { prefix, links: HashMap::new() };
        let kinds = [("connection", connections), ("channel", channels)];
        for (kind, (number, link)) in
            kinds.into_iter().flat_map(|(kind, links)| links.iter().map(move |link| (kind, link)))
        {
            let id = all.id(kind, *number);
            all.links.extend(link.state().via.map(|via| (via, id.clone())));
            all.links.insert(link.address.clone(), id);
        }
        all
    }

    /// The id of the thing of this kind with this number.
    pub(super) fn id(&self, kind: &str, number: u64) -> String {
        format!("{}{kind}/{number}", self.prefix)
    }

    /// The id of the link at an address, if there is one.
    pub(super) fn at(&self, address: Option<&Address>) -> Option<String> {
        self.links.get(address?).cloned()
    }
}

impl Connection {
    pub(super) fn of((number, link): &Numbered, ids: &Ids<'_>, hub: bool) -> Self {
        let state = link.state();
        Self {
            hub,
            id: ids.id("connection", *number),
            name: public(&link.name),
            direction: direction(link.opener),
            transport: (!state.transport.is_empty()).then(|| state.transport.into()),
            peer: state.peer.as_deref().map(public),
            sent_bytes: link.traffic.sent(),
            received_bytes: link.traffic.received(),
            round_trip_seconds: link.traffic.round_trip().map(seconds),
            status: Status::of(&state),
        }
    }
}

impl Channel {
    pub(super) fn of((number, link): &Numbered, ids: &Ids<'_>) -> Self {
        let state = link.state();
        Self {
            id: ids.id("channel", *number),
            route: public(&link.name),
            direction: direction(link.opener),
            peer: state.peer.as_deref().map(public),
            over: ids.at(link.over.as_ref()),
            status: Status::of(&state),
        }
    }
}

impl Registration {
    pub(super) fn of((number, link): &Numbered, ids: &Ids<'_>) -> Self {
        let state = link.state();
        Self {
            id: ids.id("registration", *number),
            hub: public(&link.name),
            destination: public(link.address.as_str()),
            address: state.peer.as_deref().map(public),
            over: ids.at(link.over.as_ref()),
            status: Status::of(&state),
        }
    }
}

impl Forwarder {
    /// One of the kind `kind`: of this hub, or of another one.
    pub(super) fn of(
        kind: &str,
        (number, forwarder): &(u64, Arc<ForwarderRecord>),
        ids: &Ids<'_>,
    ) -> Self {
        Self {
            id: ids.id(kind, *number),
            route: public(&forwarder.route),
            over: ids.at(forwarder.over.as_ref()),
            identity: forwarder.identity.map(|identity| identity.to_string()),
            age_seconds: seconds(forwarder.since.elapsed()),
        }
    }
}

impl Status {
    fn of(state: &State) -> Self {
        Self {
            up: state.since.is_some(),
            up_seconds: state.since.map(|since| seconds(since.elapsed())),
            times_up: state.times,
            failure: state.failure.as_deref().map(public),
        }
    }
}
