//! Who may reach an outlet, and who may answer for it.

use ockam_actix_runtime::{route, Address, Class, Host, Message, Payload, Route};
use ockam_actix_transports::ListenOptions;
use ockam_actix_workers::{
    datagram::{message::Header, UdpOutlet, UdpOutletOptions},
    identity::access,
    SecureChannels, TrustEveryonePolicy,
};

use crate::support::{
    client, echo, echoes, entity, in_time, inlet, listening, node, receive, run, tcp, until, Pair,
};

#[test]
fn outlets_take_datagrams_of_permitted_peers_alone() {
    run(async {
        let pair = Pair::to(echo().await, 1).await;
        let stranger = entity(&pair.client).identifier();
        let options = UdpOutletOptions::to(echo().await.to_string());
        let refused = options.access(access::from_identities([stranger]));
        UdpOutlet::start(&pair.server, "narrow", refused).unwrap();
        let client = client(inlet(&pair.client, route![&pair.channel, "narrow"])).await;
        client.send(b"knock").await.unwrap();
        until("a notice has come", || pair.lost("datagrams-undelivered") > 0).await;
        assert_eq!(pair.server.refusals().by("worker-refused"), 1);
    });
}

fn answer(text: &[u8]) -> Payload {
    Payload::from([Header::of(text.len()).as_slice(), text].concat())
}

#[test]
fn nobody_else_answers_for_the_outlet() {
    run(async {
        let pair = Pair::to(echo().await, 1).await;
        let before = pair.client.workers();
        let client = client(pair.inlet()).await;
        echoes(&client, b"first").await;
        let is_new = |worker: &&(Address, Class)| !before.contains(worker);
        let workers = pair.client.workers();
        let flow = workers.iter().filter(is_new).find(|new| new.1 == Class::Reply);
        let flow = flow.unwrap().0.clone();
        // Somebody else, who has learnt the flow's address, over a connection and over a channel.
        let stranger = node(1).await;
        entity(&pair.client).create_secure_channel_listener("in", TrustEveryonePolicy).unwrap();
        let at = tcp(listening(&pair.client, ListenOptions::on("127.0.0.1:0")).await);
        let channel =
            entity(&stranger).create_secure_channel(route![&at, "in"], TrustEveryonePolicy);
        let channel = channel.unwrap();
        in_time("a channel", channel.established()).await.unwrap();
        for route in [route![&at, &flow], route![&channel, &flow]] {
            stranger.route(Message::new(route, Route::new(), answer(b"forged")));
        }
        let refused = || pair.client.refusals().by("worker-refused") == 2;
        until("both were refused", refused).await;
        client.send(b"second").await.unwrap();
        assert_eq!(receive(&client).await, b"second");
    });
}

#[test]
fn an_outlet_of_streams_takes_no_datagrams() {
    run(async {
        let pair = Pair::to(echo().await, 1).await;
        ockam_actix_workers::portal::Outlet::start(&pair.server, "streams", "127.0.0.1:9").unwrap();
        let client = client(inlet(&pair.client, route![&pair.channel, "streams"])).await;
        client.send(b"hello").await.unwrap();
        until("a notice has come", || pair.lost("datagrams-undelivered") > 0).await;
    });
}
