//! A web server that speaks HTTP/2 without TLS: it serves the pattern, and compares uploads with
//! it. It is written on `h2` itself, as actix-web builds on a version that is not kept up any more.

use std::{future::poll_fn, net::SocketAddr, thread};

use bytes::Bytes;
use h2::{
    server::{handshake, SendResponse},
    Error, RecvStream, SendStream,
};
use http::{Method, Request, Response};
use ockam_actix_harness::{pattern::Pattern, transfer::next_chunk};
use tokio::net::{TcpListener, TcpStream};

use super::http::SEED;

/// Starts it, in a thread of its own that ends with the tests.
pub(super) fn start_server() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        actix_rt::System::new().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                actix_rt::spawn(serve(socket));
            }
        });
    });
    address
}

async fn serve(socket: TcpStream) {
    let mut connection = handshake(socket).await.unwrap();
    // A client that leaves without a word is an error, and has got what it wanted.
    while let Some(Ok((request, respond))) = connection.accept().await {
        actix_rt::spawn(async move {
            answer(request, respond).await.unwrap_or_else(|error| eprintln!("{error}"));
        });
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Error> {
    let (head, body) = request.into_parts();
    if head.method == Method::PUT {
        let said = take(body).await?;
        let mut stream = respond.send_response(Response::new(()), false)?;
        return send(&mut stream, said.into(), true).await;
    }
    let count: u64 = head.uri.path().trim_start_matches('/').parse().unwrap();
    let mut stream = respond.send_response(Response::new(()), false)?;
    let (mut given, pattern) = (0, Pattern::new(SEED));
    while given < count {
        let chunk = Bytes::from(next_chunk(&pattern, given, count - given));
        given += chunk.len() as u64;
        send(&mut stream, chunk, given == count).await?;
    }
    Ok(())
}

/// Sends the bytes as the client makes room for them.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes, end: bool) -> Result<(), Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(room) = poll_fn(|task| stream.poll_capacity(task)).await else { return Ok(()) };
        let part = bytes.split_to(room?.min(bytes.len()));
        stream.send_data(part, end && bytes.is_empty())?;
    }
    Ok(())
}

async fn take(mut body: RecvStream) -> Result<String, Error> {
    let (mut taken, pattern) = (0, Pattern::new(SEED));
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        if let Err(at) = pattern.check(taken, &chunk) {
            return Ok(format!("wrong at {at}"));
        }
        taken += chunk.len() as u64;
        body.flow_control().release_capacity(chunk.len())?;
    }
    Ok(format!("took {taken}"))
}
