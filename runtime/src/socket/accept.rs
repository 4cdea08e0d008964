//! The loop that accepts connections, and goes on after failures.

use std::{cell::Cell, future::poll_fn, io, path::Path, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, UnixListener},
    time::sleep,
};

use crate::{
    socket::{endpoint::Endpoint, listener::Listener, stream::Socket},
    trust::refusal_log::RefusalLog,
};

/// The pause after a failed attempt. Most likely descriptors ran out, and connections that end free
/// some.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// Accepts connections on `listener` and hands each to `serve`, until the future is dropped. A
/// failure is logged, as one of `who`, as often as `log` permits, and accepting goes on.
///
/// # Errors
/// Returns only if the socket cannot be used at all.
pub async fn accept_all(
    listener: Listener,
    who: &str,
    log: &RefusalLog,
    mut serve: impl FnMut(Socket, Endpoint),
) -> io::Error {
    let listener = match Accepting::new(listener) {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => serve(socket, peer),
            Err(error) => {
                log.warn(
                    "accept-failed",
                    format_args!("{who} cannot accept a connection: {error}"),
                );
                sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

/// A listener on its arbiter.
enum Accepting {
    System(TcpListener),
    Unix(UnixListener, Arc<Path>),
    /// The one that is asked first takes turns.
    Both([TcpListener; 2], Cell<bool>),
    #[cfg(feature = "testing")]
    Simulated(crate::simulated::Listener),
}

impl Accepting {
    fn new(listener: Listener) -> io::Result<Self> {
        match listener {
            Listener::System(listener) => Ok(Self::System(TcpListener::from_std(listener)?)),
            Listener::Unix(socket) => {
                let listener = UnixListener::from_std(socket.listener().try_clone()?)?;
                Ok(Self::Unix(listener, socket.path().into()))
            }
            Listener::Both([four, six]) => {
                let both = [TcpListener::from_std(four)?, TcpListener::from_std(six)?];
                Ok(Self::Both(both, Cell::new(false)))
            }
            #[cfg(feature = "testing")]
            Listener::Simulated(listener) => Ok(Self::Simulated(listener)),
        }
    }

    async fn accept(&self) -> io::Result<(Socket, Endpoint)> {
        match self {
            Self::System(listener) => {
                let (socket, peer) = listener.accept().await?;
                Ok((socket.into(), peer.into()))
            }
            Self::Unix(listener, path) => {
                let (socket, _) = listener.accept().await?;
                Ok((socket.into(), Endpoint::Unix(path.clone())))
            }
            Self::Both(both, turn) => {
                let first = turn.replace(!turn.get());
                let (socket, peer) = poll_fn(|task| {
                    let accepted = both[usize::from(first)].poll_accept(task);
                    if accepted.is_ready() {
                        return accepted;
                    }
                    both[usize::from(!first)].poll_accept(task)
                })
                .await?;
                Ok((socket.into(), peer.into()))
            }
            #[cfg(feature = "testing")]
            Self::Simulated(listener) => {
                let (socket, peer) = listener.accept().await?;
                Ok((socket.into(), peer.into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[test]
    fn each_connection_is_served_with_its_peers_address() {
        actix_rt::System::new().block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
            let log = RefusalLog::default();
            let accepting = accept_all(listener.into(), "the test", &log, |_, peer| {
                let _ = sender.send(peer);
            });
            let connecting = async {
                for _ in 0..3 {
                    let stream = TcpStream::connect(address).await.unwrap();
                    let expected = Endpoint::from(stream.local_addr().unwrap());
                    assert_eq!(served.recv().await, Some(expected));
                }
            };
            tokio::select! {
                error = accepting => panic!("accepting ended: {error}"),
                () = connecting => {}
            }
        });
    }
}
