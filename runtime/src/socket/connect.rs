//! Connecting to a name that has several network addresses.

use std::{future::Future, io, net::SocketAddr};

use tokio::time::{timeout, Instant};

/// Connects to the first of `addresses` that answers before `end`.
///
/// They are tried in turn, each for an equal share of the time that is left: one that does not
/// answer, such as an IPv6 address on a network without IPv6, leaves time for the next.
///
/// # Errors
/// That of the last address; [`io::ErrorKind::TimedOut`] if it did not answer,
/// [`io::ErrorKind::NotFound`] if there is no address.
pub async fn first_to_answer<T, C>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    end: Instant,
    mut connect: impl FnMut(SocketAddr) -> C,
) -> io::Result<T>
where
    C: Future<Output = io::Result<T>>,
{
    let addresses: Vec<_> = addresses.into_iter().collect();
    let mut last = io::ErrorKind::NotFound.into();
    for (left, address) in (1..=addresses.len() as u32).rev().zip(addresses) {
        let share = end.saturating_duration_since(Instant::now()) / left;
        match timeout(share, connect(address)).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(40);

    /// Port 1 does not answer, port 2 refuses, all others answer with their number.
    async fn connect(address: SocketAddr) -> io::Result<u16> {
        match address.port() {
            1 => std::future::pending().await,
            2 => Err(io::ErrorKind::ConnectionRefused.into()),
            port => Ok(port),
        }
    }

    fn tried(ports: &[u16]) -> io::Result<u16> {
        let addresses: Vec<_> = ports.iter().map(|&port| ([127, 0, 0, 1], port).into()).collect();
        actix_rt::System::new()
            .block_on(async { first_to_answer(addresses, Instant::now() + LIMIT, connect).await })
    }

    #[test]
    fn a_silent_address_leaves_time_for_the_next() {
        assert_eq!(tried(&[1, 2, 1, 3, 4]).unwrap(), 3);
    }

    #[test]
    fn the_last_address_says_why_none_answers() {
        assert_eq!(tried(&[1, 2]).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(tried(&[2, 1]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(tried(&[]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
