//! Connections through proxies of HTTP and SOCKS5 that answer as a test says.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

use std::{future::Future, net::SocketAddr, time::Duration};

use ockam_actix_runtime::{socket::stream::Socket, Error};
use ockam_actix_transports::{limits::PEER_TIMEOUT, tcp::TcpConnector, Proxies};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{timeout, Instant},
};

/// A peer that only a proxy could look up.
const PEER: &str = "peer.test:4000";

/// Runs a test on a clock that jumps to whatever is awaited while no socket is ready.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(test)
}

/// Has a proxy serve one connection, and gives its address.
async fn proxy<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        serve(socket).await;
    });
    address
}

async fn open(url: &str) -> Result<Socket, Error> {
    TcpConnector::through(Proxies::through(url).unwrap()).open(PEER).await
}

/// Reads one request of HTTP.
async fn request(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

/// Reads exactly these bytes, and then answers.
async fn exchange(socket: &mut TcpStream, expected: &[u8], answer: &[u8]) {
    let mut read = vec![0; expected.len()];
    socket.read_exact(&mut read).await.unwrap();
    assert_eq!(read, expected);
    socket.write_all(answer).await.unwrap();
}

/// What the peer says first.
async fn first_words(socket: Socket) -> String {
    let mut socket = match socket {
        Socket::System(socket) => socket,
        // With the feature `testing` there is another kind.
        #[allow(unreachable_patterns)]
        _ => panic!("not a socket of the system"),
    };
    let mut read = [0; 5];
    socket.read_exact(&mut read).await.unwrap();
    String::from_utf8_lossy(&read).into_owned()
}

/// The error when a proxy of HTTP answers with these bytes and closes.
async fn http_error(url: &str, answer: &[u8]) -> String {
    let answer = answer.to_vec();
    let serve = |mut socket: TcpStream| async move {
        request(&mut socket).await;
        socket.write_all(&answer).await.unwrap();
    };
    let address = proxy(serve).await;
    let url = url.replace("PROXY", &address.to_string());
    let text = open(&url).await.unwrap_err().one_line();
    assert!(!text.contains("secret"), "{text}");
    text.replace(&address.to_string(), "PROXY")
}

#[test]
fn http_is_asked_by_name_with_credentials() {
    run(async {
        let serve = |mut socket: TcpStream| async move {
            let expected = "CONNECT peer.test:4000 HTTP/1.1\r\nHost: peer.test:4000\r\n\
                            Proxy-Authorization: Basic YWxpY2U6c2VjOnJldA==\r\n\r\n";
            assert_eq!(request(&mut socket).await, expected);
            // The peer's first words come together with the answer.
            let answer = b"HTTP/1.0 200 Connection established\r\nVia: test\r\n\r\nhello";
            socket.write_all(answer).await.unwrap();
        };
        let url = format!("http://alice:sec%3Aret@{}", proxy(serve).await);
        assert_eq!(first_words(open(&url).await.unwrap()).await, "hello");
    });
}

#[test]
fn http_may_answer_slowly() {
    run(async {
        let serve = |mut socket: TcpStream| async move {
            request(&mut socket).await;
            for byte in b"HTTP/1.1 200\r\n\r\nhello" {
                tokio::time::sleep(Duration::from_millis(100)).await;
                socket.write_all(&[*byte]).await.unwrap();
            }
        };
        let url = format!("http://{}", proxy(serve).await);
        assert_eq!(first_words(open(&url).await.unwrap()).await, "hello");
    });
}

#[test]
fn a_silent_proxy_is_given_up() {
    run(async {
        let serve = |mut socket: TcpStream| async move {
            request(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n").await;
            // Until the other side gives up.
            let _ = socket.read_u8().await;
        };
        let (address, begun) = (proxy(serve).await, Instant::now());
        let error = timeout(2 * PEER_TIMEOUT, open(&format!("http://{address}"))).await.unwrap();
        let text = error.unwrap_err().one_line();
        assert!(begun.elapsed() >= PEER_TIMEOUT, "{:?}", begun.elapsed());
        let expected =
            format!("timed out after 10s of waiting for the proxy {address} to connect to {PEER}");
        assert_eq!(text, expected);
    });
}

#[test]
fn http_refusals_say_who_whom_and_why() {
    let long = [b"HTTP/1.1 200 OK\r\nA: ", vec![b'a'; 9_000].as_slice()].concat();
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(100));
    let wrong = "the proxy PROXY refused peer.test:4000: 407 Proxy Authentication Required; ";
    for (url, answer, expected) in [
        (
            "http://PROXY",
            &b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic a\r\n\r\n"[..],
            &*format!("{wrong}put user:password@ into the proxy's URL"),
        ),
        (
            "http://alice:secret@PROXY",
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            &*format!("{wrong}the user or the password in the proxy's URL is wrong"),
        ),
        (
            "http://alice:secret@PROXY",
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n\r\n",
            "the proxy PROXY refused peer.test:4000: 407 No, by Negotiate, NTLM; only Basic is \
             supported",
        ),
        (
            "http://PROXY",
            b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>",
            "the proxy PROXY refused peer.test:4000: 502 Bad Gateway",
        ),
        ("http://PROXY", b"HTTP/1.1 403\r\n\r\n", "the proxy PROXY refused peer.test:4000: 403"),
        (
            "http://PROXY",
            b"HTTP/1.1 200",
            "the proxy PROXY has not connected to peer.test:4000: it has closed the connection",
        ),
        (
            "http://PROXY",
            &long,
            "the proxy PROXY was asked for peer.test:4000, and has sent a header that does not \
             end: see the proxy's URL",
        ),
        (
            "http://PROXY",
            many.as_bytes(),
            "the proxy PROXY was asked for peer.test:4000, and has sent something else than an \
             answer of HTTP: see the proxy's URL",
        ),
        (
            "http://PROXY",
            b"SSH-2.0-OpenSSH\r\n\r\n",
            "the proxy PROXY was asked for peer.test:4000, and has sent something else than an \
             answer of HTTP: see the proxy's URL",
        ),
    ] {
        assert_eq!(run(http_error(url, answer)), expected);
    }
}

#[test]
fn an_absent_proxy_is_named() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let text = open(&format!("socks5h://{address}")).await.unwrap_err().one_line();
        let expected = format!("cannot connect to the proxy {address} for {PEER}: Connection ref");
        assert!(text.starts_with(&expected), "{text}");
    });
}

