//! The sealing half of a session, which intercepts messages before the encryptor's inbox.
//!
//! A message that arrives at an established channel is sealed in the task that delivers it: an
//! extra turn of the encryptor costs more than sealing a small message, and whoever waits for the
//! record would wait for that turn too. Everything else is left to the encryptor: messages while
//! there is no session, and the upkeep of a session.
//!
//! Messages stay in order: while one waits in the inbox, the runtime delivers to the inbox alone.

use std::{
    cell::Cell,
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::Recipient;
use ockam_actix_runtime::{node::entry::Interceptor, Message, Permit};

use crate::secure_channel::{
    event::{notify, Ending, Event, EventKind},
    limits::{Limits, MAX_SEALED_AT_ONCE},
    outbound::{NotSent, Outbound},
    plaintext::Tag,
    record::Sealer,
};

/// Seals while a session is open. All its users are on one arbiter, so nobody waits for the lock.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    half: Mutex<Option<SealingHalf>>,
}

/// The sealing state of one session.
#[derive(Debug)]
pub(super) struct SealingHalf {
    session: u64,
    outbound: Outbound,
    encryptor: Recipient<Event>,
    /// They say when new keys are due, and when the old ones have expired.
    limits: Arc<Limits>,
    /// What the encryptor was told about the keys.
    told: Told,
    /// Why sealing has stopped; the encryptor was told.
    failure: Option<NotSent>,
}

/// What an encryptor was told about the keys of its session, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Due,
    Expired,
}

thread_local! {
    /// How many nested channels are sealing on this thread, each a record of the one before.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

impl Sealing {
    /// Starts sealing in a new session.
    pub(super) fn open(&self, half: SealingHalf) {
        *self.lock() = Some(half);
    }

    /// Stops sealing in this session.
    pub(super) fn close(&self, session: u64) {
        self.lock().take_if(|half| half.session == session);
    }

    /// Seals and sends a message that arrived at the channel's address.
    pub(super) fn send(&self, session: u64, message: Message) -> Result<(), NotSent> {
        self.with(session, |half| half.send(message))
    }

    /// Seals and sends a control record of the channel itself.
    pub(super) fn control(
        &self,
        session: u64,
        tag: Tag,
        body: &[u8],
        permit: Option<Permit>,
    ) -> Result<(), NotSent> {
        self.with(session, |half| half.outbound.control(tag, body, permit))
    }

    /// Seals with new keys from now on; with `announce`, the last record under the old ones tells
    /// the peer.
    pub(super) fn renew(
        &self,
        session: u64,
        sealer: Sealer,
        announce: bool,
    ) -> Result<(), NotSent> {
        self.with(session, |half| {
            if announce {
                half.outbound.control(Tag::Switch, &[], None)?;
            }
            half.outbound.sealer = sealer;
            half.told = Told::Nothing;
            Ok(())
        })
    }

    /// Seals and sends a message of this session, or returns it: if the session is over, or the
    /// message must wait.
    pub(super) fn seal_in(&self, session: u64, message: Message) -> Option<Message> {
        let of_session = |half: &SealingHalf| half.session == session;
        let is_current = |half: MutexGuard<'_, Option<_>>| half.as_ref().is_some_and(of_session);
        match self.half.try_lock().is_ok_and(is_current) {
            true => self.act_now(message, SealingHalf::send),
            false => Some(message),
        }
    }

    fn with(
        &self,
        session: u64,
        act: impl FnOnce(&mut SealingHalf) -> Result<(), NotSent>,
    ) -> Result<(), NotSent> {
        let mut half = self.lock();
        let half = half.as_mut().filter(|half| half.session == session).ok_or(NotSent::NoKeys)?;
        half.failure.clone().map_or(Ok(()), Err)?;
        act(half)
    }

    fn lock(&self) -> MutexGuard<'_, Option<SealingHalf>> {
        self.half.lock().unwrap_or_else(|poisoned| {
            self.half.clear_poison();
            let mut half = PoisonError::into_inner(poisoned);
            // Whether the last record has left is unknown, and the peer accepts none after a
            // missing one.
            *half = None;
            half
        })
    }

    /// Has the session `act` on the message now, or returns it if it must wait.
    fn act_now(
        &self,
        message: Message,
        act: impl FnOnce(&mut SealingHalf, Message) -> Result<(), NotSent>,
    ) -> Option<Message> {
        // A message that comes back here while one is being sealed, such as a notice about it,
        // waits its turn.
        let Ok(mut slot) = self.half.try_lock() else { return Some(message) };
        let Some(half) = slot.as_mut().filter(|half| half.failure.is_none()) else {
            return Some(message);
        };
        // A record may be a message for another channel. A peer must not choose how deep that goes.
        let Some(_depth) = Depth::deeper() else { return Some(message) };
        match catch_unwind(AssertUnwindSafe(|| act(half, message))) {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => half.fail(failure),
            Err(panic) => {
                half.fail(NotSent::NoKeys);
                drop(slot);
                resume_unwind(panic);
            }
        }
        None
    }
}

