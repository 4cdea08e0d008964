//! The HTTP request that begins a WebSocket, and its answer.

use bytes::{Buf, BytesMut};
use ockam_actix_runtime::{Error, Result};
use tungstenite::{
    error::ProtocolError,
    handshake::{
        client::{generate_key, Response},
        derive_accept_key,
        machine::TryParse,
        server::{create_response, write_response, Request},
    },
    http::{header, HeaderMap, StatusCode},
    Error as WebSocketError,
};

use crate::{
    limits::MAX_HEAD_BYTES,
    ws::{byte_stream::ByteStream, carrier::WebSocket, frames::Role},
};

// ----- the end that connects ---------------------------------------------------------------------

/// Asks the server at `host` for a WebSocket at `path`. `peer` names it for people.
pub(super) async fn ask(
    mut stream: ByteStream,
    host: &str,
    path: &str,
    peer: &str,
) -> Result<WebSocket> {
    let failed = |source| Error::transport(format!("no answer from {peer}"), source);
    let refused = |what| Error::Peer { who: peer.to_owned(), what };
    let key = generate_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let head = read_head::<Response>(&mut stream).await.map_err(failed)?;
    let (response, early) = match head {
        Head::Parsed(response, early) => (response, early),
        Head::Ended => return Err(refused("ended the connection before it answered".into())),
        Head::TooLong | Head::Malformed(_) => {
            return Err(refused("did not answer as a web server does".into()));
        }
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status();
        return Err(refused(format!(
            "answered \"{status}\" to the request for a WebSocket at {path}: check the path, and \
             what serves it there"
        )));
    }
    match accepts(response.headers(), &key) {
        true => Ok(WebSocket::new(stream, Role::Client, early)),
        false => Err(refused("gave an answer that does not begin a WebSocket".into())),
    }
}

/// Whether an answer accepts the request with this key, and nothing that was not asked for.
fn accepts(headers: &HeaderMap, key: &str) -> bool {
    let is = |name, value: &str| {
        headers.get(name).is_some_and(|got| got.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    let accept = derive_accept_key(key.as_bytes());
    is(header::UPGRADE, "websocket")
        && is(header::CONNECTION, "upgrade")
        && headers.get(header::SEC_WEBSOCKET_ACCEPT).is_some_and(|got| *got == accept)
        && !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
        && !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL)
}

// ----- the end that accepts ----------------------------------------------------------------------

/// Why a request gets no WebSocket.
struct Refusal {
    status: StatusCode,
    why: &'static str,
}

/// Answers the request of a client, which `peer` names for people. With a path, it has to ask for
/// that one.
pub(super) async fn answer(
    mut stream: ByteStream,
    path: Option<&str>,
    peer: &str,
) -> Result<WebSocket> {
    let lost = |source| Error::transport(format!("lost the connection with {peer}"), source);
    let head = read_head::<Request>(&mut stream).await.map_err(lost)?;
    let refusal = match head {
        Head::Ended => return Err(lost(std::io::ErrorKind::UnexpectedEof.into())),
        Head::TooLong => {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            Refusal { status, why: "the request has too long a head" }
        }
        Head::Malformed(error) => refusal(&error),
        Head::Parsed(request, early) => match respond(&request, path) {
            Ok(response) => {
                stream.write_all(&response).await.map_err(lost)?;
                return Ok(WebSocket::new(stream, Role::Server, early));
            }
            Err(refusal) => refusal,
        },
    };
    let Refusal { status, why } = refusal;
    let text = format!("{why}\n");
    let response = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nUpgrade: websocket\r\nContent-Type: \
         text/plain\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(response.as_bytes()).await.map_err(lost)?;
    stream.end();
    Err(Error::Peer {
        who: peer.to_owned(),
        what: format!("was answered \"{status}\" over HTTP: {why}"),
    })
}

/// The bytes that accept a request, if it is acceptable.
fn respond(request: &Request, path: Option<&str>) -> Result<Vec<u8>, Refusal> {
    let refused = |status, why| Err(Refusal { status, why });
    if path.is_some_and(|path| path != request.uri().path()) {
        return refused(StatusCode::NOT_FOUND, "nothing is served at this path");
    }
    if request.headers().contains_key(header::ORIGIN) {
        // A page that a browser of this machine shows would come through its firewall.
        return refused(StatusCode::FORBIDDEN, "web pages do not connect here, only nodes do");
    }
    let mut bytes = Vec::new();
    let made = create_response(request).and_then(|response| write_response(&mut bytes, &response));
    made.map_err(|error| refusal(&error))?;
    Ok(bytes)
}

/// Why a request that is none for a WebSocket gets none.
fn refusal(error: &WebSocketError) -> Refusal {
    let (status, why) = match error {
        WebSocketError::Protocol(ProtocolError::WrongHttpMethod) => {
            (StatusCode::METHOD_NOT_ALLOWED, "only GET is served here")
        }
        WebSocketError::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => (StatusCode::UPGRADE_REQUIRED, "only WebSockets, version 13, are served here"),
        _ => (StatusCode::BAD_REQUEST, "this is no request for a WebSocket"),
    };
    Refusal { status, why }
}

// ----- both --------------------------------------------------------------------------------------

/// What has come in the place of a head.
enum Head<T> {
    /// A head, and what came after it.
    Parsed(T, BytesMut),
    /// Something else.
    Malformed(WebSocketError),
    TooLong,
    /// The end of the connection.
    Ended,
}

async fn read_head<T: TryParse>(stream: &mut ByteStream) -> std::io::Result<Head<T>> {
    let mut arrived = BytesMut::with_capacity(MAX_HEAD_BYTES);
    loop {
        if stream.read(&mut arrived).await? == 0 {
            return Ok(Head::Ended);
        }
        match T::try_parse(&arrived) {
            Ok(Some((length, head))) => {
                arrived.advance(length);
                return Ok(Head::Parsed(head, arrived));
            }
            Ok(None) if arrived.len() >= MAX_HEAD_BYTES => return Ok(Head::TooLong),
            Ok(None) => {}
            Err(error) => return Ok(Head::Malformed(error)),
        }
    }
}
