//! The streams that an outlet keeps when their paths are lost, by the secrets of their inlets.
//!
//! What an outlet has answered with Unknown it remembers for a while: the inlet opens that stream
//! anew, and the first Open, which was held up along a lost path, must not open a second one.
//!
//! A resume must come from the identity that opened the stream; where there is none, the secret is
//! all that guards it. Anybody else learns nothing: the stream is unknown to them.

use std::{collections::HashMap, sync::Arc};

use actix::Recipient;
use ockam_actix_runtime::{
    edge::first_hop::FirstHop, lock::Lock, random, Identifier, Message, Route,
};

use crate::portal::protocol::{
    offset::{Limit, Offset},
    resumption::{OutletLife, StreamSecret},
    strays::Strays,
};

/// Has the actor of a stream go on along the path by which its inlet's `Resume` came.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct GoOn {
    pub(crate) first_hop: FirstHop,
    /// What `Resume` said.
    pub(crate) attempt: u64,
    pub(crate) received: Offset,
    pub(crate) limit: Limit,
    /// What came with it, and the route back.
    pub(crate) rest: Message,
}

/// The kept streams of one outlet. Clones share them.
#[derive(Clone)]
pub(crate) struct KeptStreams(Arc<Lock<State>>);

struct State {
    life: OutletLife,
    streams: HashMap<StreamSecret, Stream, ahash::RandomState>,
    /// By the hashes of the routes back, whose size is the peer's choice.
    strays: Strays<u64>,
    routes: ahash::RandomState,
}

struct Stream {
    peer: Option<Identifier>,
    /// Unknown until it has started.
    actor: Option<Recipient<GoOn>>,
}

/// Keeps a stream listed until it is dropped.
pub(crate) struct Kept {
    streams: KeptStreams,
    secret: StreamSecret,
    /// Whether the inlet may believe that the stream never began.
    leaves_doubt: bool,
}

impl KeptStreams {
    /// No streams.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Lock::new(State {
            life: new_life(),
            streams: HashMap::default(),
            strays: Strays::default(),
            routes: ahash::RandomState::new(),
        })))
    }

    /// The outlet's life at this moment.
    pub(crate) fn life(&self) -> OutletLife {
        self.0.lock().life
    }

    /// Lists a stream that `peer` opens; `None` if its secret is taken, or its Open is older than
    /// a resume along another route than back to `inlet`.
    pub(crate) fn keep(
        &self,
        secret: StreamSecret,
        peer: Option<Identifier>,
        inlet: &Route,
    ) -> Option<Kept> {
        let mut state = self.0.lock();
        let route = state.routes.hash_one(inlet);
        if !state.strays.admits_open(secret, &route) || state.streams.contains_key(&secret) {
            return None;
        }
        state.streams.insert(secret, Stream { peer, actor: None });
        Some(Kept { streams: self.clone(), secret, leaves_doubt: true })
    }

    /// Looks for the stream that `peer` opened with `secret` and resumes along the route back to
    /// `inlet`.
    pub(crate) fn find(
        &self,
        secret: &StreamSecret,
        peer: Option<Identifier>,
        (attempt, inlet): (u64, &Route),
    ) -> Found {
        let mut state = self.0.lock();
        let known = state.streams.get(secret);
        if known.is_some_and(|stream| stream.peer != peer) {
            return Found::Unknown(state.life);
        }
        if !state.strays.admits_resume(*secret, attempt) {
            return Found::Busy;
        }
        if let Some(stream) = known {
            return stream.actor.clone().map_or(Found::Busy, Found::Kept);
        }
        let route = state.routes.hash_one(inlet);
        state.strays.note(*secret, attempt, route);
        Found::Unknown(state.life)
    }
}

/// What an outlet knows of a stream that is to be resumed.
pub(crate) enum Found {
    /// It has this actor.
    Kept(Recipient<GoOn>),
    /// It is not to be answered: its actor has not begun, and its inlet asks again, or a later
    /// resume was answered before.
    Busy,
    /// Nothing, and which life it is in.
    Unknown(OutletLife),
}

impl Kept {
    /// Notes which actor has the stream now.
    pub(crate) fn moved_to(&self, actor: Recipient<GoOn>) {
        if let Some(stream) = self.streams.0.lock().streams.get_mut(&self.secret) {
            stream.actor = Some(actor);
        }
    }

    /// Notes how sure it is that the inlet knows of the stream, which is over now.
    pub(crate) fn is_over(&mut self, leaves_doubt: bool) {
        self.leaves_doubt = leaves_doubt;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut state = self.streams.0.lock();
        state.streams.remove(&self.secret);
        if self.leaves_doubt {
            state.life = new_life();
        }
    }
}

fn new_life() -> OutletLife {
    let number = u64::from_be_bytes(random::bytes());
    OutletLife::new(number.max(1)).expect("it is at least 1")
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler};
    use ockam_actix_runtime::route;

    use super::*;

    struct Anything;

    impl Actor for Anything {
        type Context = Context<Self>;
    }

    impl Handler<GoOn> for Anything {
        type Result = ();

        fn handle(&mut self, _: GoOn, _: &mut Context<Self>) {}
    }

    fn identity(byte: u8) -> Identifier {
        Identifier::from_bytes([byte; 32])
    }

    #[test]
    fn a_stream_is_known_to_its_opener_alone() {
        actix_rt::System::new().block_on(async {
            let streams = KeptStreams::new();
            let secret = StreamSecret::from_bytes([1; 16]);
            let kept = streams.keep(secret, Some(identity(1)), &route!["inlet"]).unwrap();
            assert!(streams.keep(secret, Some(identity(2)), &route!["inlet"]).is_none(), "taken");
            let mut attempt = 0;
            let mut found = |peer| {
                attempt += 1;
                streams.find(&secret, peer, (attempt, &route!["inlet"]))
            };
            assert!(matches!(found(Some(identity(1))), Found::Busy));
            kept.moved_to(Anything.start().recipient());
            assert!(matches!(found(Some(identity(1))), Found::Kept(_)));
            for other in [Some(identity(2)), None] {
                assert!(matches!(found(other), Found::Unknown(life) if life == streams.life()));
            }
            drop(kept);
            assert!(matches!(found(Some(identity(1))), Found::Unknown(_)));
        });
    }

    #[test]
    fn only_doubt_begins_a_new_life() {
        let streams = KeptStreams::new();
        let keep = |byte| {
            streams.keep(StreamSecret::from_bytes([byte; 16]), None, &route!["inlet"]).unwrap()
        };
        let (life, mut sure) = (streams.life(), keep(1));
        sure.is_over(false);
        drop(sure);
        assert_eq!(streams.life(), life);
        drop(keep(2));
        assert_ne!(streams.life(), life);
    }

    #[test]
    fn an_open_held_up_opens_no_second_stream() {
        let streams = KeptStreams::new();
        let secret = StreamSecret::from_bytes([1; 16]);
        let (old, new) = (route!["old"], route!["new"]);
        let find = |attempt, inlet| streams.find(&secret, None, (attempt, inlet));
        assert!(matches!(find(2, &new), Found::Unknown(_)));
        assert!(matches!(find(1, &old), Found::Busy), "it was overtaken");
        assert!(streams.keep(secret, None, &old).is_none());
        let kept = streams.keep(secret, None, &new).unwrap();
        assert!(matches!(find(1, &old), Found::Busy), "it was held up, too");
        drop(kept);
        assert!(streams.keep(secret, None, &old).is_none(), "also after the stream has ended");
    }
}