impl Interceptor for Sealing {
    fn intercept(&self, message: Message) -> Option<Message> {
        self.act_now(message, SealingHalf::send)
    }
}

impl SealingHalf {
    /// For one session of an encryptor.
    pub(super) const fn new(
        session: u64,
        outbound: Outbound,
        encryptor: Recipient<Event>,
        limits: Arc<Limits>,
    ) -> Self {
        Self { session, outbound, encryptor, limits, told: Told::Nothing, failure: None }
    }

    fn send(&mut self, message: Message) -> Result<(), NotSent> {
        self.outbound.send(message)?;
        let sealed = self.outbound.sealer.volume();
        if self.told < Told::Due && self.limits.is_due(sealed) {
            self.told = Told::Due;
            notify(&self.encryptor, self.session, EventKind::Due);
        }
        if self.told < Told::Expired && self.limits.is_expired(sealed) {
            self.told = Told::Expired;
            notify(&self.encryptor, self.session, EventKind::Over(Ending::expired()));
        }
        Ok(())
    }

    fn fail(&mut self, failure: NotSent) {
        notify(&self.encryptor, self.session, EventKind::Over(Ending::from(failure.clone())));
        self.failure = Some(failure);
    }
}

/// One level of nested sealing on this thread, until it is dropped.
struct Depth;

impl Depth {
    fn deeper() -> Option<Self> {
        let depth = DEPTH.get();
        (depth < MAX_SEALED_AT_ONCE).then(|| {
            DEPTH.set(depth + 1);
            Self
        })
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Addr, Context, Handler, MessageResult};
    use ockam_actix_runtime::{
        node::entry::{Description, InboxCount},
        route, Address, Class, Node, NodeBuilder, Payload, Route,
    };

    use ockam_actix_runtime::Host;

    use super::*;
    use crate::secure_channel::fixtures::{sessions, Kept};

    /// An encryptor that only remembers what it is told.
    #[derive(Default)]
    struct Remembering(Vec<EventKind>);

    /// Asks for the events that came before it.
    #[derive(actix::Message)]
    #[rtype(result = "Vec<EventKind>")]
    struct Ask;

    impl Actor for Remembering {
        type Context = Context<Self>;
    }

    impl Handler<Event> for Remembering {
        type Result = ();

        fn handle(&mut self, event: Event, _: &mut Context<Self>) {
            self.0.push(event.kind);
        }
    }

    impl Handler<Ask> for Remembering {
        type Result = MessageResult<Ask>;

        fn handle(&mut self, _: Ask, _: &mut Context<Self>) -> Self::Result {
            MessageResult(std::mem::take(&mut self.0))
        }
    }

    fn outbound(node: &Node, peer_route: Route) -> Outbound {
        Outbound {
            node: node.clone(),
            channel: "channel".into(),
            via: "channel".into(),
            sealer: sessions().0.sealer,
            peer_route,
            decryptor: route![Address::random()],
        }
    }

    /// A channel whose records arrive at "connection", and messages for its encryptor in an inbox.
    struct Channel {
        node: Node,
        sealing: Arc<Sealing>,
        records: Kept,
        inbox: Kept,
        encryptor: Addr<Remembering>,
        /// Lowered when the encryptor takes a message.
        waiting: InboxCount,
        _registered: [ockam_actix_runtime::node::directory::Registration; 2],
    }

    impl Channel {
        async fn open(peer_route: Route, limits: Limits) -> Self {
            let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
            let sealing = Arc::new(Sealing::default());
            let (records, inbox) = (Kept::default(), Kept::default());
            let encryptor = Remembering::default().start();
            let channel = Description::new("channel", Class::Reply).intercepted_by(sealing.clone());
            let connection = Description::new("connection", Class::Reply);
            let waiting = channel.inbox_count().unwrap();
            let registered = [
                node.register_delivery(channel, inbox.clone()).unwrap(),
                node.register_delivery(connection, records.clone()).unwrap(),
            ];
            let outbound = outbound(&node, peer_route);
            let told = encryptor.clone().recipient();
            sealing.open(SealingHalf::new(1, outbound, told, limits.into()));
            Self { node, sealing, records, inbox, encryptor, waiting, _registered: registered }
        }

        fn send(&self) {
            let message = Message::new(route!["channel", "peer"], route!["a"], vec![7].into());
            self.node.route(message);
        }

        /// How many records have left, and how many messages wait for the encryptor.
        fn counts(&self) -> (usize, usize) {
            (self.records.0.lock().unwrap().len(), self.inbox.0.lock().unwrap().len())
        }

        /// What the encryptor was told since the last call.
        async fn told(&self) -> Vec<EventKind> {
            self.encryptor.send(Ask).await.unwrap()
        }
    }

    /// Runs `test` with a channel over `peer_route`.
    fn on_a_channel(peer_route: Route, limits: Limits, test: impl AsyncFnOnce(&Channel)) {
        actix_rt::System::new().block_on(async {
            let channel = Channel::open(peer_route, limits).await;
            test(&channel).await;
            channel.node.stop().await;
        });
    }

