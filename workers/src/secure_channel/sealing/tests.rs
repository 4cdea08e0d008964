//! What is sealed at once, what waits for the encryptor, and when that is told.

use actix::{Actor, Addr, Context, Handler, MessageResult};
use ockam_actix_runtime::{
    node::entry::{Description, InboxCount},
    route, Address, Class, Host, MessageKind, Node, NodeBuilder, Payload, Route,
};

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
        kind: MessageKind::Data,
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
fn an_undeliverable_expendable_record_ends_nothing() {
    on_a_channel(route!["nobody"], Limits::default(), async |channel| {
        for _ in 0..2 {
            let mut message = Message::new(route!["channel", "peer"], route!["a"], vec![7].into());
            message.expendable = true;
            channel.node.route(message);
        }
        assert_eq!(channel.node.refusals().by("expendable-undelivered"), 2);
        assert_eq!((channel.counts(), channel.told().await.len()), ((0, 0), 0));
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
            let registered = lowest.node.register_delivery(description, Kept::default()).unwrap();
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
