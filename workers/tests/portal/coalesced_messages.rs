//! Coalesced messages: what an end of a stream has to say at the same time is sent as one message,
//! and taken as one.

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Context, Payload, Routed};
use ockam_actix_workers::portal::{
    limits::MAX_MESSAGES,
    protocol::{
        message::{data_header, decode, Control, Decoded},
        offset::{Limit, Offset},
        reason::ResetReason,
    },
    Inlet, InletOptions,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{in_time, node, outlet, run, DEADLINE};

/// The names of the messages in a payload.
fn names(mut payload: &[u8]) -> Vec<&'static str> {
    let mut names = Vec::new();
    while !payload.is_empty() {
        let (message, length) = decode(payload).unwrap();
        names.push(match message {
            Decoded::Control(control) => control.name(),
            Decoded::Data { .. } => "Data",
        });
        payload = &payload[length..];
    }
    names
}

/// Passes everything on and notes the names of its messages.
#[derive(Clone, Default)]
struct Spy(Arc<Mutex<Vec<Vec<&'static str>>>>);

impl Actor for Spy {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Spy {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        self.0.lock().unwrap().push(names(message.body()));
        // What comes after the end of a stream is undeliverable; its sender gets a notice.
        let _ = message.forward();
    }
}

/// The messages of an exchange with a client that asks before it is accepted, and gets an answer.
async fn messages_of_a_short_exchange() -> Vec<Vec<&'static str>> {
    let ctx = node().await;
    let target = outlet(ctx.node()).await;
    let spy = Spy::default();
    ctx.worker("spy", spy.clone()).start().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"?").unwrap();
    // An inlet whose streams outlive their paths sends no bytes before it knows its outlet.
    let options = InletOptions::along(route!["spy", "outlet"]).resume_for(Duration::ZERO);
    Inlet::start(ctx.node(), listener, options).unwrap();
    answer(&target).await;
    client.set_nonblocking(true).unwrap();
    let mut client = tokio::net::TcpStream::from_std(client).unwrap();
    assert_eq!(in_time("the answer", client.read_u8()).await.unwrap(), b'!');
    drop(client);
    ctx.node().stop().await;
    let messages = spy.0.lock().unwrap();
    messages.clone()
}

/// Accepts one client, reads its question, and answers.
async fn answer(target: &TcpListener) {
    let (mut socket, _) = in_time("a connection to the target", target.accept()).await.unwrap();
    assert_eq!(in_time("the question", socket.read_u8()).await.unwrap(), b'?');
    socket.write_all(b"!").await.unwrap();
}

#[test]
fn first_bytes_go_with_open_and_opened() {
    run(async {
        let begun = Instant::now();
        loop {
            let messages = messages_of_a_short_exchange().await;
            assert_eq!(messages[0], ["Open", "Data"]);
            if messages[1] == ["Opened", "Data"] {
                return;
            }
            // On a busy machine the target may take longer than `Opened` waits for its answer.
            assert_eq!(messages[1], ["Opened"]);
            assert!(begun.elapsed() < DEADLINE, "no answer went with Opened");
        }
    });
}

/// Sends all these messages to the outlet at once.
async fn send(ctx: &Context, messages: &[Vec<u8>]) {
    ctx.send("outlet", Payload::from(&messages.concat()[..])).await.unwrap();
}

#[test]
fn an_outlet_takes_a_whole_exchange_at_once() {
    run(async {
        let mut ctx = node().await;
        let target = outlet(ctx.node()).await;
        let open = Control::Open {
            limit: Limit::new(100),
            secret: None,
            introduction: Default::default(),
        }
        .encode();
        let data = |offset, text: &[u8]| {
            [&data_header(Offset::new(offset), text.len() as u32)[..], text].concat()
        };
        let fin = Control::Fin { offset: Offset::new(11) }.encode();
        send(&ctx, &[open, data(0, b"all "), data(4, b"at once"), fin]).await;
        let (mut socket, _) = in_time("a connection to the target", target.accept()).await.unwrap();
        let mut came = String::new();
        in_time("the end", socket.read_to_string(&mut came)).await.unwrap();
        assert_eq!(came, "all at once");
        let answer = in_time("Opened", ctx.receive::<Payload>()).await.unwrap();
        assert_eq!(names(answer.body())[0], "Opened");
        drop(socket);
        ctx.stop().await.unwrap();
    });
}

/// The outlet's answers, up to the end of the stream, to an `Open` followed by `windows` windows
/// and `fin`.
async fn answer_to(windows: usize, fin: &[u8]) -> Vec<u8> {
    let mut ctx = node().await;
    let target = outlet(ctx.node()).await;
    let open =
        Control::Open { limit: Limit::new(100), secret: None, introduction: Default::default() }
            .encode();
    let window = Control::Window { limit: Limit::new(100) }.encode();
    send(&ctx, &[vec![open], vec![window; windows], vec![fin.to_vec()]].concat()).await;
    // The end of its connection is the stream's; a stream that is reset early may not connect at
    // all.
    actix::spawn(async move { target.accept().await.map(drop) });
    let mut came = Vec::new();
    while !names(&came).iter().any(|name| ["Fin", "Reset"].contains(name)) {
        let answer = in_time("an end", ctx.receive::<Payload>()).await.unwrap();
        came.extend_from_slice(answer.body());
    }
    ctx.stop().await.unwrap();
    came
}

#[test]
fn too_many_messages_at_once_reset_the_stream() {
    run(async {
        let fin = Control::Fin { offset: Offset::new(0) }.encode();
        let most = answer_to(MAX_MESSAGES - 1, &fin).await;
        assert_eq!(names(&most), ["Opened", "Fin"]);
        let reset = Control::Reset { reason: ResetReason::ProtocolViolation }.encode();
        let more = answer_to(MAX_MESSAGES, &fin).await;
        assert!(more.ends_with(&reset), "{:?}", names(&more));
    });
}
