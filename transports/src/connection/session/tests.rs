//! Slow peers, on a clock that is moved by hand: each is disconnected at its deadline, and takes no
//! more memory than it sent.

use std::future::Future;

use ockam_actix_runtime::{
    socket::stream::Socket, trust::origin::Door, Address, Message, NodeBuilder, Payload, Route,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{pause, resume, sleep, Duration},
};

use super::*;
use crate::{
    frame::{header, HEADER_BYTES},
    limits::IDLE_ASK_AFTER_ACCEPTED,
};

/// The two ends of a connection on loopback.
async fn connected() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (ours, theirs) = tokio::join!(listener.accept(), connecting);
    (ours.unwrap().0.into(), theirs.unwrap())
}

/// Runs a test with a node and a connection.
fn on_a_connection(test: impl AsyncFnOnce(Node, Socket, TcpStream)) {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let (ours, theirs) = connected().await;
        test(node.clone(), ours, theirs).await;
        node.stop().await;
    });
}

/// The same on a clock that jumps to the next timer.
fn on_a_paused_clock(test: impl AsyncFnOnce(Node, Socket, TcpStream)) {
    on_a_connection(async |node, ours, theirs| {
        pause();
        test(node, ours, theirs).await;
        resume();
    });
}

/// Sends `bytes` one by one, with a pause of `between` after each, and then keeps the connection
/// open.
async fn trickle(mut peer: TcpStream, bytes: &[u8], between: Duration) -> TcpStream {
    for byte in bytes {
        // The connection may have ended meanwhile.
        let _ = peer.write_all(&[*byte]).await;
        sleep(between).await;
    }
    sleep(Duration::from_secs(3_600)).await;
    peer
}

#[test]
fn a_small_frame_keeps_no_shared_buffer() {
    let read = |length: usize| {
        let mut arrived = BytesMut::with_capacity(MAX_READ_BYTES);
        arrived.extend_from_slice(&header(length, 1));
        arrived.resize(MAX_READ_BYTES, 7);
        let frame = next_frame(&mut arrived, MAX_READ_BYTES).unwrap().unwrap();
        let frame = copy_if_small(frame.body);
        assert_eq!(frame, vec![7; length]);
        arrived.clear();
        // Whether the whole buffer can be read into again while the frame is kept.
        let free = arrived.try_reclaim(MAX_READ_BYTES);
        drop(frame);
        free
    };
    assert!(read(1) && read(SHARED_FRAME_BYTES - 1));
    assert!(!read(SHARED_FRAME_BYTES));
}

/// The outcome of `ended`, and how long it took while `peer` ran.
async fn until_ended<T>(ended: impl Future<Output = T>, peer: impl Future) -> (T, Duration) {
    let begun = Instant::now();
    tokio::select! {
        outcome = ended => (outcome, begun.elapsed()),
        _ = peer => panic!("the connection outlived an hour"),
    }
}

async fn serve(node: Node, ours: Socket) -> Error {
    serve_with(node, ours, |_| {}).await
}

/// Serves a connection on which `send` queues something first.
async fn serve_with(node: Node, ours: Socket, send: impl FnOnce(&WriteQueue)) -> Error {
    match run_with(node, ours, send).await {
        SessionEnd::Lost(error) => error,
        SessionEnd::GoneAway => panic!("the peer has said that it stops"),
    }
}

async fn run_with(node: Node, ours: Socket, send: impl FnOnce(&WriteQueue)) -> SessionEnd {
    let session = Session::greet(ours, "the peer".into()).await.unwrap();
    let door = Door::Listener { loopback: true, exposed: Arc::default() };
    let queue = session.queue(Arc::default());
    send(&queue);
    let ingress = Ingress { via: Address::random(), door, source: None };
    let lanes = Lanes::new(usize::MAX, Vec::new());
    session.run(node, Arc::new(ingress), queue, lanes, || false).await
}

/// Deadlines are kept to the clock's granularity.
fn assert_about(measured: Duration, expected: Duration) {
    let difference = measured.abs_diff(expected);
    assert!(difference <= Duration::from_millis(10), "{measured:?} and not {expected:?}");
}

