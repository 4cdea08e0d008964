//! A web application with a node: its handler asks a worker on another node, through a secure
//! channel, and answers with what the worker said.

use actix_web::{get, web, App, HttpServer, Responder};
use ockam::{route, Echoer, Entity, NodeBuilder, Route, SecureChannels, TcpTransport};
use ockam::{Node, TrustEveryonePolicy, Vault, TCP};

/// What handlers need: the node, and the route to the worker.
struct Remote {
    node: Node,
    worker: Route,
}

#[get("/{text}")]
async fn ask(text: web::Path<String>, remote: web::Data<Remote>) -> impl Responder {
    match remote.node.ask(remote.worker.clone(), text.into_inner()).reply_as::<String>().await {
        Ok(answer) => format!("the remote worker says: {answer}\n"),
        Err(error) => format!("the remote worker does not answer: {error}\n"),
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Another node, which would run elsewhere.
    let there = NodeBuilder::new().start_with_context().await?;
    Echoer::start(there.node(), "echoer")?;
    Entity::create(&there, &Vault::create(&there)?)?
        .create_secure_channel_listener("listener", TrustEveryonePolicy)?;
    let listener = TcpTransport::create(&there).await?.listen("127.0.0.1:0").await?;

    // The application's own node, inside the System that the web server runs in.
    let here = NodeBuilder::new().start_with_context().await?;
    TcpTransport::create(&here).await?;
    let channel = Entity::create(&here, &Vault::create(&here)?)?.create_secure_channel(
        route![(TCP, listener.address().to_string()), "listener"],
        TrustEveryonePolicy,
    )?;
    let remote = Remote { node: here.node().clone(), worker: route![channel, "echoer"] };
    let remote = web::Data::new(remote);

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let server = HttpServer::new(move || App::new().app_data(remote.clone()).service(ask));
    let server = server.workers(1).bind(address)?;
    println!("try: curl http://{}/hello", server.addrs()[0]);
    server.run().await?;
    Ok(())
}
