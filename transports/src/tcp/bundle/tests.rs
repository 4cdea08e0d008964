//! Bundles on sockets of this machine.

use std::time::Duration;

use tokio::{
    net::{TcpListener, TcpSocket},
    time::timeout,
};

use super::*;

/// The two ends of a bundle. The system keeps little for each part, so that writes are cut short.
async fn pair(parts: usize) -> (Bundle, Bundle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..parts {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(8 * 1024).unwrap();
        let (dialled, accepted) = tokio::join!(socket.connect(address), listener.accept());
        ours.push(Socket::from(dialled.unwrap()));
        theirs.push(Socket::from(accepted.unwrap().0));
    }
    (Bundle::new(ours), Bundle::new(theirs))
}

/// Sends `bytes` in pieces that grow and shrink.
async fn send(bundle: &Bundle, bytes: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        std::future::poll_fn(|task| bundle.poll_write_ready(task)).await?;
        let piece = &bytes[sent..(sent + 1 + sent * 7 % 150_000).min(bytes.len())];
        let (one, other) = piece.split_at(piece.len() / 3);
        match bundle.try_write_vectored(&[IoSlice::new(one), IoSlice::new(other)]) {
            Ok(taken) => sent += taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    std::future::poll_fn(|task| bundle.poll_flush(task)).await
}

async fn receive(bundle: &Bundle, length: usize) -> io::Result<BytesMut> {
    let mut all = BytesMut::new();
    while all.len() < length {
        all.reserve(100_000);
        match bundle.try_read(&mut all) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::future::poll_fn(|task| bundle.poll_read_ready(task)).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn run<T>(test: impl std::future::Future<Output = T>) -> T {
    actix_rt::System::new().block_on(async {
        timeout(Duration::from_secs(20), test).await.expect("the bundle's bytes within 20 s")
    })
}

#[test]
fn bytes_arrive_in_order_both_ways() {
    run(async {
        for parts in [2, 3, 8] {
            let (here, there) = pair(parts).await;
            let bytes: Vec<u8> = (0..5_000_000_u32).map(|at| (at / 7) as u8).collect();
            let back: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x55).collect();
            let (sent, answered, arrived, returned) = tokio::join!(
                send(&here, &bytes),
                send(&there, &back),
                receive(&there, bytes.len()),
                receive(&here, back.len()),
            );
            sent.and(answered).unwrap();
            assert!(arrived.unwrap() == bytes, "{parts} parts");
            assert!(returned.unwrap() == back, "{parts} parts");
        }
    });
}

#[test]
fn what_was_sent_arrives_before_the_end() {
    run(async {
        let (here, there) = pair(4).await;
        let bytes = vec![7; 600_000];
        let sending = async {
            send(&here, &bytes).await.unwrap();
            drop(here);
        };
        let ((), arrived) = tokio::join!(sending, receive(&there, bytes.len()));
        assert!(arrived.unwrap() == bytes);
        let end = receive(&there, 1).await.unwrap_err();
        assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    });
}

/// What a bundle of two reads whose peer sends these bytes by its first part.
async fn read_of(raw: &[u8]) -> io::Result<BytesMut> {
    let (here, there) = pair(2).await;
    here.parts[0].socket.try_write(&[IoSlice::new(raw)]).unwrap();
    drop(here);
    receive(&there, usize::MAX).await
}

#[test]
fn chunks_that_break_the_protocol_end_it() {
    run(async {
        let chunk =
            |number: u32, length: u32| [number.to_be_bytes(), length.to_be_bytes()].concat();
        let too_long = u32::try_from(CHUNK_BYTES).unwrap() + 1;
        let again = [chunk(0, 1), vec![9], chunk(0, 1), vec![9]].concat();
        for raw in [chunk(0, 0), chunk(0, too_long), chunk(u32::MAX, 1), again] {
            let error = read_of(&raw).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{raw:?}");
        }
    });
}

#[test]
fn an_end_within_a_chunk_is_an_error() {
    run(async {
        for raw in [vec![0, 0, 0], [[0, 0, 0, 0], [0, 0, 0, 5]].concat()] {
            let error = read_of(&raw).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    });
}
