//! The exchange with a client that names its server, up to the request. The reply follows once the
//! outlet has answered.

use std::io;

use ockam_actix_runtime::socket::stream::Socket;
use thiserror::Error;
use tokio::time::timeout;

use crate::portal::{
    first_bytes::{read_up_to, write_all},
    limits::SOCKS_TIMEOUT,
    socks::wire::{greeting, request, Fault, Read, Reply, ACCEPTED, NONE_ACCEPTED},
    target::HostPort,
};

/// Why a client has no server.
#[derive(Debug, Error)]
pub(crate) enum NoServer {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("it has not named its server within {} s", SOCKS_TIMEOUT.as_secs())]
    TimedOut,
    #[error("it left before it had named its server: {0}")]
    Left(#[from] io::Error),
}

/// Asks a client for the server that it wants, as `host:port`. One that asks for something else is
/// told so.
///
/// # Errors
/// If it names none; the caller closes the socket.
pub(crate) async fn named_server(socket: &Socket) -> Result<String, NoServer> {
    let asked = timeout(SOCKS_TIMEOUT, ask(socket)).await;
    let named = asked.unwrap_or(Err(NoServer::TimedOut));
    if let Err(NoServer::Fault(fault)) = &named {
        turn_away(socket, fault.reply()).await;
    }
    named
}

/// Tells a client that it is not served, if anything is to be said. It is closed with an end then,
/// so that it can read that.
pub(crate) async fn turn_away(socket: &Socket, reply: Option<Reply>) {
    let _ = socket.set_resets_on_close(false);
    if let Some(reply) = reply {
        let _ = timeout(SOCKS_TIMEOUT, write_all(socket, &reply.bytes())).await;
    }
}

async fn ask(socket: &Socket) -> Result<String, NoServer> {
    if !read(socket, greeting).await? {
        write_all(socket, &NONE_ACCEPTED).await?;
        return Err(Fault::Authentication.into());
    }
    write_all(socket, &ACCEPTED).await?;
    let named = read(socket, request).await?;
    let server = HostPort::parse(&named).map_err(|_| Fault::Server)?;
    Ok(server.to_string())
}

/// Reads one message, and nothing that follows it.
async fn read<T>(
    socket: &Socket,
    parse: impl Fn(&[u8]) -> Result<Read<T>, Fault>,
) -> Result<T, NoServer> {
    let mut bytes = Vec::new();
    loop {
        match parse(&bytes)? {
            Read::Done(message) => return Ok(message),
            Read::Needs(length) => read_up_to(socket, &mut bytes, length).await?,
        }
    }
}
