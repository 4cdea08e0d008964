//! Two ends of one connection on loopback: bytes, readiness and ends.

use std::{
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr},
    task::Waker,
};

use ockam_actix_harness::{
    datagrams::{DatagramProxy, Line},
    pattern::Pattern,
};
use quinn::Endpoint;
use tokio::time::{pause, resume, timeout, Duration};

use super::*;
use crate::quic::{endpoint, limits::MIN_RECEIVE_BYTES, NO_NAME};

const DEADLINE: Duration = Duration::from_secs(60);

/// Two carriers, the one that dialled first, and what keeps them.
struct Pair {
    near: QuicCarrier,
    far: QuicCarrier,
    _sockets: [Endpoint; 2],
    _proxy: Option<DatagramProxy>,
}

async fn pair(line: Option<Line>) -> Pair {
    let socket = endpoint::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let server = endpoint::server(socket, endpoint::server_config().unwrap()).unwrap();
    let address = server.local_addr().unwrap();
    let proxy = line.map(|line| DatagramProxy::start(address, line).unwrap());
    let address = proxy.as_ref().map_or(address, DatagramProxy::address);
    let client = endpoint::client(address).unwrap();
    let near = async {
        let connection = client.connect(address, NO_NAME).unwrap().await.unwrap();
        let streams = connection.open_bi().await.unwrap();
        let near = QuicCarrier::new(connection, streams, SharedBytes::default());
        // The other end hears of the stream with its first byte.
        write_all(&near, b"!").await;
        near
    };
    let far = async {
        let connection = server.accept().await.unwrap().await.unwrap();
        let streams = connection.accept_bi().await.unwrap();
        let far = QuicCarrier::new(connection, streams, SharedBytes::default());
        assert_eq!(read(&far, 1).await, b"!");
        far
    };
    let (near, far) = tokio::join!(near, far);
    Pair { near, far, _sockets: [server, client], _proxy: proxy }
}

/// Runs a test with both ends, within the deadline.
fn on_a_pair(test: impl AsyncFnOnce(Pair)) {
    on_a_line(None, test);
}

fn on_a_line(line: Option<Line>, test: impl AsyncFnOnce(Pair)) {
    actix_rt::System::new().block_on(async {
        let all = async { test(pair(line).await).await };
        timeout(DEADLINE, all).await.expect("the test takes too long");
    });
}

