//! Records of an inlet or an outlet and its streams.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use crate::{
    address::{identifier::Identifier, Address},
    clock::Instant,
    lock::Lock,
    metrics::{
        counter::Counter,
        link::Traffic,
        listing::{Listing, Record, Recorded},
    },
    socket::endpoint::Endpoint,
};

/// What a portal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortalKind {
    /// It accepts clients.
    Inlet,
    /// It connects to a target.
    Outlet,
    /// It takes datagrams of clients.
    UdpInlet,
    /// It sends datagrams to a target.
    UdpOutlet,
}

impl PortalKind {
    /// Its name in figures: `inlet`, `outlet`, `udp-inlet`, `udp-outlet`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inlet => "inlet",
            Self::Outlet => "outlet",
            Self::UdpInlet => "udp-inlet",
            Self::UdpOutlet => "udp-outlet",
        }
    }
}

/// An inlet or an outlet.
#[derive(Debug)]
pub struct Portal {
    /// What it is.
    pub kind: PortalKind,
    /// Where an inlet listens; an outlet's address.
    pub name: String,
    /// The route of an inlet; the target of an outlet.
    pub leads_to: String,
    /// The first address of an inlet's route.
    pub over: Option<Address>,
    /// Streams that have begun.
    pub begun: Counter,
    /// Of streams that have ended.
    ended: Traffic,
}

impl Portal {
    /// A portal without streams.
    pub fn new(kind: PortalKind, name: impl Into<String>, leads_to: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            leads_to: leads_to.into(),
            over: None,
            begun: Counter::default(),
            ended: Traffic::default(),
        }
    }

    /// The same for an inlet whose route begins at this address.
    #[must_use]
    pub fn over(self, first: Option<&Address>) -> Self {
        Self { over: first.cloned(), ..self }
    }
}

impl Record for Portal {}

/// A stream, or the datagrams of one client.
#[derive(Debug)]
pub struct StreamRecord {
    /// The portal at this end of it, which is record as long as it has streams.
    pub portal: Arc<Recorded<Portal>>,
    /// The client, as far as this node knows it.
    pub client: Option<Endpoint>,
    /// The server that the client has named, if it has.
    pub target: Option<Box<str>>,
    /// At an outlet: the identity that it comes from.
    pub peer: Option<Identifier>,
    /// When it began.
    pub since: Instant,
    /// The application's bytes: those sent went into the tunnel here.
    pub traffic: Traffic,
    over: Lock<Option<Address>>,
    /// Since when it has had no path.
    lost: Lock<Option<Instant>>,
    is_suspended: AtomicBool,
}

impl StreamRecord {
    /// A stream of `portal` that begins now, over the link with the address `over`.
    pub fn new(portal: Arc<Recorded<Portal>>, over: Option<Address>) -> Self {
        portal.begun.increment();
        Self {
            portal,
            client: None,
            target: None,
            peer: None,
            since: Instant::now(),
            traffic: Traffic::default(),
            over: Lock::new(over),
            lost: Lock::default(),
            is_suspended: AtomicBool::new(false),
        }
    }

    /// It has lost its path.
    pub fn suspend(&self) {
        self.lost.lock().get_or_insert_with(Instant::now);
        self.is_suspended.store(true, Ordering::Relaxed);
    }

    /// It goes on, over the link with this address. Returns how long it had no path.
    pub fn go_on(&self, over: Option<Address>) -> Option<Duration> {
        *self.over.lock() = over;
        self.is_suspended.store(false, Ordering::Relaxed);
        self.lost.lock().take().map(|lost| lost.elapsed())
    }

    /// Whether it has no path at the moment.
    pub fn is_suspended(&self) -> bool {
        self.is_suspended.load(Ordering::Relaxed)
    }

    /// The first address of its path from here.
    pub fn over(&self) -> Option<Address> {
        self.over.lock().clone()
    }
}

impl Record for StreamRecord {
    fn ended(&self) {
        self.portal.ended.add(&self.traffic);
    }
}

/// The figures of a portal with those of its streams.
#[derive(Clone, Debug)]
pub struct PortalFigures {
    /// The portal's number in its listing.
    pub number: u64,
    /// The portal.
    pub portal: Arc<Portal>,
    /// Streams that are open.
    pub open: u64,
    /// Of these, the streams that wait for another path.
    pub suspended: u64,
    /// The applications' bytes that went into the tunnel here, in all.
    pub sent: u64,
    /// The bytes that came out of the tunnel here and that applications took, in all.
    pub received: u64,
}

/// All portals with what their streams come to, those that have ended included.
pub(super) fn figures(
    portals: &Listing<Portal>,
    streams: &Listing<StreamRecord>,
) -> Vec<PortalFigures> {
    let portals = portals.all();
    streams.while_locked(|streams| {
        let mut open = HashMap::<*const Portal, [u64; 4]>::new();
        for (_, stream) in streams {
            let sums = open.entry(&raw const **stream.portal).or_default();
            let (traffic, suspended) = (&stream.traffic, u64::from(stream.is_suspended()));
            let more = [1, suspended, traffic.sent(), traffic.received()];
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        let figures = |(number, portal): (u64, Arc<Portal>)| {
            let of_open = open.get(&Arc::as_ptr(&portal)).copied().unwrap_or_default();
            let [open, suspended, sent, received] = of_open;
            let (sent, received) = (sent + portal.ended.sent(), received + portal.ended.received());
            PortalFigures { number, portal, open, suspended, sent, received }
        };
        portals.into_iter().map(figures).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_ended_streams_stay_with_portals() {
        let (portals, streams) = (Listing::default(), Listing::default());
        let portal = Portal::new(PortalKind::Inlet, "127.0.0.1:5000", "outlet");
        let portal = Arc::new(portals.list(portal));
        let begin = || streams.list(StreamRecord::new(portal.clone(), None));
        let (one, two) = (begin(), begin());
        one.traffic.count_sent(3);
        two.traffic.count_received(4);
        two.suspend();
        let figures = || {
            let all = super::figures(&portals, &streams);
            let one = &all[0];
            (one.open, one.suspended, one.sent, one.received, one.portal.begun.count())
        };
        assert_eq!(figures(), (2, 1, 3, 4, 2));
        drop(two);
        assert_eq!(figures(), (1, 0, 3, 4, 2));
        drop(portal);
        assert_eq!(figures(), (1, 0, 3, 4, 2), "it has a stream");
        drop(one);
        assert!(super::figures(&portals, &streams).is_empty());
    }
}
