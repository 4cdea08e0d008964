//! A node in an actix-web application: whichever is stopped first takes the other with it.
use actix_web::{get, rt, web, App, HttpServer};
use ockam::{Echoer, Node, NodeBuilder};

#[get("/{text}")]
async fn ask(text: web::Path<String>, node: web::Data<Node>) -> String {
    let answer = node.ask("echoer", text.into_inner()).reply_as::<String>().await;
    answer.unwrap_or_else(|error| error.to_string())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = NodeBuilder::new().start().await?;
    Echoer::start(&node, "echoer")?;
    let data = web::Data::new(node.clone());
    let server = HttpServer::new(move || App::new().app_data(data.clone()).service(ask));
    let server = server.workers(1).bind("127.0.0.1:0")?;
    println!("try: curl http://{}/hello", server.addrs()[0]);
    let server = server.run();
    let (handle, web) = (server.handle(), rt::spawn(server));
    tokio::select! {
        ended = web => ended??, // Ctrl-C and SIGTERM end the server, and the System with the node.
        () = node.stopped() => handle.stop(true).await,
    }
    node.stop().await;
    Ok(())
}
