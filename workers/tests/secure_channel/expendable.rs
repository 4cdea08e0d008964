//! Expendable messages through a hub that loses, doubles, delays and forges them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    route, Class, Host, Message, Payload, Route,
};
use ockam_actix_workers::{SecureChannels, TrustEveryonePolicy};

use crate::support::{quick, run, tcp, until, Echo, Meddling, Middle, Peer, DEADLINE, SERVICE};

/// Counts the payloads that are delivered to it.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<BTreeMap<Vec<u8>, usize>>>);

impl Deliver for Sink {
    fn deliver(&self, _: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        assert!(message.expendable);
        *self.0.lock().unwrap().entry(message.payload.to_vec()).or_default() += 1;
        Ok(())
    }
}

/// The same bytes again, along the same route, as a message that may be lost.
fn forged(message: &Message, payload: Payload) -> Message {
    let mut copy = Message::new(message.onward_route.clone(), Route::new(), payload);
    (copy.kind, copy.expendable) = (message.kind, true);
    copy
}

/// Before each message comes a copy that may be lost, and an altered one; of those that may be lost
/// every eighth is lost, every fourth comes late, and all come again.
fn hostile() -> Meddling {
    let held = Mutex::new(Vec::new());
    Arc::new(move |number, message| {
        let mut altered = message.payload.to_vec();
        altered.iter_mut().skip(8).take(1).for_each(|byte| *byte ^= 1);
        let mut passed = vec![forged(&message, altered.into())];
        if !message.expendable {
            passed.push(forged(&message, message.payload.clone()));
            passed.push(message);
            return passed;
        }
        let again = forged(&message, message.payload.clone());
        let mut held = held.lock().unwrap();
        match number % 8 {
            0 => {}
            1 | 5 => held.push(message),
            _ => passed.push(message),
        }
        if number % 8 != 0 {
            held.push(again);
        }
        if held.len() > 20 {
            passed.extend(held.drain(..).rev());
        }
        passed
    })
}

#[test]
fn a_hostile_hub_neither_repeats_nor_ends_anything() {
    const COUNT: usize = 1_000;
    run(async {
        let mut limits = quick();
        limits.keys_due_records = 100;
        limits.renewal_pause = Duration::ZERO;
        let mut client = Peer::with_limits(1, limits.clone()).await;
        let mut server = Peer::with_limits(2, limits).await;
        let hub = Peer::start(1).await;
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let echo = Echo::start(&server.node, "echo");
        let sink = Sink::default();
        let description = Description::new("sink", Class::User);
        let _registration = server.node.register_delivery(description, sink.clone()).unwrap();
        let next = tcp(server.listen(0).await);
        let _middle = Middle::start(&hub.node, "middle", next, hostile());
        let route = route![tcp(hub.listen(0).await), "middle", SERVICE];
        let channel = client.entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let first_hop = client.node.first_hop(&route![&channel, "echo"]).unwrap();
        for number in 0..COUNT {
            let payload = Payload::from(number.to_string().into_bytes());
            let mut message = Message::new(route![&channel, "sink"], Route::new(), payload);
            message.expendable = true;
            client.node.route(message);
            if number % 10 == 0 {
                // In turn, so that little is dropped for want of room.
                client.ctx.send(route![&channel, "echo"], number.to_string()).await.unwrap();
                let answer = client.ctx.receive_within::<String>(DEADLINE).await.unwrap();
                assert_eq!(*answer.body(), number.to_string());
            }
        }
        until("most have come", || sink.0.lock().unwrap().len() > COUNT * 8 / 10).await;
        let came = sink.0.lock().unwrap().clone();
        assert!(came.values().all(|times| *times == 1), "{came:?}");
        let expected: Vec<_> = (0..COUNT).step_by(10).map(|number| number.to_string()).collect();
        assert_eq!(echo.texts(), expected, "ordinary messages came once and in order");
        assert_eq!(first_hop.state().epoch, 0, "no session was lost");
        for rule in ["records-repeated", "records-not-authentic"] {
            assert!(server.node.refusals().by(rule) > 100, "{rule}");
        }
    });
}
