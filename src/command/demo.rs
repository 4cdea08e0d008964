//! `ockam demo`: the guide's last step in one process, with a picture of what happened.
//!
//! A web server, a hub, an outlet node and an inlet node talk over real sockets. Taps between the
//! two private nodes and the hub record what passes, so that what the hub can read is checked and
//! not just claimed.
//!
//! With `--kill-hub` the hub is a process of its own, which is killed in the middle of a long page.

mod download;
mod grouped;
mod hub_process;
mod picture;
mod story;
mod tap;
mod tunnel;
mod web;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use clap::Args;
use ockam::{
    Context, Error, ForwardingOptions, ForwardingService, NodeBuilder, Result, TcpTransport,
};
use ockam_actix_runtime::Host;

use crate::command::{
    demo::{
        download::Download,
        hub_process::HubProcess,
        picture::Picture,
        story::{Story, HUB_AWAY},
        tunnel::{Tunnel, TunnelOptions},
        web::WebServer,
    },
    output::say,
    resume_args::ResumeArguments,
};

/// Lines of the page through which the hub is killed: 12 MB, which take three seconds and as long
/// as the hub is away.
const LONG_PAGE: usize = 180_000;

/// How often to look whether somebody has killed the hub.
const LOOKING: Duration = Duration::from_millis(100);

/// Any free port of this machine.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Tunnel a web page between two private nodes, through a hub that cannot read it.
///
/// A web server, a hub and both nodes run in this process and talk over real sockets. A picture
/// shows the route of the page, and what the hub saw.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam demo --once
  ockam demo --kill-hub
  ockam demo --kill-hub --resume-for 0")]
pub(crate) struct Arguments {
    /// Exit once the page is fetched, instead of staying up for your own curl.
    #[arg(long)]
    once: bool,

    /// Fetch a long page, and kill the hub in the middle of it, with SIGKILL.
    ///
    /// The hub is a process of its own then, and is started again after a second. Each line of the
    /// story is printed as it happens. If the page is not complete in the end, byte for byte, the
    /// command fails.
    #[arg(long)]
    kill_hub: bool,

    /// Address for the inlet to listen on, as host:port; port 0 means any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: String,

    #[command(flatten)]
    resume: ResumeArguments,
}

/// Starts everything, fetches the page and draws the route that it took.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    let demonstration = async {
        match arguments.kill_hub {
            true => with_hub_killed(&arguments).await,
            false => with_hub_here(&arguments).await,
        }
    };
    tokio::select! {
        ended = demonstration => ended?,
        // Ctrl-C, also in the middle of the page.
        () = ctx.node().stopping() => {}
    }
    ctx.node().stop().await;
    Ok(())
}

/// Everything in this process.
async fn with_hub_here(arguments: &Arguments) -> Result<()> {
    // A node that neither end trusts.
    let hub = NodeBuilder::new().arbiters(1).start().await?;
    ForwardingService::start(&hub, ForwardingOptions::new())?;
    let listener = TcpTransport::create(&hub).await?.listen(ANY_PORT.to_string()).await?;

    let target = WebServer::start(1).await?;
    let tunnel = start_tunnel(arguments, &target, listener.address()).await?;
    let begun = Instant::now();
    let page = Download::begin(tunnel.url()).rest().await?;
    draw(&tunnel, &target, listener.address(), page, begun.elapsed())?;
    if !arguments.once {
        say!("Try it yourself:  curl {}    (stop with Ctrl-C)", tunnel.url());
        std::future::pending().await
    }
    tunnel.stop().await;
    hub.stop().await;
    Ok(())
}

/// The hub in a process of its own, which is killed in the middle of a long page.
async fn with_hub_killed(arguments: &Arguments) -> Result<()> {
    let mut hub = HubProcess::start(ANY_PORT).await?;
    let target = WebServer::start(LONG_PAGE).await?;
    let tunnel = start_tunnel(arguments, &target, hub.address()).await?;
    say!("");
    let (page, taken) = Story::begin(tunnel.url(), target.page()).tell(&mut hub).await?;
    draw(&tunnel, &target, hub.address(), page, taken)?;
    if !arguments.once {
        say!("Try it yourself:  curl -o page {}    (stop with Ctrl-C)", tunnel.url());
        keep_alive(&mut hub).await?;
    }
    tunnel.stop().await;
    Ok(())
}

async fn start_tunnel(
    arguments: &Arguments,
    target: &WebServer,
    hub: SocketAddr,
) -> Result<Tunnel> {
    let (listen, resume_for) = (&arguments.listen[..], arguments.resume.resume_for);
    Tunnel::start(TunnelOptions { target: target.address(), hub, listen, resume_for }).await
}

fn draw(
    tunnel: &Tunnel,
    target: &WebServer,
    hub: SocketAddr,
    page: String,
    taken: Duration,
) -> Result<()> {
    let picture = Picture {
        inlet: tunnel.inlet.address(),
        hub,
        target: target.address(),
        inlet_identity: tunnel.inlet_identity,
        outlet_identity: tunnel.outlet_identity,
        forwarding_address: tunnel.forwarding_address.clone(),
        page,
        taken,
        to_hub: tunnel.inlet_tap.seen(),
        from_hub: tunnel.outlet_tap.seen(),
    };
    say!("{}", picture.draw().trim_end_matches('\n'));
    match picture.is_as_claimed() {
        true => Ok(()),
        false => Err(Error::Bug("the demonstration did not show what it claims".into())),
    }
}

/// Starts another hub whenever somebody has killed it; never returns otherwise.
async fn keep_alive(hub: &mut HubProcess) -> Result<()> {
    say!("and meanwhile:    kill -9 {}", hub.id());
    loop {
        while hub.is_running() {
            tokio::time::sleep(LOOKING).await;
        }
        tokio::time::sleep(HUB_AWAY).await;
        *hub = HubProcess::start(hub.address()).await?;
        say!("The hub is back:  kill -9 {}", hub.id());
    }
}
