//! curl and a web server, over HTTP/1.1 and HTTP/2.

use std::{fs, net::SocketAddr, path::Path, sync::mpsc, thread};

use actix_web::{
    error::ErrorBadRequest,
    web::{get, put, Bytes, Path as PathOf, Payload},
    App, HttpResponse, HttpServer,
};
use futures::{stream, StreamExt};

use super::{are_installed, http2, succeed, through, within_a_minute};
use ockam_actix_harness::{
    deadline::PATIENCE,
    pattern::Pattern,
    transfer::{next_chunk, send},
};

use crate::tunnel::Step;

const BYTES: u64 = 20_000_000;
pub(super) const SEED: u64 = 5;

const DOWNLOADS: usize = 5;

/// A web server for HTTP/1.1 that serves the pattern, and compares uploads with it.
fn start_server() -> SocketAddr {
    let (started, address) = mpsc::channel();
    thread::spawn(move || {
        actix_rt::System::new().block_on(async {
            let app = || App::new().route("/{count}", get().to(give)).route("/", put().to(take));
            let server = HttpServer::new(app).workers(1).disable_signals();
            let server = server.bind("127.0.0.1:0").unwrap();
            started.send(server.addrs()[0]).unwrap();
            server.run().await.unwrap();
        });
    });
    address.recv_timeout(PATIENCE).expect("the web server starts")
}

async fn give(count: PathOf<u64>) -> HttpResponse {
    let (count, pattern) = (count.into_inner(), Pattern::new(SEED));
    let chunks = stream::unfold((0, pattern), move |(given, pattern)| async move {
        let left = count - given;
        let chunk = Bytes::from(next_chunk(&pattern, given, left));
        let given = given + chunk.len() as u64;
        (left > 0).then_some((Ok::<_, actix_web::Error>(chunk), (given, pattern)))
    });
    HttpResponse::Ok().streaming(chunks)
}

async fn take(mut body: Payload) -> actix_web::Result<String> {
    let (mut taken, pattern) = (0, Pattern::new(SEED));
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        pattern.check(taken, &chunk).map_err(|at| ErrorBadRequest(format!("wrong at {at}")))?;
        taken += chunk.len() as u64;
    }
    Ok(format!("took {taken}"))
}

/// A file with the pattern's first bytes.
fn write_pattern(file: &Path) {
    let mut bytes = Vec::new();
    send(&mut bytes, BYTES, &Pattern::new(SEED)).unwrap();
    fs::write(file, bytes).unwrap();
}

fn is_pattern(file: &Path) -> bool {
    let bytes = fs::read(file).unwrap();
    bytes.len() as u64 == BYTES && Pattern::new(SEED).check(0, &bytes).is_ok()
}

/// Runs downloads, `at_once` at a time, and an upload.
fn carries(step: Step, server: fn() -> SocketAddr, version: &str, at_once: usize) {
    if !are_installed(&["curl"]) {
        return;
    }
    through(step, server(), |inlet| {
        let folder = tempfile::tempdir().unwrap();
        let curl = || {
            let mut curl = within_a_minute("curl");
            curl.args(["-sS", "--fail", "--noproxy", "*", version]);
            curl
        };
        let files: Vec<_> = (0..DOWNLOADS).map(|i| folder.path().join(i.to_string())).collect();
        for files in files.chunks(at_once) {
            let mut down = curl();
            down.arg("--parallel");
            for file in files {
                down.arg("-o").arg(file).arg(format!("http://{inlet}/{BYTES}"));
            }
            succeed(&mut down);
        }
        assert!(files.iter().all(|file| is_pattern(file)));

        let file = folder.path().join("up");
        write_pattern(&file);
        let written = succeed(curl().arg("-T").arg(&file).arg(format!("http://{inlet}")).args([
            "-w",
            " over %{http_version}",
            "--request-target",
            "/",
        ]));
        let number = if version.contains('2') { "2" } else { "1.1" };
        assert_eq!(written, format!("took {BYTES} over {number}"));
    });
}

pub(super) fn one(step: Step) {
    carries(step, start_server, "--http1.1", DOWNLOADS);
}

/// One download for each curl: the 7.88 of Debian 12 fails with more, on a direct connection too.
pub(super) fn two(step: Step) {
    carries(step, http2::start_server, "--http2-prior-knowledge", 1);
}