#[test]
fn a_peer_that_never_greets_is_disconnected() {
    on_a_paused_clock(async |_, ours, theirs| {
        let greeting = Session::greet(ours, "the peer".into());
        let peer = trickle(theirs, b"", Duration::ZERO);
        let (outcome, after) = until_ended(greeting, peer).await;
        assert!(matches!(outcome.err(), Some(Error::TimedOut { .. })));
        assert_about(after, GREETING_TIMEOUT);
    });
}

#[test]
fn a_trickled_greeting_does_not_move_its_deadline() {
    on_a_paused_clock(async |_, ours, theirs| {
        let greeting = Session::greet(ours, "the peer".into());
        let bytes = Greeting::ours().encode();
        let peer = trickle(theirs, &bytes, Duration::from_secs(1));
        let (outcome, after) = until_ended(greeting, peer).await;
        assert!(matches!(outcome.err(), Some(Error::TimedOut { .. })));
        assert_about(after, GREETING_TIMEOUT);
    });
}

#[test]
fn a_trickled_frame_does_not_move_its_deadline() {
    on_a_paused_clock(async |node, ours, mut theirs| {
        theirs.write_all(&Greeting::ours().encode()).await.unwrap();
        // One byte of a thousand every few seconds.
        let frame = [&header(1_000, 1)[..], &[0; 1_000]].concat();
        let peer = trickle(theirs, &frame, Duration::from_secs(4));
        let (error, after) = until_ended(serve(node, ours), peer).await;
        assert!(error.one_line().contains("timed out"), "{error}");
        assert_about(after, FRAME_TIMEOUT);
    });
}

#[test]
fn half_a_length_has_a_frames_deadline() {
    on_a_paused_clock(async |node, ours, mut theirs| {
        theirs.write_all(&Greeting::ours().encode()).await.unwrap();
        let peer = trickle(theirs, &[0, 0], Duration::from_secs(1));
        let (error, after) = until_ended(serve(node, ours), peer).await;
        assert!(error.one_line().contains("timed out"), "{error}");
        assert_about(after, FRAME_TIMEOUT);
    });
}

fn message(queue: &WriteQueue) {
    let message = Message::new("nobody".into(), Route::default(), Payload::default());
    queue.push(message).unwrap();
}

/// How long a connection lasts whose peer takes everything and says nothing, not even that it is
/// there.
fn lasts_with_a_silent_peer(send: fn(&WriteQueue), within: std::ops::Range<Duration>) {
    on_a_paused_clock(async |node, ours, mut theirs| {
        theirs.write_all(&Greeting::ours().encode()).await.unwrap();
        let peer = trickle(theirs, &[], Duration::ZERO);
        let (error, after) = until_ended(serve_with(node, ours, send), peer).await;
        assert!(error.one_line().contains("the peer has been silent for"), "{error}");
        assert!(within.contains(&after), "{after:?}");
    });
}

#[test]
fn a_silent_peer_is_noticed_within_five_seconds() {
    lasts_with_a_silent_peer(message, Duration::from_secs(4)..Duration::from_secs(5));
}

#[test]
fn an_idle_silent_peer_is_noticed_later() {
    lasts_with_a_silent_peer(|_| {}, IDLE_ASK_AFTER_ACCEPTED..Duration::from_secs(34));
}

#[test]
fn a_stopping_node_sends_everything_and_says_so() {
    on_a_connection(async |node, ours, mut theirs| {
        theirs.write_all(&Greeting::ours().encode()).await.unwrap();
        let peer = async {
            let mut arrived = BytesMut::new();
            let (mut last, mut messages) = (None, 0);
            while last != Some(Signal::GoAway) {
                assert_ne!(theirs.read_buf(&mut arrived).await.unwrap(), 0);
                while let Some(frame) = next_frame(&mut arrived, MAX_READ_BYTES).unwrap() {
                    last = Signal::decode(&frame.body).filter(|_| frame.lane == CONTROL);
                    messages += usize::from(frame.lane != CONTROL);
                }
            }
            // It takes the hint.
            drop(theirs);
            messages
        };
        let many = |queue: &WriteQueue| (0..50).for_each(|_| message(queue));
        let all = async { tokio::join!(run_with(node.clone(), ours, many), node.stop(), peer) };
        let (end, (), messages) = timeout(Duration::from_secs(10), all).await.expect("an end");
        assert!(matches!(end, SessionEnd::Lost(_)), "{end:?}");
        assert_eq!(messages, 50);
    });
}

