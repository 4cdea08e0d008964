//! Nodes in applications that have an event loop of their own.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use actix_web::{rt, web, App, HttpServer};
use ockam::{route, Echoer, Error, ListenOptions, NodeBuilder, TcpTransport, TCP};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn a_web_server_ends_with_its_node() {
    rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let app = || App::new().route("/", web::get().to(|| async { "hello" }));
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind("127.0.0.1:0").unwrap().run();
        let (handle, web) = (server.handle(), rt::spawn(server));
        let stopping = node.clone();
        rt::spawn(async move { stopping.stop().await });
        node.stopped().await;
        timeout(DEADLINE, handle.stop(true)).await.expect("the server stops");
        timeout(DEADLINE, web).await.expect("the server ends").unwrap().unwrap();
    });
}

#[test]
fn a_node_outlives_the_web_server_beside_it() {
    rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        Echoer::start(&node, "echoer").unwrap();
        let server = HttpServer::new(App::new).workers(1).disable_signals();
        let server = server.bind("127.0.0.1:0").unwrap().run();
        let (handle, web) = (server.handle(), rt::spawn(server));
        timeout(DEADLINE, handle.stop(true)).await.expect("the server stops");
        timeout(DEADLINE, web).await.expect("the server ends").unwrap().unwrap();
        let answer: String =
            node.ask("echoer", String::from("still here")).reply_as().await.unwrap();
        assert_eq!(answer, "still here");
        node.stop().await;
    });
}

#[test]
fn a_node_ends_with_its_servers_system() {
    rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(2).start().await.unwrap();
        Echoer::start(&node, "echoer").unwrap();
        // As the server does by itself upon Ctrl-C and SIGTERM.
        let server = HttpServer::new(App::new).workers(1).disable_signals().system_exit();
        let server = server.bind("127.0.0.1:0").unwrap().run();
        let (handle, web) = (server.handle(), rt::spawn(server));
        timeout(DEADLINE, handle.stop(true)).await.expect("the server stops");
        timeout(DEADLINE, node.stopped()).await.expect("the node ends");
        timeout(DEADLINE, web).await.expect("the server ends").unwrap().unwrap();
        let asked = node.ask("echoer", String::from("still here")).reply_as::<String>().await;
        assert!(matches!(asked, Err(Error::Stopped)), "{asked:?}");
        timeout(DEADLINE, node.stop()).await.expect("there is nothing left to stop");
    });
}

/// Starts a node that listens, asks its worker, and stops it.
async fn listen_ask_and_stop() {
    let node = NodeBuilder::new().arbiters(2).start().await.unwrap();
    Echoer::start(&node, "echoer").unwrap();
    let tcp = TcpTransport::create(&node).await.unwrap();
    let options = ListenOptions::on("127.0.0.1:0").expose("echoer");
    let listener = tcp.listen(options).await.unwrap();
    let route = route![(TCP, listener.address().to_string()), "echoer"];
    let answer: String = node.ask(route, String::from("hello")).reply_as().await.unwrap();
    assert_eq!(answer, "hello");
    timeout(DEADLINE, node.stop()).await.expect("the node stops");
}

#[test]
fn a_node_runs_without_a_system_of_actix() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for _ in 0..3 {
        runtime.block_on(async { tokio::spawn(listen_ask_and_stop()).await.unwrap() });
    }
}
