//! The application's socket on a pair of connected sockets.

use std::{
    future::poll_fn,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    task::Poll,
    time::Duration,
};

use socket2::SockRef;
use tokio::time::timeout;

use super::*;
use crate::portal::limits::{MAX_READ_BYTES, MIN_READ_BYTES};

/// A socket as an end of a stream has it, and the application at its other side.
fn pair() -> (AppSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let application = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    let socket = tokio::net::TcpStream::from_std(socket).unwrap();
    (AppSocket::new(Some(Socket::System(socket))), application)
}

fn run<F: Future>(test: F) -> F::Output {
    let limited = async { timeout(Duration::from_secs(10), test).await.expect("10 s are enough") };
    actix_rt::System::new().block_on(limited)
}

/// The next read that finds something, an end, or a reset.
async fn read(socket: &mut AppSocket, most: usize) -> Result<AppRead, AppReset> {
    poll_fn(|task| {
        socket.begin_reads();
        loop {
            match socket.poll_readable(task) {
                Err(reset) => return Poll::Ready(Err(reset)),
                Ok(false) => return Poll::Pending,
                Ok(true) => match socket.read(most) {
                    Ok(AppRead::Nothing) => {}
                    read => return Poll::Ready(read),
                },
            }
        }
    })
    .await
}

async fn read_bytes(socket: &mut AppSocket, most: usize) -> Vec<u8> {
    match read(socket, most).await {
        Ok(AppRead::Chunk(payload)) => payload.to_vec(),
        other => panic!("bytes were expected: {other:?}"),
    }
}

/// The reset that is seen although nothing is read.
async fn reset_seen(socket: &mut AppSocket) -> AppReset {
    poll_fn(|task| match socket.poll_reset(task) {
        Ok(()) => Poll::Pending,
        Err(reset) => Poll::Ready(reset),
    })
    .await
}

fn reset(application: TcpStream) {
    SockRef::from(&application).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn full_reads_grow_and_short_ones_shrink() {
    run(async {
        let (mut socket, mut application) = pair();
        let writing = std::thread::spawn(move || {
            application.write_all(&[7; 4_000_000]).unwrap();
            application
        });
        let (mut all, mut longest) = (0, 0);
        while all < 4_000_000 {
            let read = read_bytes(&mut socket, usize::MAX).await.len();
            (all, longest) = (all + read, longest.max(read));
        }
        assert_eq!((all, longest), (4_000_000, MAX_READ_BYTES));
        let mut application = writing.join().unwrap();
        for _ in 0..10 {
            application.write_all(b"short").unwrap();
            assert_eq!(read_bytes(&mut socket, usize::MAX).await, b"short");
        }
        socket.begin_reads();
        assert_eq!(socket.next_read_bytes(), MIN_READ_BYTES);
    });
}

#[test]
fn no_read_finds_more_than_allowed() {
    run(async {
        let (mut socket, mut application) = pair();
        application.write_all(b"abcdef").unwrap();
        for part in [&b"abc"[..], b"def"] {
            assert_eq!(read_bytes(&mut socket, 3).await, part);
        }
    });
}

#[test]
fn the_end_is_told_once_after_other_turns() {
    run(async {
        let (mut socket, application) = pair();
        application.shutdown(Shutdown::Write).unwrap();
        assert!(matches!(read(&mut socket, 10).await, Ok(AppRead::End)));
        assert!(socket.has_ended());
        let turns = poll_fn(|task| match socket.poll_end(task) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        turns.await;
        assert!(!poll_fn(|task| Poll::Ready(socket.poll_end(task))).await);
    });
}

#[test]
fn writes_go_on_as_the_application_reads() {
    run(async {
        let (mut socket, mut application) = pair();
        let sent: Vec<u8> = (0..8_000_000_u32).map(|byte| (byte / 251) as u8).collect();
        socket.queue(Bytes::from(sent.clone()));
        let some = poll_fn(|task| match socket.poll_write(task) {
            0 => Poll::Pending,
            written => Poll::Ready(written),
        });
        let some = some.await;
        assert!(socket.unwritten_bytes() == sent.len() - some);
        let reading = std::thread::spawn(move || {
            let mut came = vec![0; 8_000_000];
            application.read_exact(&mut came).map(|()| came)
        });
        let rest = poll_fn(|task| {
            socket.poll_write(task);
            match socket.has_unwritten() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        });
        rest.await;
        assert!(reading.join().unwrap().unwrap() == sent, "the bytes came as they were sent");
    });
}

#[test]
fn a_reset_is_seen_while_nothing_is_read() {
    run(async {
        let (mut socket, application) = pair();
        assert_eq!(poll_fn(|task| Poll::Ready(socket.poll_reset(task))).await, Ok(()));
        reset(application);
        assert_eq!(reset_seen(&mut socket).await, AppReset { ended_first: false });
    });
}

#[test]
fn a_reset_after_an_end_tells_both() {
    run(async {
        let (mut socket, application) = pair();
        application.shutdown(Shutdown::Write).unwrap();
        assert!(matches!(read(&mut socket, 10).await, Ok(AppRead::End)));
        reset(application);
        assert_eq!(reset_seen(&mut socket).await, AppReset { ended_first: true });
    });
}

#[test]
fn a_closed_socket_resets_unless_closed_cleanly() {
    run(async {
        for (clean, end) in [(false, None), (true, Some(0))] {
            let (mut socket, mut application) = pair();
            match clean {
                true => socket.close_cleanly(),
                false => socket.close(),
            }
            assert!(!socket.is_open());
            assert_eq!(application.read(&mut [0; 10]).ok(), end, "clean: {clean}");
        }
    });
}