/// Writes as sessions do, from several slices.
async fn write_all(carrier: &QuicCarrier, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        poll_fn(|task| carrier.poll_write_ready(task)).await.unwrap();
        let (one, other) = bytes.split_at(bytes.len().min(1_000));
        match carrier.try_write_vectored(&[IoSlice::new(one), IoSlice::new(other)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// Reads as sessions do.
async fn read(carrier: &QuicCarrier, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = BytesMut::new();
    while all.len() < count {
        buffer.clear();
        buffer.reserve(64 * 1024);
        let room = buffer.capacity();
        match carrier.try_read(&mut buffer) {
            Ok(0) => panic!("the end after {} bytes", all.len()),
            Ok(read) if read < room => carrier.clear_read_ready(),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                poll_fn(|task| carrier.poll_read_ready(task)).await.unwrap();
            }
        }
        all.extend_from_slice(&buffer);
    }
    all
}

/// Fills the window of an end that does not read.
fn fill(carrier: &QuicCarrier) -> usize {
    let bytes = vec![7; 64 * 1024];
    let mut all = 0;
    loop {
        match carrier.try_write_vectored(&[IoSlice::new(&bytes)]) {
            Ok(written) => all += written,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return all;
            }
        }
    }
}

fn is_ready(poll: Poll<io::Result<()>>) -> bool {
    match poll {
        Poll::Ready(ready) => {
            ready.unwrap();
            true
        }
        Poll::Pending => false,
    }
}

#[test]
fn both_directions_carry_all_bytes_at_once() {
    on_a_pair(async |Pair { near, far, .. }| {
        let one = Pattern::new(1).bytes(0, 8 << 20);
        let other = Pattern::new(2).bytes(0, 8 << 20);
        let ((), (), from_far, from_near) = tokio::join!(
            write_all(&near, &one),
            write_all(&far, &other),
            read(&near, other.len()),
            read(&far, one.len()),
        );
        assert!(from_near == one && from_far == other);
    });
}

#[test]
fn a_lossy_line_changes_no_byte() {
    let ms = Duration::from_millis;
    let line = Line { delay: ms(2), jitter: ms(3), lost: 30, doubled: 30, seed: 1 };
    on_a_line(Some(line), async |Pair { near, far, .. }| {
        let bytes = Pattern::new(3).bytes(0, 1 << 20);
        let ((), read) = tokio::join!(write_all(&near, &bytes), read(&far, bytes.len()));
        assert!(read == bytes);
    });
}

/// Bytes a second that TCP brings along a line that loses one of a hundred packets, by the formula
/// of Mathis and others (1997): packets of 1,448 bytes, a round trip of 50 ms.
const TCP_ON_A_LOSSY_LINE: f64 = 1_448.0 / 0.05 * 1.22 / 0.1;

#[test]
fn a_lossy_line_brings_thrice_what_tcp_does() {
    let delay = Duration::from_millis(25);
    let line = Line { delay, lost: 10, seed: 5, ..Line::default() };
    on_a_line(Some(line), async |Pair { near, far, .. }| {
        let bytes = Pattern::new(4).bytes(0, 8 << 20);
        let begun = Instant::now();
        let ((), read) = tokio::join!(write_all(&near, &bytes), read(&far, bytes.len()));
        let rate = bytes.len() as f64 / begun.elapsed().as_secs_f64();
        assert!(read == bytes);
        assert!(rate >= 3.0 * TCP_ON_A_LOSSY_LINE, "{rate:.0} bytes a second");
    });
}

#[test]
fn a_blocked_writer_is_woken_by_reads() {
    on_a_pair(async |Pair { near, far, .. }| {
        let filled = fill(&near);
        let blocked = poll_fn(|task| Poll::Ready(near.poll_write_ready(task))).await;
        assert!(!is_ready(blocked));
        let (ready, _) =
            tokio::join!(poll_fn(|task| near.poll_write_ready(task)), read(&far, filled));
        ready.unwrap();
        assert!(fill(&near) > 0);
    });
}

#[test]
fn room_that_comes_before_asking_is_found() {
    on_a_pair(async |Pair { near, far, .. }| {
        // The last attempt has registered nobody.
        let filled = fill(&near);
        read(&far, filled).await;
        // Until an acknowledgement has arrived, of which nobody here is told.
        while !is_ready(near.poll_write_ready(&mut Context::from_waker(Waker::noop()))) {
            tokio::task::yield_now().await;
        }
        assert!(fill(&near) > 0);
    });
}

#[test]
fn bytes_that_come_before_asking_are_found() {
    on_a_pair(async |Pair { near, far, .. }| {
        let mut buffer = BytesMut::with_capacity(100);
        // These attempts register nobody.
        assert_eq!(far.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        write_all(&near, b"late").await;
        // Two ways there and back, after which the bytes have arrived.
        write_all(&far, b"ping").await;
        read(&near, 4).await;
        poll_fn(|task| far.poll_read_ready(task)).await.unwrap();
        assert_eq!(far.try_read(&mut buffer).unwrap(), 4);
        assert_eq!(buffer, b"late"[..]);
    });
}

#[test]
fn a_small_buffer_loses_nothing_of_a_packet() {
    on_a_pair(async |Pair { near, far, .. }| {
        write_all(&near, b"more than the buffer holds").await;
        let mut all = Vec::new();
        while all.len() < 26 {
            poll_fn(|task| far.poll_read_ready(task)).await.unwrap();
            let mut buffer = BytesMut::with_capacity(10);
            let read = far.try_read(&mut buffer).unwrap();
            assert!((1..=10).contains(&read) && buffer.len() == read && buffer.capacity() == 10);
            all.extend_from_slice(&buffer);
        }
        assert_eq!(all, b"more than the buffer holds");
    });
}

#[test]
fn a_peer_that_is_dropped_is_an_end() {
    on_a_pair(async |Pair { near, far, _sockets, .. }| {
        drop(near);
        poll_fn(|task| far.poll_read_ready(task)).await.unwrap();
        assert_eq!(far.try_read(&mut BytesMut::with_capacity(10)).unwrap(), 0);
        assert!(far.try_write_vectored(&[IoSlice::new(b"x")]).is_err());
    });
}

#[test]
fn a_peer_that_never_reads_is_given_up() {
    on_a_pair(async |Pair { near, far, .. }| {
        fill(&near);
        pause();
        let begun = Instant::now();
        let error = poll_fn(|task| near.poll_write_ready(task)).await.unwrap_err();
        assert!(begun.elapsed() <= PROGRESS_TIMEOUT + Duration::from_secs(1), "{error}");
        resume();
        drop(far);
    });
}

#[test]
fn an_end_that_never_reads_keeps_little() {
    on_a_pair(async |Pair { near, far, .. }| {
        let greeted = 1;
        assert_eq!((fill(&near) + greeted) as u64, MIN_RECEIVE_BYTES);
        drop(far);
    });
}

async fn datagram(carrier: &QuicCarrier) -> Bytes {
    poll_fn(|task| carrier.poll_datagram(task)).await
}

#[test]
fn datagrams_pass_beside_the_stream() {
    on_a_pair(async |Pair { near, far, .. }| {
        let parts = [b"in ".as_slice(), b"two parts"].map(IoSlice::new);
        assert!(near.try_send_datagram(&parts));
        assert_eq!(datagram(&far).await, "in two parts");
        assert!(far.try_send_datagram(&[IoSlice::new(b"back")]));
        assert_eq!(datagram(&near).await, "back");
        assert!(!near.try_send_datagram(&[IoSlice::new(&[0; 1_500])]), "more than a packet has");
        // A stream that the other end does not read holds none up.
        fill(&near);
        assert!(near.try_send_datagram(&[IoSlice::new(b"past it")]));
        assert_eq!(datagram(&far).await, "past it");
    });
}

#[test]
fn datagrams_without_room_wait_for_the_path() {
    const COUNT: u32 = 500;
    on_a_pair(async |Pair { near, far, .. }| {
        let mut waited = 0;
        let sending = async {
            for number in 0..COUNT {
                let bytes = [&number.to_be_bytes()[..], &[7; 1_000]].concat();
                assert!(near.try_send_datagram(&[IoSlice::new(&bytes)]));
                let room = poll_fn(|task| Poll::Ready(near.poll_datagram_room(task))).await;
                waited += u32::from(room.is_pending());
                poll_fn(|task| near.poll_datagram_room(task)).await;
            }
            loop {
                // Until it comes.
                near.try_send_datagram(&[IoSlice::new(&(COUNT - 1).to_be_bytes())]);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let receiving = async {
            let mut last = None;
            // The receiver's system, or this end, may drop some.
            while last != Some(COUNT - 1) {
                let came = datagram(&far).await;
                let number = u32::from_be_bytes(*came.first_chunk().unwrap());
                assert!(last.is_none_or(|last| number > last), "in order on this path");
                last = Some(number);
            }
        };
        tokio::select! {
            biased;
            () = receiving => {}
            () = sending => unreachable!("it goes on"),
        }
        assert!(waited > 0, "more was sent at once than the carrier keeps");
    });
}
