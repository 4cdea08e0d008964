//! nginx, with the configuration of docs/behind-nginx.md: TLS ends there, and one port serves a web
//! site and a node.
#![cfg(feature = "tls")]
// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

mod ws_peers;

use std::{
    future::IntoFuture,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    time::{Duration, Instant},
};

use ockam_actix_harness::installed::installed;
use ockam_actix_runtime::{route, Address};
use ockam_actix_transports::{ws, ListenOptions, WSS};
use tempfile::TempDir;
use ws_peers::{Authority, Pair};

/// How long nginx may take to listen.
const DEADLINE: Duration = Duration::from_secs(10);

/// The configuration that the page shows.
fn shown() -> &'static str {
    let page = include_str!("../../docs/behind-nginx.md");
    page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap()
}

/// A running nginx.
struct Nginx {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It has no other processes, and nothing to finish.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nginx {
    /// Starts one before the node at `node`. Fails if nginx is not installed.
    fn before(node: SocketAddr, authority: &Authority) -> std::io::Result<Self> {
        let program = installed("nginx")?;
        let folder = tempfile::tempdir()?;
        let (chain, key) = authority.files(folder.path(), "localhost", 2030);
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::create_dir(at("html"))?;
        std::fs::write(at("html/index.html"), "a web site")?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut server = shown().to_owned();
        for (there, here) in [
            ("443 ssl", format!("{address} ssl")),
            ("/etc/letsencrypt/live/hub.example.org/fullchain.pem", chain.display().to_string()),
            ("/etc/letsencrypt/live/hub.example.org/privkey.pem", key.display().to_string()),
            ("/var/www/html", at("html")),
            ("127.0.0.1:8080", node.to_string()),
        ] {
            assert!(server.contains(there), "the page has no {there} any more");
            server = server.replace(there, &here);
        }
        let (log, pid) = (at("error.log"), at("pid"));
        let config = format!(
            "daemon off; master_process off; pid {pid}; error_log {log};\n\
             events {{}}\nhttp {{ access_log off; {server} }}\n"
        );
        std::fs::write(at("nginx.conf"), config)?;
        let mut command = Command::new(program);
        let process = command.args(["-e", &log, "-p", &at(""), "-c", &at("nginx.conf")]).spawn()?;
        let nginx = Self { process, address, _folder: folder };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(begin.elapsed() < DEADLINE, "nginx does not listen: {}", log());
            std::thread::yield_now();
        }
        Ok(nginx)
    }
}

#[test]
fn nodes_and_a_web_site_share_a_port() {
    actix_rt::System::new().block_on(async {
        let pair = Pair::new().await;
        let options = ListenOptions::on("127.0.0.1:0/node").expose("echo");
        let listener = ws::listener::listen(pair.far.node(), options).await.unwrap();
        let authority = Authority::new("one");
        let nginx = match Nginx::before(listener.address(), &authority) {
            Ok(nginx) => nginx,
            Err(error) => return eprintln!("skipped, as nginx cannot be started: {error}"),
        };
        ws::add_with_tls(pair.near.node(), authority.client()).unwrap();
        let at = |path| Address::from((WSS, format!("localhost:{}{path}", nginx.address.port())));
        for length in [1, 1_000, 60_000] {
            pair.echo(&at("/node"), length).await;
        }
        // Many at once, each larger than what nginx buffers.
        let text = "ockam ".repeat(10_000);
        let ask = |_| {
            let asked = pair.near.ask(route![at("/node"), "echo"], text.clone());
            asked.reply_as::<String>().into_future()
        };
        for answer in futures::future::join_all((0..200).map(ask)).await {
            assert!(answer.unwrap() == text);
        }
        // The same port, and the web site at another path.
        let failure = pair.failure(&at("/")).await;
        assert!(failure.contains("200 OK"), "{failure}");
        let failure = pair.failure(&at("/none")).await;
        assert!(failure.contains("404 Not Found"), "{failure}");
    });
}
