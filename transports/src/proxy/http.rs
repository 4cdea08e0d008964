//! HTTP's `CONNECT`, as in [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6).

use base64::{prelude::BASE64_STANDARD, Engine};
use httparse::{Response, Status, EMPTY_HEADER};
use ockam_actix_runtime::socket::stream::Socket;

use crate::{
    limits::{MAX_PROXY_HEADERS, MAX_PROXY_HEADER_BYTES},
    proxy::{
        server::Credentials,
        wire::{read_exact, write_all, Failure},
    },
};

/// Asks for a connection to `target`, `host:port`.
pub(super) async fn connect(
    socket: &Socket,
    target: &str,
    credentials: Option<&Credentials>,
) -> Result<(), Failure> {
    write_all(socket, request(target, credentials).as_bytes()).await?;
    let header = read_header(socket).await?;
    check(&header)
}

fn request(target: &str, credentials: Option<&Credentials>) -> String {
    let authorization = credentials.map_or_else(String::new, |Credentials { user, password }| {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        format!("Proxy-Authorization: Basic {encoded}\r\n")
    });
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n")
}

/// Reads until the empty line, byte after byte: what follows it is the peer's.
async fn read_header(socket: &Socket) -> Result<Vec<u8>, Failure> {
    let mut header = Vec::new();
    while !(header.ends_with(b"\r\n\r\n") || header.ends_with(b"\n\n")) {
        if header.len() == MAX_PROXY_HEADER_BYTES {
            return Err(Failure::Invalid("a header that does not end"));
        }
        let mut byte = [0];
        read_exact(socket, &mut byte).await?;
        header.extend(byte);
    }
    Ok(header)
}

/// Whether the answer's header says yes.
fn check(header: &[u8]) -> Result<(), Failure> {
    let mut headers = [EMPTY_HEADER; MAX_PROXY_HEADERS];
    let mut response = Response::new(&mut headers);
    let Ok(Status::Complete(_)) = response.parse(header) else {
        return Err(Failure::Invalid("something else than an answer of HTTP"));
    };
    let status = response.code.unwrap_or_default();
    let said = format!("{status} {}", response.reason.unwrap_or_default());
    let said = said.trim_end().to_owned();
    match status {
        200..300 => Ok(()),
        // tinyproxy answers wrong credentials with what a web server would.
        401 | 407 => {
            let names = ["proxy-authenticate", "www-authenticate"];
            let is_challenge = |name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
            let asks = response.headers.iter().filter(|header| is_challenge(header.name));
            let schemes: Vec<_> = asks.map(|one| scheme(one.value)).collect();
            if schemes.is_empty() || schemes.iter().any(|one| one.eq_ignore_ascii_case("basic")) {
                return Err(Failure::Unauthorized(said));
            }
            let schemes = schemes.join(", ");
            Err(Failure::Refused(format!("{said}, by {schemes}; only Basic is supported")))
        }
        _ => Err(Failure::Refused(said)),
    }
}

/// The first word of a challenge, which says how to authenticate.
fn scheme(challenge: &[u8]) -> String {
    let word = challenge.split(|byte| matches!(byte, b' ' | b',')).next().unwrap_or_default();
    String::from_utf8_lossy(word).into_owned()
}
