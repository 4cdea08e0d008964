//! Reading the datagrams that a socket has.

use std::{cell::RefCell, io};

use ockam_actix_runtime::{trust::refusal_log::RefusalLog, Host, Node};
use socket2::SockRef;
use tokio::{net::UdpSocket, task::yield_now, time::sleep};

use crate::datagram::limits::{
    BYTES_IN_A_ROW, DATAGRAMS_IN_A_ROW, PAUSE_AFTER_FAILURE, RECEIVE_BUFFER_BYTES,
};

thread_local! {
    /// What every socket of this thread is read into: larger than any datagram.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// Makes room for bursts, as far as the system permits: a smaller buffer is no failure.
pub(crate) fn enlarge_buffer(socket: SockRef<'_>) {
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
}

/// Whether others should have their turn before another datagram is read: the connection that they
/// leave by may make room for it.
pub(crate) type GivesWay = bool;

/// Reads datagrams with `try_receive` and hands each to `take`, with its sender, until the future
/// is dropped. That the other host has no socket there, as ICMP says of what was sent before, ends
/// nothing.
///
/// # Errors
/// Returns only if the socket cannot be used at all.
pub(crate) async fn receive_all<T>(
    socket: &UdpSocket,
    who: &str,
    log: &RefusalLog,
    try_receive: impl Fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, T)>,
    mut take: impl FnMut(&[u8], T) -> GivesWay,
) -> io::Error {
    loop {
        if let Err(error) = socket.readable().await {
            return error;
        }
        let read = BUFFER.with_borrow_mut(|buffer| {
            let mut bytes = 0;
            for _ in 0..DATAGRAMS_IN_A_ROW {
                match try_receive(socket, buffer) {
                    Ok((length, from)) => {
                        bytes += length;
                        if take(&buffer[..length], from) || bytes >= BYTES_IN_A_ROW {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if is_about_another(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        match read {
            Ok(()) => yield_now().await,
            Err(error) => {
                log.warn("receive-failed", format_args!("{who} cannot receive: {error}"));
                sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

/// Sends a datagram on a connected socket, which need not be known to be ready.
///
/// # Errors
/// If the system does not take it at once.
pub(crate) fn send(socket: &UdpSocket, datagram: &[u8]) -> io::Result<()> {
    let socket = SockRef::from(socket);
    match socket.send(datagram) {
        // It was about an earlier one, and this one was not sent.
        Err(error) if is_about_another(&error) => socket.send(datagram).map(drop),
        sent => sent.map(drop),
    }
}

/// Whether an error is no news of this call: ICMP answered a datagram that was sent before, or a
/// signal came.
fn is_about_another(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | Interrupted)
}

/// Whether the sockets of `node` are the system's: a simulated network has no datagrams.
pub(crate) fn has_datagrams(node: &Node) -> bool {
    matches!(node.network(), ockam_actix_runtime::socket::network::Network::System)
}
