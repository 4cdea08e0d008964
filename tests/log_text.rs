//! The log shows what a peer has sent as it is: no character of it changes how a line looks.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix::{Actor, Handler};
use ockam::{
    author::Host, route, Message, MessageKind, Node, NodeBuilder, Payload, RemoteForwarder, Route,
    Routed, TcpTransport, WorkerContext, TCP,
};
use ockam_actix_harness::deadline::poll;

/// Begins a new line, deletes the screen, and turns the direction of what follows.
const SLY: &str = "tuo\n\u{1b}[2J\u{202e}\u{200f}\u{2066}\u{61c}let";

const LIMIT: Duration = Duration::from_secs(20);

/// Keeps the text of every record.
struct Capture(Mutex<Vec<String>>);

static CAPTURE: Capture = Capture(Mutex::new(Vec::new()));

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn wait_for_record(text: &str) {
    let found = || {
        let records = CAPTURE.0.lock().unwrap();
        let found = records.iter().any(|record| record.contains(text));
        found.then_some(()).ok_or("there is none yet")
    };
    poll(&format!("a record with {text:?}"), LIMIT, found);
}

/// MessagePack of a text of 32 to 255 bytes, or fewer.
fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let header = if length < 32 { vec![0xa0 | length] } else { vec![0xd9, length] };
    [&header, text.as_bytes()].concat()
}

/// Answers everything with the same payload, as a message of `kind`.
struct Sly {
    node: Node,
    kind: MessageKind,
    answer: Vec<u8>,
}

impl Actor for Sly {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Payload>> for Sly {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut WorkerContext<Self>) {
        let back = message.into_message().into_parts().return_route;
        let mut answer = Message::new(back, Route::new(), Payload::from(self.answer.clone()));
        answer.kind = self.kind;
        self.node.route(answer);
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Known {
    One,
}

/// Understands two words, and so refuses what a peer says otherwise.
struct Reader;

impl Actor for Reader {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Known>> for Reader {
    type Result = ();

    fn handle(&mut self, _: Routed<Known>, _: &mut WorkerContext<Self>) {}
}

/// A node whose workers answer with sly texts, and the address that it listens on.
async fn sly_node() -> (Node, String) {
    let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
    let answers = [
        ("notice", MessageKind::Notice, [&[0x93, 0][..], &text("hop"), &text(SLY)].concat()),
        ("sly-hop", MessageKind::Notice, [&[0x93, 0][..], &text(SLY), &text("")].concat()),
        ("outlet", MessageKind::Data, [&[0x93, 2, 6][..], &text(SLY)].concat()),
        ("forwarding_service", MessageKind::Data, [&[0x93, 4, 99][..], &text(SLY)].concat()),
        ("text", MessageKind::Data, text(SLY)),
    ];
    for (address, kind, answer) in answers {
        node.worker(address, Sly { node: node.clone(), kind, answer }).start().unwrap();
    }
    let tcp = TcpTransport::create(&node).await.unwrap();
    let address = tcp.listen("127.0.0.1:0").await.unwrap().address().to_string();
    (node, address)
}

/// Sends one message for a sly address, and for a worker whose body it is not.
fn send_as_a_stranger(to: &str) {
    let message = |onward: &str, payload: &[u8]| {
        let routes = [&[0x91][..], &text(onward), &[0x91], &text("me")].concat();
        let length = u8::try_from(payload.len()).unwrap();
        [&[0x95, 0, 32][..], &routes, &[0xc4, length], payload].concat()
    };
    let greeting = [&[0x93][..], &text("ockam-actix"), &[1, 0xce, 0, 4, 0, 0]].concat();
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    for body in [greeting, message("reader", &text(SLY)), message(SLY, b"")] {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &body].concat()).unwrap();
    }
    stream.read_to_end(&mut Vec::new()).unwrap_or_default();
}

#[test]
fn no_peer_changes_how_a_log_looks() {
    log::set_logger(&CAPTURE).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    actix_rt::System::new().block_on(async {
        let (sly, address) = sly_node().await;
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let tcp = TcpTransport::create(&node).await.unwrap();
        node.worker("reader", Reader).start().unwrap();
        let own = tcp.listen("127.0.0.1:0").await.unwrap().address().to_string();
        actix_rt::task::spawn_blocking(move || send_as_a_stranger(&own)).await.unwrap();

        let ask = |worker: &str| {
            let question = node.ask(route![(TCP, &address), worker], String::new());
            question.within(Duration::from_secs(1)).reply_as::<Known>()
        };
        for worker in ["notice", "sly-hop", "text"] {
            let error = ask(worker).await.map(drop).unwrap_err();
            log::error!("{worker}: {}", error.one_line());
        }
        let hub = route![(TCP, &address)];
        let refused = RemoteForwarder::create(&node, hub, "reader").await.unwrap_err();
        log::error!("the hub: {}", refused.one_line());
        let route = route![(TCP, &address), "outlet"];
        let inlet = tcp.create_inlet("127.0.0.1:0", route).await.unwrap();
        let inlet = inlet.address();
        let client = move || TcpStream::connect(inlet).unwrap().read(&mut [0]).unwrap_or_default();
        assert_eq!(actix_rt::task::spawn_blocking(client).await.unwrap(), 0);
        let waiting = || ["the hub: ", "reset the client"].map(wait_for_record);
        actix_rt::task::spawn_blocking(waiting).await.unwrap();
        node.stop().await;
        sly.stop().await;
    });
    let records = CAPTURE.0.lock().unwrap().clone();
    for record in &records {
        let unseen = record.chars().find(|&c| ockam_actix_runtime::text::is_unseen(c));
        assert_eq!(unseen, None, "{record:?}");
    }
    let escaped = records.iter().filter(|record| record.contains("u{202e}")).count();
    println!("{escaped} of {} records name what was escaped", records.len());
    assert!(escaped >= 3, "sly texts were logged: {records:#?}");
}
