//! Connecting to one of several peers, or to a name that has several network addresses.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use futures::{stream::FuturesUnordered, StreamExt};
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    time::{timeout_at, Instant},
};

use crate::limits::CONNECT_ATTEMPT_DELAY;

/// Why none of several attempts has succeeded.
#[derive(Debug)]
pub struct NoneAnswered<E> {
    /// Why the last one has failed of those that have.
    pub failure: Option<E>,
    /// Whether there was no time for the others.
    pub timed_out: bool,
}

/// Connects to the first of `addresses` that answers before `end`: the families of addresses in
/// turn, as [RFC 8305] advises, and otherwise as [`race`] does. So an address that does not answer,
/// such as an IPv6 one on a network without IPv6, costs little.
///
/// [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305#section-5
///
/// # Errors
/// That of the last attempt that has failed; [`io::ErrorKind::TimedOut`] if none has,
/// [`io::ErrorKind::NotFound`] if there is no address.
pub async fn first_to_answer<T, C>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    end: Instant,
    connect: impl FnMut(SocketAddr) -> C,
) -> io::Result<T>
where
    C: Future<Output = io::Result<T>>,
{
    let connected = race(families_in_turn(addresses), end, connect).await;
    connected.map_err(|none| match none {
        NoneAnswered { failure: Some(error), .. } => error,
        NoneAnswered { timed_out: true, .. } => io::ErrorKind::TimedOut.into(),
        _ => io::ErrorKind::NotFound.into(),
    })
}

/// Attempts one of `candidates` after the other until `end`, [`CONNECT_ATTEMPT_DELAY`] apart or as
/// soon as one has failed. All attempts go on until one has succeeded; the others are dropped then.
///
/// # Errors
/// If none has succeeded.
pub async fn race<A, T, E, C>(
    candidates: impl IntoIterator<Item = A, IntoIter: ExactSizeIterator>,
    end: Instant,
    mut connect: impl FnMut(A) -> C,
) -> Result<T, NoneAnswered<E>>
where
    C: Future<Output = Result<T, E>>,
{
    let mut waiting = candidates.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = None;
    loop {
        attempts.extend(waiting.next().map(&mut connect));
        let next_attempt = match waiting.len() {
            0 => end,
            _ => end.min(Instant::now() + CONNECT_ATTEMPT_DELAY),
        };
        match timeout_at(next_attempt, attempts.next()).await {
            Ok(Some(Ok(connected))) => return Ok(connected),
            Ok(Some(Err(error))) => failure = Some(error),
            Ok(None) => return Err(NoneAnswered { failure, timed_out: false }),
            Err(_) if Instant::now() >= end => {
                return Err(NoneAnswered { failure, timed_out: true });
            }
            Err(_) => {}
        }
    }
}

/// The addresses in their order, but of IPv4 and IPv6 in turn, beginning with the first one's
/// family.
fn families_in_turn(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let begins_with = addresses.peek().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.partition(|address| address.is_ipv6() == begins_with);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut in_turn = Vec::with_capacity(one.len() + other.len());
    while one.len() + other.len() > 0 {
        in_turn.extend(one.next().into_iter().chain(other.next()));
    }
    in_turn
}

/// Refuses a socket that the system has connected to itself. That happens to who dials a port of
/// its own host on which nobody listens, when the system has chosen that very port for the dialling
/// side; it would hold the port, and answer with what it is sent.
///
/// # Errors
/// [`io::ErrorKind::ConnectionRefused`], as if nothing had answered; else that of the system.
pub fn refuse_self_connected(socket: TcpStream) -> io::Result<TcpStream> {
    if socket.local_addr()? != socket.peer_addr()? {
        return Ok(socket);
    }
    // Without a linger the port would be in use for a minute more.
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    let why = "nobody listens there: the socket was connected to itself";
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, why))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// Port 1 does not answer, port 2 refuses, port 3 answers after a while, all others at once,
    /// with their number.
    async fn connect(address: SocketAddr) -> io::Result<u16> {
        match address.port() {
            1 => std::future::pending().await,
            2 => return Err(io::ErrorKind::ConnectionRefused.into()),
            3 => tokio::time::sleep(3 * CONNECT_ATTEMPT_DELAY).await,
            _ => {}
        }
        Ok(address.port())
    }

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// What came of it, and after how long, on a clock that jumps to whatever is awaited.
    fn tried(ports: &[u16]) -> (Result<u16, io::ErrorKind>, Duration) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let begun = Instant::now();
            let addresses: Vec<_> = ports.iter().map(|&port| address(port)).collect();
            let end = begun + 10 * CONNECT_ATTEMPT_DELAY;
            let outcome = first_to_answer(addresses, end, connect).await;
            (outcome.map_err(|error| error.kind()), begun.elapsed())
        })
    }

    /// So many times the delay between attempts, as the clock counts whole milliseconds.
    fn is_delays(took: Duration, delays: u32) -> bool {
        let expected = delays * CONNECT_ATTEMPT_DELAY;
        (expected..expected + Duration::from_millis(5)).contains(&took)
    }

    #[test]
    fn a_silent_address_delays_the_next_a_little() {
        let (answered, took) = tried(&[1, 2, 1, 4, 5]);
        assert_eq!(answered, Ok(4));
        assert!(is_delays(took, 2), "{took:?}");
    }

    #[test]
    fn a_slow_address_may_still_be_first() {
        let (answered, took) = tried(&[3, 1, 1, 1, 1, 4]);
        assert_eq!(answered, Ok(3));
        assert!(is_delays(took, 3), "{took:?}");
    }

    #[test]
    fn a_refusal_says_why_none_answers() {
        for ports in [[1, 2], [2, 1]] {
            let (refused, took) = tried(&ports);
            assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused));
            assert!(is_delays(took, 10), "{took:?}");
        }
        assert_eq!(tried(&[1]).0, Err(io::ErrorKind::TimedOut));
        assert_eq!(tried(&[]).0, Err(io::ErrorKind::NotFound));
        let (refused, took) = tried(&[2, 2]);
        assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused));
        assert!(is_delays(took, 0), "{took:?}");
    }

    #[test]
    fn families_are_tried_in_turn() {
        let [four, six] = ["127.0.0.1:1", "[::1]:1"].map(|text| text.parse().unwrap());
        assert_eq!(families_in_turn([six, six, six, four]), [six, four, six, six]);
        assert_eq!(families_in_turn([four, four, six]), [four, six, four]);
        assert_eq!(families_in_turn([]), []);
    }

    #[test]
    fn a_socket_connected_to_itself_is_refused() {
        actix_rt::System::new().block_on(async {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&address(0).into()).unwrap();
            let own = socket.local_addr().unwrap();
            socket.connect(&own).unwrap();
            socket.set_nonblocking(true).unwrap();
            let refused = refuse_self_connected(TcpStream::from_std(socket.into()).unwrap());
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
            let own = own.as_socket().unwrap();
            let listener = TcpListener::bind(own).expect("the port is free again");
            let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            assert!(refuse_self_connected(other).is_ok());
        });
    }
}
