//! A web application that shows what its node does: a page at `/node/`, JSON at `/node/api/v1/`,
//! and figures for Prometheus at `/node/metrics`.

use actix_web::{web, App, HttpServer};
use ockam::{console, Echoer, NodeBuilder, TcpTransport};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = NodeBuilder::new().start().await?;
    Echoer::start(&node, "echoer")?;
    TcpTransport::create(&node).await?.listen("127.0.0.1:0").await?;

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let server = HttpServer::new(move || {
        App::new()
            .route("/", web::get().to(|| async { "the application's own page\n" }))
            .service(web::scope("/node").service(console::service(&node)))
    });
    let server = server.workers(1).bind(address)?;
    println!("open http://{}/node/", server.addrs()[0]);
    server.run().await?;
    Ok(())
}
