//! Connecting to an outlet's target, with the reason when it fails.

use std::{io, time::Duration};

use socket2::SockRef;
use tokio::{
    net::{lookup_host, TcpStream},
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
        match TcpStream::connect(address).await {
            Ok(socket) => return prepare(&socket).map(|()| socket).map_err(no_target),
            Err(error) => last = error,
        }
    }
    Err(no_target(last))
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
pub(crate) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    SockRef::from(socket).set_linger(Some(Duration::ZERO))
}
