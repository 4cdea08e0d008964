//! `ockam inlet`: a TCP server whose clients are tunnelled to an outlet.

use clap::Args;
use ockam::{route, Context, InletOptions, Result, SecureChannels, UdpInletOptions};

use crate::command::{
    elsewhere::Elsewhere,
    identity_args::IdentityArguments,
    resume_args::ResumeArguments,
    route_args::RouteArguments,
    transports::Transports,
    udp_args::{udp_address, UdpArguments, UDP},
    OUTLET,
};

/// Listen for TCP clients, and tunnel each of them to an outlet.
///
/// `ockam outlet` prints the command to use, with its route.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam inlet --listen 127.0.0.1:4001 --route 'tcp#127.0.0.1:4000 => secure_channel_listener_service'
  ockam inlet --listen 127.0.0.1:4001 --route 'tcp#hub.example.org:4000 => FORWARDING_ADDRESS'
  ockam inlet --listen 127.0.0.1:4001 --route-file FILE --resume-for 10m
  ockam inlet --listen udp://127.0.0.1:5353 --route ROUTE
  ockam inlet --listen 127.0.0.1:4001 --route ROUTE --identity laptop --trust ID")]
pub(crate) struct Arguments {
    /// Address to listen on for TCP clients, as host:port; for clients of UDP, as udp://host:port.
    #[arg(long, value_name = "ADDR")]
    listen: String,

    #[command(flatten)]
    route: RouteArguments,

    /// Do not encrypt; the route then leads to the outlet itself.
    #[arg(long)]
    plain: bool,

    #[command(flatten)]
    resume: ResumeArguments,

    #[command(flatten)]
    udp: UdpArguments,

    #[command(flatten)]
    identity: IdentityArguments,
}

/// Starts the inlet.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    arguments.identity.check_use("without --plain", !arguments.plain)?;
    let transports = Transports::create(&ctx).await?;
    let route = arguments.route.route()?;
    let route = if arguments.plain {
        route
    } else {
        let mut entity = arguments.identity.entity(&ctx).await?;
        let options = arguments.identity.channel_to(route);
        let channel = entity.create_secure_channel(options, arguments.identity.policy())?;
        route![channel, OUTLET]
    };
    if let Some(address) = udp_address(&arguments.listen) {
        let options = UdpInletOptions::on(address).idle_timeout(arguments.udp.idle_timeout);
        let inlet = transports.udp.create_inlet(options, route).await?;
        println!("inlet on {UDP}{}", inlet.address());
        return Ok(());
    }
    let options = InletOptions::on(&arguments.listen).resume_for(arguments.resume.resume_for);
    let inlet = transports.tcp.create_inlet(options, route).await?;
    println!("inlet on {}", inlet.address());
    Elsewhere::print("clients reach it at", &inlet.address().into()).await;
    Ok(())
}
