//! Portals between Unix sockets: half-close, exact ends, and the file of an inlet's socket.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream as BlockingStream},
    path::{Path, PathBuf},
};

use ockam_actix_runtime::{route, Node};
use ockam_actix_workers::portal::{inlet::listen_unix, Inlet, Outlet};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::{sleep, Duration},
};

use crate::support::{in_time, node, run, DEADLINE};

/// An inlet and an outlet of one node, both at Unix sockets.
struct Portal {
    inlet: Inlet,
    path: PathBuf,
    target: UnixListener,
    folder: tempfile::TempDir,
}

impl Portal {
    fn start(node: &Node) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("inlet"), folder.path().join("target"));
        Outlet::start(node, "outlet", format!("unix:{}", target.display())).unwrap();
        let target = UnixListener::bind(target).unwrap();
        let inlet = start_inlet(node, &path);
        assert_eq!(inlet.endpoint().to_string(), format!("unix:{}", path.display()));
        assert_eq!(inlet.address().to_string(), "0.0.0.0:0");
        Self { inlet, path, target, folder }
    }

    async fn connect(&self) -> [UnixStream; 2] {
        let connecting = async {
            let client = UnixStream::connect(&self.path).await.unwrap();
            [client, self.target.accept().await.unwrap().0]
        };
        in_time("a connection to the target", connecting).await
    }
}

fn start_inlet(node: &Node, path: &Path) -> Inlet {
    let address = format!("unix:{}", path.display());
    let listener = listen_unix(&address, 0o600).expect("it is a path").unwrap();
    Inlet::start(node, listener, route!["outlet"]).unwrap()
}

fn megabytes() -> Vec<u8> {
    (0..3_000_000u32).flat_map(|number| number.to_be_bytes()).collect()
}

#[test]
fn half_close_and_both_directions_are_exact() {
    run(async {
        let ctx = node().await;
        let portal = Portal::start(ctx.node());
        let [mut client, mut served] = portal.connect().await;
        let sent = megabytes();
        let exchange = async {
            let mut came = Vec::new();
            let question = async {
                client.write_all(&sent).await.unwrap();
                client.shutdown().await.unwrap();
            };
            let (_, read) = tokio::join!(question, served.read_to_end(&mut came));
            assert!(read.is_ok() && came == sent, "{} bytes came", came.len());
            // The other direction goes on.
            let mut answer = Vec::new();
            let answering = async {
                served.write_all(&sent).await.unwrap();
                drop(served);
            };
            let (_, read) = tokio::join!(answering, client.read_to_end(&mut answer));
            assert!(read.is_ok() && answer == sent, "{} bytes came back", answer.len());
        };
        in_time("12 MB there and back", exchange).await;
        ctx.stop().await.unwrap();
    });
}

#[test]
fn a_client_that_leaves_ends_its_target() {
    run(async {
        let ctx = node().await;
        let portal = Portal::start(ctx.node());
        let [client, mut served] = portal.connect().await;
        drop(client);
        assert_eq!(in_time("the end", served.read(&mut [0])).await.unwrap(), 0);
        let writing = async {
            while served.write_all(&[0; 1000]).await.is_ok() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        in_time("the target to see that nobody reads", writing).await;
        ctx.stop().await.unwrap();
    });
}

#[test]
fn a_missing_target_ends_the_client() {
    run(async {
        let ctx = node().await;
        let Portal { path, target, folder, inlet: _inlet } = Portal::start(ctx.node());
        drop(target);
        let mut client = UnixStream::connect(path).await.unwrap();
        assert_eq!(in_time("the end", client.read(&mut [0])).await.unwrap(), 0);
        fs::remove_file(folder.path().join("target")).unwrap();
        ctx.stop().await.unwrap();
    });
}

#[test]
fn the_file_goes_with_the_inlet() {
    run(async {
        let ctx = node().await;
        let portal = Portal::start(ctx.node());
        let mode = fs::metadata(&portal.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let [mut client, mut served] = portal.connect().await;
        portal.inlet.stop().unwrap();
        gone(&portal.path).await;
        // Open streams go on.
        client.write_all(b"still here").await.unwrap();
        let mut came = [0; 10];
        in_time("the bytes", served.read_exact(&mut came)).await.unwrap();
        let again = start_inlet(ctx.node(), &portal.path);
        BlockingStream::connect(&portal.path).unwrap();
        ctx.stop().await.unwrap();
        gone(&portal.path).await;
        drop(again);
    });
}

async fn gone(path: &Path) {
    let waiting = async {
        while path.exists() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    in_time("the file to be removed", waiting).await;
}

#[test]
fn a_place_to_listen_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let address = format!("unix:{}", path.display());
    let first = listen_unix(&address, 0o600).unwrap().unwrap();
    let error = listen_unix(&address, 0o600).unwrap().unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    drop(first);
    assert!(listen_unix("127.0.0.1:80", 0o600).is_none());
    let error = listen_unix("unix:run/s", 0o600).unwrap().unwrap_err().to_string();
    assert!(error.ends_with("did you mean unix:/run/s?"), "{error}");
}

#[test]
fn a_burst_of_clients_is_served() {
    run(async {
        let ctx = node().await;
        let portal = Portal::start(ctx.node());
        let path = portal.path.clone();
        let clients = std::thread::spawn(move || {
            let answers = (0..50).map(|_| {
                let mut client = BlockingStream::connect(&path).unwrap();
                client.set_read_timeout(Some(DEADLINE)).unwrap();
                client.write_all(b"ping").unwrap();
                client
            });
            let clients: Vec<_> = answers.collect();
            for mut client in clients {
                let mut answer = [0; 4];
                client.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"pong");
            }
        });
        let serving = async {
            for _ in 0..50 {
                let (mut served, _) = portal.target.accept().await.unwrap();
                served.read_exact(&mut [0; 4]).await.unwrap();
                served.write_all(b"pong").await.unwrap();
            }
        };
        in_time("50 clients", serving).await;
        let joined = tokio::task::spawn_blocking(|| clients.join());
        assert!(in_time("the answers", joined).await.unwrap().is_ok());
        ctx.stop().await.unwrap();
    });
}