    #[test]
    fn messages_are_sealed_at_once_during_a_session() {
        on_a_channel(route!["connection", "theirs"], Limits::default(), async |channel| {
            channel.send();
            assert_eq!(channel.counts(), (1, 0));
            channel.sealing.close(0);
            channel.send();
            assert_eq!(channel.counts(), (2, 0), "the end of another session changes nothing");
            channel.sealing.close(1);
            channel.send();
            assert_eq!(channel.counts(), (2, 1));
        });
    }

    #[test]
    fn an_undeliverable_record_is_last_and_reported_once() {
        on_a_channel(route!["nobody"], Limits::default(), async |channel| {
            channel.send();
            channel.send();
            assert_eq!(channel.counts(), (0, 1));
            let told = channel.told().await;
            assert!(matches!(told[..], [EventKind::Over(_)]), "{told:?}");
        });
    }

    #[test]
    fn new_keys_are_requested_once_until_they_come() {
        let limits = Limits { keys_due_records: 3, ..Limits::default() };
        on_a_channel(route!["connection"], limits, async |channel| {
            for expected in [0, 0, 1, 0, 0] {
                channel.send();
                assert_eq!(channel.told().await.len(), expected);
            }
            channel.sealing.renew(1, sessions().0.sealer, true).unwrap();
            for expected in [0, 0, 1] {
                channel.send();
                assert_eq!(channel.told().await.len(), expected);
            }
            // Including the record that announces the new keys.
            assert_eq!(channel.counts(), (9, 0));
        });
    }

    #[test]
    fn expired_keys_are_reported_once() {
        let limits = Limits { keys_due_records: 1, keys_expire_records: 3, ..Limits::default() };
        on_a_channel(route!["connection"], limits, async |channel| {
            for _ in 0..4 {
                channel.send();
            }
            let told = channel.told().await;
            assert!(matches!(told[..], [EventKind::Due, EventKind::Over(_)]), "{told:?}");
        });
    }

    #[test]
    fn no_message_overtakes_one_that_waits() {
        on_a_channel(route!["connection"], Limits::default(), async |channel| {
            let back = route!["channel", "sender"];
            let mut spent = Message::new(route!["channel", "peer"], back, Payload::default());
            spent.hops = 0;
            channel.node.route(spent);
            // The notice about it came back while it was being sealed.
            assert_eq!(channel.counts(), (0, 1));
            channel.send();
            assert_eq!(channel.counts(), (0, 2));
            channel.waiting.lower();
            channel.send();
            assert_eq!(channel.counts(), (0, 3), "one of them still waits");
            (0..2).for_each(|_| channel.waiting.lower());
            channel.send();
            assert_eq!(channel.counts(), (1, 3));
        });
    }

    #[test]
    fn nested_channels_seal_to_a_limited_depth() {
        on_a_channel(route!["connection"], Limits::default(), async |lowest| {
            let encryptor = || Remembering::default().start().recipient();
            let limits = Arc::new(Limits::default());
            let mut lower = Address::from("channel");
            let mut upper = Vec::new();
            for _ in 0..MAX_SEALED_AT_ONCE {
                let sealing = Arc::new(Sealing::default());
                let description = Description::new(Address::random(), Class::Reply);
                let description = description.intercepted_by(sealing.clone());
                let registered =
                    lowest.node.register_delivery(description, Kept::default()).unwrap();
                let outbound = outbound(&lowest.node, route![lower]);
                sealing.open(SealingHalf::new(1, outbound, encryptor(), limits.clone()));
                lower = registered.address().clone();
                upper.push(registered);
            }
            let send = |channel: &Address| {
                let route = route![channel.clone(), "peer"];
                lowest.node.route(Message::new(route, route!["a"], vec![7].into()));
            };
            send(upper[MAX_SEALED_AT_ONCE - 2].address());
            assert_eq!(lowest.counts(), (1, 0));
            send(&lower);
            assert_eq!(lowest.counts(), (1, 1), "the lowest channel leaves it to its encryptor");
        });
    }

    #[test]
    fn a_panic_while_sealing_ends_the_session() {
        on_a_channel(route!["connection"], Limits::default(), async |channel| {
            let message = Message::new(route!["peer"], route!["a"], Payload::default());
            let panics = |_: &mut SealingHalf, _| panic!("a bug, made for this test");
            let panics = AssertUnwindSafe(|| channel.sealing.act_now(message, panics));
            catch_unwind(panics).expect_err("it panics");
            channel.send();
            assert_eq!(channel.counts(), (0, 1));
            let told = channel.told().await;
            assert!(matches!(told[..], [EventKind::Over(_)]), "{told:?}");
        });
    }

    #[test]
    fn nothing_is_sealed_after_the_encryptor_panics() {
        on_a_channel(route!["connection"], Limits::default(), async |channel| {
            let panics = AssertUnwindSafe(|| {
                let _ = channel.sealing.with(1, |_| panic!("a bug, made for this test"));
            });
            catch_unwind(panics).expect_err("it panics");
            channel.send();
            assert_eq!(channel.counts(), (0, 1));
            assert_eq!(channel.sealing.control(1, Tag::Ping, &[], None), Err(NotSent::NoKeys));
        });
    }
}