/// The request for the peer by its name.
const BY_NAME: &[u8] = b"\x05\x01\x00\x03\x09peer.test\x0f\xa0";

#[test]
fn socks_is_asked_by_name_with_credentials() {
    run(async {
        let serve = |mut socket: TcpStream| async move {
            exchange(&mut socket, &[5, 2, 0, 2], &[5, 2]).await;
            exchange(&mut socket, b"\x01\x05alice\x06secret", &[1, 0]).await;
            // Bound to a name, and together with it the peer's first words.
            exchange(&mut socket, BY_NAME, b"\x05\x00\x00\x03\x01a\x00\x01hello").await;
        };
        let url = format!("socks5h://alice:secret@{}", proxy(serve).await);
        assert_eq!(first_words(open(&url).await.unwrap()).await, "hello");
    });
}

#[test]
fn socks_without_h_looks_names_up_here() {
    run(async {
        let text = open("socks5://127.0.0.1:1").await.unwrap_err().one_line();
        assert!(text.starts_with("cannot resolve peer.test:4000"), "{text}");
        let serve = |mut socket: TcpStream| async move {
            exchange(&mut socket, &[5, 1, 0], &[5, 0]).await;
            let answer = b"\x05\x00\x00\x04abcdefghijklmnop\x00\x01hello";
            exchange(&mut socket, &[5, 1, 0, 1, 192, 0, 2, 7, 0x0f, 0xa0], answer).await;
        };
        let proxies = Proxies::through(&format!("socks5://{}", proxy(serve).await)).unwrap();
        let socket = TcpConnector::through(proxies).open("192.0.2.7:4000").await.unwrap();
        assert_eq!(first_words(socket).await, "hello");
    });
}

/// The error when a proxy of SOCKS5 answers so to the methods, the login and the request.
async fn socks_error(url: &str, answers: [&[u8]; 3]) -> String {
    let [methods, login, request] = answers.map(<[u8]>::to_vec);
    let serve = |mut socket: TcpStream| async move {
        let mut offered = [0; 2];
        socket.read_exact(&mut offered).await.unwrap();
        socket.read_exact(&mut vec![0; usize::from(offered[1])]).await.unwrap();
        socket.write_all(&methods).await.unwrap();
        if !login.is_empty() {
            exchange(&mut socket, b"\x01\x05alice\x06secret", &login).await;
        }
        if !request.is_empty() {
            exchange(&mut socket, BY_NAME, &request).await;
        }
    };
    let address = proxy(serve).await;
    let text = open(&url.replace("PROXY", &address.to_string())).await.unwrap_err().one_line();
    assert!(!text.contains("secret"), "{text}");
    text.replace(&address.to_string(), "PROXY")
}

#[test]
fn socks_refusals_say_who_whom_and_why() {
    let anonymous = "socks5h://PROXY";
    let alice = "socks5h://alice:secret@PROXY";
    for (url, answers, expected) in [
        (
            anonymous,
            [&[5, 0xff][..], &[], &[]],
            "refused peer.test:4000: it asks for a user and a password; put user:password@ into \
             the proxy's URL",
        ),
        (
            alice,
            [&[5, 2], &[1, 1], &[]],
            "refused peer.test:4000: it does not know who asks; the user or the password in the \
             proxy's URL is wrong",
        ),
        (
            anonymous,
            [&[5, 0], &[], &[5, 2, 0, 1]],
            "refused peer.test:4000: its rules do not allow that (reply 2)",
        ),
        (
            anonymous,
            [&[5, 0], &[], &[5, 5, 0, 1]],
            "refused peer.test:4000: connection refused (reply 5)",
        ),
        (
            anonymous,
            [&[5, 0], &[], &[5, 77, 0, 1]],
            "refused peer.test:4000: for a reason that SOCKS5 does not name (reply 77)",
        ),
        (
            anonymous,
            [&[5, 0], &[], &[5, 0, 0, 9]],
            "was asked for peer.test:4000, and has sent an address of no known kind: see the \
             proxy's URL",
        ),
        (
            anonymous,
            [b"HT", &[], &[]],
            "was asked for peer.test:4000, and has sent something else than SOCKS5: see the \
             proxy's URL",
        ),
        (
            anonymous,
            [&[5, 0], &[], &[5, 0, 0]],
            "has not connected to peer.test:4000: it has closed the connection",
        ),
    ] {
        assert_eq!(run(socks_error(url, answers)), format!("the proxy PROXY {expected}"));
    }
}
