//! The client's part of an exchange, through the tunnel or directly.

use crate::exchange::{send_and_receive, End, Order, Request, Seen};
use ockam_actix_harness::{
    client::connect,
    transfer::{is_reset, receive, receive_all, send},
};
use socket2::SockRef;
use std::{
    io::{self, ErrorKind, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// Opens a stream and sends the request.
pub(crate) fn open(to: SocketAddr, request: &Request, patience: Duration) -> io::Result<TcpStream> {
    let mut stream = connect(to, patience)?;
    if request.order != Order::Empty {
        stream.write_all(&request.to_bytes())?;
    }
    Ok(stream)
}

/// Carries out a whole exchange and returns what was seen. A reset that is no part of it is
/// returned like any other end; errors are a stream that stands still, wrong data, and a refused
/// connection.
pub(crate) fn exchange(to: SocketAddr, request: &Request, patience: Duration) -> io::Result<Seen> {
    let mut received = 0;
    let outcome =
        open(to, request, patience).and_then(|stream| carry_out(stream, request, &mut received));
    match outcome {
        Ok(end) => Ok(Seen { received, end }),
        Err(error) if is_reset(&error) => Ok(Seen { received, end: End::Reset }),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Ok(Seen { received, end: End::Fin })
        }
        Err(error) => Err(error),
    }
}

fn carry_out(stream: TcpStream, request: &Request, received: &mut u64) -> io::Result<End> {
    let Request { order, up, down, .. } = *request;
    match order {
        Order::ClientFirst => {
            send(&stream, up, &request.upward())?;
            stream.shutdown(Shutdown::Write)?;
            receive_all(&stream, down, &request.downward(), received)?;
        }
        Order::TargetFirst => {
            receive_all(&stream, down, &request.downward(), received)?;
            send(&stream, up, &request.upward())?;
            stream.shutdown(Shutdown::Write)?;
        }
        Order::Both => {
            let (upward, downward) = (request.upward(), request.downward());
            send_and_receive(&stream, (up, upward), (down, downward), received)?;
        }
        Order::ClientResets => {
            send(&stream, up, &request.upward())?;
            receive(&stream, down, &request.downward(), received)?;
            reset(&stream)?;
            return Ok(End::Own);
        }
        Order::TargetResets => {
            send(&stream, up, &request.upward())?;
            receive(&stream, down, &request.downward(), received)?;
            // The target resets when it has this byte, so that the reset overtakes nothing.
            (&stream).write_all(&[0])?;
            receive_all(&stream, down, &request.downward(), received)?;
        }
        Order::Hold => receive_all(&stream, down, &request.downward(), received)?,
        Order::Empty => {
            stream.shutdown(Shutdown::Write)?;
            receive_all(&stream, 0, &request.downward(), received)?;
        }
    }
    Ok(End::Fin)
}

/// Makes the stream end with a reset when it is closed.
pub(crate) fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
