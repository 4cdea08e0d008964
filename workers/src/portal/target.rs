//! Connecting to an outlet's target, with the reason when it fails.

use std::{io, net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    net::{lookup_host, TcpSocket, TcpStream},
    time::timeout,
};

use crate::portal::reason::Refusal;

/// For the target to answer.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection to the target.
pub(crate) struct NoTarget {
    /// For the other end.
    pub(crate) reason: Refusal,
    /// For the log at this end.
    pub(crate) why: String,
}

/// Connects to `target` (`host:port`), trying its addresses in turn.
pub(crate) async fn connect_target(target: String) -> Result<TcpStream, NoTarget> {
    let connecting = timeout(CONNECT_TIMEOUT, connect(&target)).await;
    connecting.unwrap_or_else(|_| {
        let why = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
        Err(NoTarget { reason: Refusal::TimedOut, why })
    })
}

async fn connect(target: &str) -> Result<TcpStream, NoTarget> {
    let unknown =
        |error: io::Error| NoTarget { reason: Refusal::NameUnknown, why: error.to_string() };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in lookup_host(target).await.map_err(unknown)? {
        match connect_to(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(no_target(last))
}

/// The socket is prepared before it connects: when the client leaves meanwhile, the target may
/// have accepted already, and has to see that reset too.
async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    prepare(&SockRef::from(&socket))?;
    socket.connect(address).await
}

fn no_target(error: io::Error) -> NoTarget {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => Refusal::TargetRefused,
        io::ErrorKind::TimedOut => Refusal::TimedOut,
        io::ErrorKind::NotFound => Refusal::NameUnknown,
        _ => Refusal::Unreachable,
    };
    NoTarget { reason, why: error.to_string() }
}

/// Sets what every application's socket has.
///
/// No delay of small writes; and `SO_LINGER` 0, so that however this program ends, be it by
/// SIGKILL, a stream that is not finished ends with a reset and never with a clean end. A finished
/// stream takes it back.
pub(crate) fn prepare(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_linger(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener};

    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_target_that_was_connected_to_in_vain_sees_a_reset_and_no_end() {
        actix_rt::System::new().block_on(async {
            let target = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut connecting = Box::pin(connect_target(target.local_addr().unwrap().to_string()));
            // The system has connected; nobody has been told.
            assert!(connecting.as_mut().now_or_never().is_none());
            let (mut accepted, _) = target.accept().unwrap();
            drop(connecting);
            accepted.set_read_timeout(Some(CONNECT_TIMEOUT)).unwrap();
            let seen = accepted.read(&mut [0]).map_err(|error| error.kind());
            assert_eq!(seen, Err(io::ErrorKind::ConnectionReset));
        });
    }
}
