//! Pairs of carriers, whose ends read and write when they like.

use std::{future::poll_fn, net::SocketAddr, time::Duration};

use ockam_actix_runtime::socket::stream::Socket;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::*;

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(20);

async fn sockets() -> (Socket, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap().into(), far.unwrap().0.into())
}

async fn plain() -> [WebSocket; 2] {
    let (near, far) = sockets().await;
    let end = |socket, role| WebSocket::new(ByteStream::Plain(socket), role, BytesMut::new());
    [end(near, Role::Client), end(far, Role::Server)]
}

#[cfg(feature = "tls")]
async fn in_tls() -> [WebSocket; 2] {
    use crate::tls::{ClientTls, ServerTls, TlsStream};

    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (chain, private) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, key.cert.pem()).unwrap();
    std::fs::write(&private, key.signing_key.serialize_pem()).unwrap();
    let server = ServerTls::from_pem_files(&chain, private).unwrap();
    let client = ClientTls::with_ca_file(chain).unwrap();
    let (near, far) = sockets().await;
    let (near, far) = tokio::join!(
        TlsStream::connect(near, &client, "localhost", "the server"),
        TlsStream::accept(far, &server, "the client"),
    );
    let end =
        |stream, role| WebSocket::new(ByteStream::Tls(Box::new(stream)), role, BytesMut::new());
    [end(near.unwrap(), Role::Client), end(far.unwrap(), Role::Server)]
}

/// The byte at that place of what is sent.
fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

/// Writes slices of many lengths until there were `total` bytes, or the carrier takes no more.
async fn write(carrier: &WebSocket, from: usize, total: usize, waits: bool) -> usize {
    let bytes: Vec<u8> = (0..251 + 100_000).map(byte).collect();
    let mut at = from;
    while at < total {
        let lengths = [1, 70, 3_000, at % 40_000, 200];
        let mut next = at;
        let slices = lengths.map(|length| {
            let length = length.min(total - next);
            let begin = next % 251;
            next += length;
            IoSlice::new(&bytes[begin..begin + length])
        });
        match carrier.try_write_vectored(&slices) {
            Ok(written) => at += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                match waits {
                    true => poll_fn(|task| carrier.poll_write_ready(task)).await.unwrap(),
                    // The system may not have said yet that it takes any.
                    false if at > from => return at,
                    false => carrier_is_writable(carrier).await,
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    poll_fn(|task| carrier.poll_flush(task)).await.unwrap();
    at
}

async fn carrier_is_writable(carrier: &WebSocket) {
    poll_fn(|task| carrier.poll_write_ready(task)).await.unwrap();
}

async fn read(carrier: &WebSocket, total: usize) {
    let mut at = 0;
    while at < total {
        let mut buffer = BytesMut::with_capacity(1 + at % 100_000);
        match carrier.try_read(&mut buffer) {
            Ok(0) => panic!("it ended after {at} bytes"),
            Ok(read) => {
                assert_eq!(read, buffer.len());
                assert!(buffer.iter().enumerate().all(|(n, got)| *got == byte(at + n)), "at {at}");
                at += read;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll_fn(|task| carrier.poll_read_ready(task)).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn with_pairs(test: impl AsyncFn([WebSocket; 2])) {
    actix_rt::System::new().block_on(async {
        let tests = async {
            test(plain().await).await;
            #[cfg(feature = "tls")]
            test(in_tls().await).await;
        };
        timeout(DEADLINE, tests).await.expect("the ends go on");
    });
}

#[test]
fn bytes_pass_both_ways_at_once() {
    const TOTAL: usize = 5_000_000;
    with_pairs(async |[near, far]| {
        tokio::join!(
            write(&near, 0, TOTAL, true),
            write(&far, 0, TOTAL, true),
            read(&near, TOTAL),
            read(&far, TOTAL),
        );
    });
}

#[test]
fn a_reader_that_stalls_stops_the_writer() {
    const TOTAL: usize = 64 << 20;
    with_pairs(async |ends| {
        for (writer, reader) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
            let taken = write(writer, 0, TOTAL, false).await;
            assert!(taken < TOTAL, "the carrier, or the system, has taken all");
            assert!(writer.ends.borrow().waiting.len() <= MASKED_BYTES + 14);
            // What follows goes on where the writer was stopped.
            let rest = taken + 1_000_000;
            tokio::join!(write(writer, taken, rest, true), read(reader, rest));
        }
    });
}

#[test]
fn an_end_that_goes_says_so() {
    with_pairs(async |[near, far]| {
        let write_one = write(&near, 0, 1, true);
        tokio::join!(write_one, read(&far, 1));
        drop(near);
        let mut buffer = BytesMut::with_capacity(100);
        let outcome = loop {
            match far.try_read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll_fn(|task| far.poll_read_ready(task)).await.unwrap();
                }
                outcome => break outcome,
            }
        };
        assert_eq!(outcome.unwrap(), 0);
        assert!(far.ends.borrow().incoming.is_closed, "by a frame, not by a lost socket");
    });
}
