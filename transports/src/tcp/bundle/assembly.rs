//! Puts the parts of bundles together that arrive at one listener.
//!
//! The first part to arrive waits, on its arbiter, for the others, which come from other arbiters.
//! A waiting bundle holds the slot of each of its connections, so that it counts as all of them
//! even while it is incomplete. It waits until the peer leaves, and the listener bounds the time.

use std::{
    collections::{hash_map::Entry, HashMap},
    io::{self, ErrorKind::UnexpectedEof},
    sync::Arc,
};

use ockam_actix_runtime::{lock::Lock, socket::stream::Detached};
use tokio::sync::oneshot;

use crate::{
    connection::connection_limits::ConnectionSlot,
    tcp::bundle::preface::{BundleId, Preface},
};

/// A connection that is a part of a bundle.
pub(crate) type Arrived = (Detached, ConnectionSlot);

/// The bundles of a listener that are not complete. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assemblies(Arc<Lock<HashMap<BundleId, Assembly>>>);

/// A bundle whose first part waits.
#[derive(Debug)]
struct Assembly {
    /// The places of the other parts, and of the first, which is kept where it waits.
    parts: Vec<Place>,
    complete: oneshot::Sender<Vec<Arrived>>,
}

#[derive(Debug)]
enum Place {
    Free,
    OfFirst,
    Taken(Arrived),
}

/// What becomes of a part.
pub(crate) enum Placed {
    /// It is the first, and brings the others.
    First(Incomplete),
    /// It has gone to the first.
    Joined,
}

impl Assemblies {
    /// Adds a part to its bundle; `None` if the bundle has it, or has another number of parts.
    pub(crate) fn add(&self, preface: Preface, arrived: Arrived) -> Option<Placed> {
        let Preface { bundle, parts, part } = preface;
        if part >= parts {
            return None;
        }
        let mut assemblies = self.0.lock();
        let mut entry = match assemblies.entry(bundle) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                let (complete, others) = oneshot::channel();
                let mut places: Vec<_> = (0..parts).map(|_| Place::Free).collect();
                places[part] = Place::OfFirst;
                entry.insert(Assembly { parts: places, complete });
                let others = Others { all: self.clone(), bundle, others };
                return Some(Placed::First(Incomplete { part, arrived, others }));
            }
        };
        let places = &mut entry.get_mut().parts;
        let expected = places.len() == parts;
        let place = places.get_mut(part).filter(|place| expected && place.is_free())?;
        *place = Place::Taken(arrived);
        if !places.iter().any(Place::is_free) {
            let Assembly { parts, complete } = entry.remove();
            let others = parts.into_iter().filter_map(Place::taken).collect();
            // If the first has just given up, they are closed.
            let _ = complete.send(others);
        }
        Some(Placed::Joined)
    }
}

impl Place {
    fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }

    fn taken(self) -> Option<Arrived> {
        match self {
            Self::Taken(arrived) => Some(arrived),
            Self::Free | Self::OfFirst => None,
        }
    }
}

/// The first part, and its claim to the others.
pub(crate) struct Incomplete {
    part: usize,
    arrived: Arrived,
    others: Others,
}

impl Incomplete {
    /// Waits for the other parts; returns all, in their order.
    ///
    /// # Errors
    /// If the peer leaves before that.
    pub(crate) async fn complete(self) -> io::Result<Vec<Arrived>> {
        let Self { part, arrived: (own, slot), mut others } = self;
        let own = own.attach()?;
        let mut all = tokio::select! {
            biased;
            all = others.arrived() => all?,
            ended = own.ended() => return Err(ended.err().unwrap_or_else(|| UnexpectedEof.into())),
        };
        // So that whoever attaches it learns what has come meanwhile.
        all.insert(part, (own.detach()?, slot));
        Ok(all)
    }
}

/// The claim to the other parts. They are closed if it is dropped before all have arrived.
struct Others {
    all: Assemblies,
    bundle: BundleId,
    others: oneshot::Receiver<Vec<Arrived>>,
}

impl Others {
    /// Waits for them; returns them in their order.
    async fn arrived(&mut self) -> io::Result<Vec<Arrived>> {
        // The sender is kept until this is dropped.
        (&mut self.others).await.map_err(|_| UnexpectedEof.into())
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        // Whoever has sent the parts may have begun another bundle of the same name.
        self.others.close();
        let mut assemblies = self.all.0.lock();
        if let Entry::Occupied(entry) = assemblies.entry(self.bundle) {
            if entry.get().complete.is_closed() {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
        time::Duration,
    };

    use ockam_actix_runtime::NodeLimits;
    use tokio::time::timeout;

    use super::*;
    use crate::connection::connection_limits::ConnectionLimits;

    /// A part as it arrives, and its other end.
    fn part() -> (Arrived, TcpStream) {
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
        let (socket, _) = listening.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let slot = ConnectionLimits::new(&NodeLimits::default()).take(None).unwrap();
        ((Detached::System(socket), slot), peer)
    }

    fn run<T>(test: impl std::future::Future<Output = T>) -> T {
        actix_rt::System::new().block_on(async {
            timeout(Duration::from_secs(20), test).await.expect("the parts within 20 s")
        })
    }

    fn first(placed: Option<Placed>) -> Incomplete {
        match placed {
            Some(Placed::First(incomplete)) => incomplete,
            _ => panic!("it is the first of its bundle"),
        }
    }

    #[test]
    fn a_complete_bundle_leaves_its_name_to_others() {
        run(async {
            let (all, bundle) = (Assemblies::default(), BundleId::random());
            let preface = |part| Preface { bundle, parts: 2, part };
            let (mut arrived, peers): (Vec<_>, Vec<_>) = (0..4).map(|_| part()).unzip();
            let mut add = |part| all.add(preface(part), arrived.pop().unwrap());
            let before = first(add(0));
            assert!(matches!(add(1), Some(Placed::Joined)));
            let again = first(add(1));
            assert_eq!(before.complete().await.unwrap().len(), 2);
            assert!(matches!(add(0), Some(Placed::Joined)));
            assert_eq!(again.complete().await.unwrap().len(), 2);
            assert!(all.0.lock().is_empty());
            drop(peers);
        });
    }

    #[test]
    fn a_part_beyond_its_bundle_is_refused() {
        let all = Assemblies::default();
        let (arrived, _peer) = part();
        let preface = Preface { bundle: BundleId::random(), parts: 2, part: 2 };
        assert!(all.add(preface, arrived).is_none());
        assert!(all.0.lock().is_empty());
    }

    #[test]
    fn a_peer_that_leaves_is_not_awaited() {
        run(async {
            let all = Assemblies::default();
            for said in [&b""[..], b"what comes after the preface"] {
                let (arrived, mut peer) = part();
                let preface = Preface { bundle: BundleId::random(), parts: 2, part: 1 };
                let waiting = first(all.add(preface, arrived)).complete();
                let mut waiting = std::pin::pin!(waiting);
                peer.write_all(said).unwrap();
                assert!(futures::poll!(&mut waiting).is_pending());
                drop(peer);
                assert_eq!(waiting.await.unwrap_err().kind(), UnexpectedEof);
                assert!(all.0.lock().is_empty());
            }
        });
    }
}
