//! Inlets, outlets and their streams.

use std::{collections::HashMap, sync::Arc};

use ockam_actix_runtime::metrics::portal::{PortalFigures, StreamRecord};

use crate::console::{
    api::{Portal, Stream},
    public_text::public,
    snapshot::links::Ids,
    words::seconds,
};

impl Portal {
    pub(super) fn of(figures: &PortalFigures, ids: &Ids<'_>) -> Self {
        let portal = &figures.portal;
        Self {
            id: ids.id("portal", figures.number),
            kind: portal.kind.name().into(),
            name: public(&portal.name),
            leads_to: public(&portal.leads_to),
            over: ids.at(portal.over.as_ref()),
            streams: figures.open,
            suspended: figures.suspended,
            streams_begun: portal.begun.count(),
            sent_bytes: figures.sent,
            received_bytes: figures.received,
        }
    }
}

/// The streams, of which the portals are among `portals` unless they have begun since.
pub(super) fn streams(
    streams: &[(u64, Arc<StreamRecord>)],
    portals: &[PortalFigures],
    ids: &Ids<'_>,
) -> Vec<Stream> {
    let numbers: HashMap<_, _> =
        portals.iter().map(|one| (Arc::as_ptr(&one.portal), one.number)).collect();
    let shown = |(number, stream): &(u64, Arc<StreamRecord>)| Stream {
        id: ids.id("stream", *number),
        portal: numbers.get(&(&raw const **stream.portal)).map(|number| ids.id("portal", *number)),
        client: stream.client.as_ref().map(|client| public(&client.to_string())),
        target: stream.target.as_deref().map(public),
        peer: stream.peer.map(|peer| peer.to_string()),
        over: ids.at(stream.over().as_ref()),
        suspended: stream.is_suspended(),
        age_seconds: seconds(stream.since.elapsed()),
        sent_bytes: stream.traffic.sent(),
        received_bytes: stream.traffic.received(),
        round_trip_seconds: stream.traffic.round_trip().map(seconds),
    };
    streams.iter().map(shown).collect()
}
