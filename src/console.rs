//! A console for a node: a page, JSON, and figures for Prometheus, in any actix-web application.
//!
//! | path | what is there |
//! |---|---|
//! | `/` | a page with a live picture of the node, its neighbours, routes and streams |
//! | `/api/v1/` | the same as JSON, all of it or by part, such as `/api/v1/streams` |
//! | `/metrics` | figures as OpenMetrics text, for Prometheus |
//!
//! `docs/console.md` describes all three. The console only reads: it answers only GET and HEAD,
//! changes nothing, and shows no secret. It has no password, so put it where only people come who
//! may see it: on a loopback address, or behind the application's own authentication. As web pages
//! can have a visitor's browser ask in their place, it answers only requests for a loopback name,
//! for an IP address, or for a [name that was permitted](Console::host).
//!
//! ```no_run
//! use actix_web::{web, App, HttpServer};
//! use ockam::{console, NodeBuilder};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let node = NodeBuilder::new().start().await?;
//! HttpServer::new(move || {
//!     App::new().service(web::scope("/node").service(console::service(&node)))
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! The thread of the web server makes a snapshot for each request. It takes the node's locks only
//! to copy references, so workers do not wait for it.

pub mod api;
mod exposition;
mod guard;
mod nodes;
mod process;
mod public_text;
mod snapshot;
mod words;

use std::{io, sync::Arc};

use actix_web::{
    dev::{HttpServiceFactory, Server},
    http::header,
    middleware::from_fn,
    web::{self, Data},
    App, HttpResponse, HttpServer,
};
use ockam_actix_runtime::Node;

pub use crate::console::nodes::Nodes;
use crate::console::{api::Snapshot, guard::Hosts};

const HTML: &str = include_str!("console/page/index.html");
const STYLE: &str = include_str!("console/page/page.css");
const FORMAT: &str = include_str!("console/page/format.js");
const LAYOUT: &str = include_str!("console/page/layout.js");
const PICTURE: &str = include_str!("console/page/picture.js");
const TABLES: &str = include_str!("console/page/tables.js");
const SCRIPT: &str = include_str!("console/page/page.js");

/// The text format that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The console of `node` with the defaults of [`Console`].
pub fn service(node: &impl AsRef<Node>) -> impl HttpServiceFactory {
    Console::new(node).service()
}

/// The console of a node or several, before it is a part of a web server.
#[derive(Clone, Debug)]
#[must_use]
pub struct Console {
    nodes: Nodes,
    hosts: Hosts,
}

impl Console {
    /// The console of `node`. It does not keep the node running.
    pub fn new(node: &impl AsRef<Node>) -> Self {
        Self::of(&Nodes::of(node.as_ref()))
    }

    /// One console of all these nodes, also of those that come later: each of their figures says
    /// whose it is.
    pub fn of(nodes: &Nodes) -> Self {
        Self { nodes: nodes.clone(), hosts: Hosts::default() }
    }

    /// Answers also where it is asked for as `name`, without a port: under which name the console
    /// is reached, if it is not that of a loopback address.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.permit(name.into());
        self
    }

    /// The service, for an application or one of its scopes. Give that a path which ends without a
    /// slash; the page is at the path with one.
    pub fn service(self) -> impl HttpServiceFactory {
        let hosts = Arc::new(self.hosts);
        let asset = |text: &'static str, kind: &'static str| {
            web::to(move || async move { HttpResponse::Ok().content_type(kind).body(text) })
        };
        const JS: &str = "text/javascript; charset=utf-8";
        web::scope("")
            .app_data(Data::new(self.nodes))
            .route("", web::to(to_slash))
            .route("/", asset(HTML, "text/html; charset=utf-8"))
            .route("/page.css", asset(STYLE, "text/css; charset=utf-8"))
            .route("/format.js", asset(FORMAT, JS))
            .route("/layout.js", asset(LAYOUT, JS))
            .route("/picture.js", asset(PICTURE, JS))
            .route("/tables.js", asset(TABLES, JS))
            .route("/page.js", asset(SCRIPT, JS))
            .route("/metrics", web::to(metrics))
            .route("/api/v1/", web::to(all))
            .route("/api/v1/{part}", web::to(part))
            .wrap(from_fn(move |request, next| guard::check(hosts.clone(), request, next)))
    }

    /// Serves the console alone on `address`, such as `127.0.0.1:4090`, by a thread of its own.
    /// Returns the addresses that it is bound to, and the running server, which is to be awaited or
    /// spawned; it ends no program upon a signal.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn serve(self, address: &str) -> io::Result<(Vec<std::net::SocketAddr>, Server)> {
        let server = HttpServer::new(move || App::new().service(self.clone().service()));
        let server = server.workers(1).disable_signals().shutdown_timeout(0).bind(address)?;
        Ok((server.addrs(), server.run()))
    }
}

/// To the page, where it was asked for without the slash at the end: its parts are named relative
/// to it.
async fn to_slash(request: actix_web::HttpRequest) -> HttpResponse {
    // A relative one, as proxies may have taken a part of the path away.
    let last = request.path().rsplit('/').next().unwrap_or_default();
    let to = format!("{last}/");
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish()
}

async fn metrics(nodes: Data<Nodes>) -> HttpResponse {
    match exposition::text(nodes.all()) {
        Ok(text) => HttpResponse::Ok().content_type(OPEN_METRICS).body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn all(nodes: Data<Nodes>) -> HttpResponse {
    HttpResponse::Ok().json(Snapshot::of(&nodes.all()))
}

async fn part(nodes: Data<Nodes>, part: web::Path<String>) -> HttpResponse {
    match snapshot::part(&nodes.all(), &part) {
        Some(Ok(part)) => HttpResponse::Ok().json(part),
        Some(Err(_)) => HttpResponse::InternalServerError().finish(),
        None => HttpResponse::NotFound().body("no such part: see docs/console.md\n"),
    }
}