#[test]
fn a_peer_that_stops_is_not_waited_for() {
    on_a_connection(async |node, ours, mut theirs| {
        theirs.write_all(&Greeting::ours().encode()).await.unwrap();
        theirs.write_all(&Signal::GoAway.encode()).await.unwrap();
        let end = run_with(node, ours, |_| {}).await;
        assert!(matches!(end, SessionEnd::GoneAway), "{end:?}");
        drop(theirs);
    });
}

#[test]
fn a_farewell_counts_also_before_a_reset() {
    on_a_connection(async |node, ours, mut theirs| {
        theirs.write_all(&Greeting::ours().encode()).await.unwrap();
        theirs.write_all(&Signal::GoAway.encode()).await.unwrap();
        // A peer whose program ends before all that was sent to it has been read.
        let reset = |queue: &WriteQueue| {
            theirs.set_zero_linger().unwrap();
            drop(theirs);
            message(queue);
        };
        let end = run_with(node, ours, reset).await;
        assert!(matches!(end, SessionEnd::GoneAway), "{end:?}");
    });
}

#[test]
fn a_length_alone_reserves_nothing() {
    on_a_paused_clock(async |_, ours, mut theirs| {
        theirs.write_all(&header(MAX_READ_BYTES, 1)).await.unwrap();
        let (mut arrived, mut capacity) = (BytesMut::new(), MIN_READ_BYTES);
        fill(&ours, &mut arrived, &mut capacity).await.unwrap();
        assert_eq!((arrived.len(), missing(&arrived)), (HEADER_BYTES, MAX_READ_BYTES));
        // The rest never comes.
        let waiting = timeout(FRAME_TIMEOUT, fill(&ours, &mut arrived, &mut capacity)).await;
        assert!(waiting.is_err());
        assert!(arrived.capacity() <= 2 * MIN_READ_BYTES, "{} bytes", arrived.capacity());
    });
}

#[test]
fn an_idle_connection_has_no_buffer() {
    on_a_paused_clock(async |_, ours, mut theirs| {
        let (mut arrived, mut capacity) = (BytesMut::new(), MIN_READ_BYTES);
        for _ in 0..2 {
            let waiting = timeout(FRAME_TIMEOUT, fill(&ours, &mut arrived, &mut capacity)).await;
            assert!(waiting.is_err());
            assert_eq!(arrived.capacity(), 0);
            theirs.write_all(b"x").await.unwrap();
            fill(&ours, &mut arrived, &mut capacity).await.unwrap();
            assert_eq!(&arrived[..], b"x");
            arrived.clear();
        }
    });
}

#[test]
fn a_large_frame_that_arrives_is_taken_whole() {
    on_a_paused_clock(async |_, ours, mut theirs| {
        let frame = [&header(MAX_READ_BYTES, 1)[..], &[7; MAX_READ_BYTES]].concat();
        let (mut arrived, mut capacity) = (BytesMut::new(), MIN_READ_BYTES);
        let reading = async {
            while arrived.is_empty() || missing(&arrived) > 0 {
                fill(&ours, &mut arrived, &mut capacity).await.unwrap();
                let most = 2 * arrived.len() + 2 * MAX_READ_BYTES;
                assert!(arrived.capacity() <= most, "{} bytes", arrived.capacity());
            }
        };
        let (sent, ()) = tokio::join!(theirs.write_all(&frame), reading);
        sent.unwrap();
        let whole = next_frame(&mut arrived, MAX_READ_BYTES).unwrap().unwrap();
        assert_eq!(whole.body, &frame[HEADER_BYTES..]);
    });
}

#[test]
fn only_usual_frames_end_without_room() {
    let begun = |length: usize, arrived: usize| {
        let frame = [&header(length, 1)[..], &vec![7; length]].concat();
        is_nearly_whole(&BytesMut::from(&frame[..arrived]))
    };
    assert!(begun(60 * 1024, 100), "a record");
    assert!(begun(60 * 1024, 3), "perhaps a record");
    assert!(!begun(MAX_READ_BYTES, 100_000), "a frame that no node sends as a rule");
    assert!(!begun(10, 0), "nothing has begun");
}
