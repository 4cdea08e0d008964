//! `ockam trace`: what is at each hop of a route, and where and why it breaks.

use std::time::Duration;

use clap::Args;
use ockam::{trace, Context, Error, HopRole, HopSight, Result, Trace, TraceOptions, TracedHop};
use serde_json::{json, Value};

use crate::command::{
    dial_args::DialArguments,
    identity_args::IdentityArguments,
    output::{
        complete,
        quantity::{milliseconds, short},
        say,
        table::Table,
        terminal_width,
    },
    resume_args::duration,
    route_args::RouteArgument,
    transports::Transports,
    OUTLET,
};

/// The columns of a hop.
const COLUMNS: [&str; 8] = ["", "HOP", "IS", "SETUP", "MIN", "AVG", "MAX", "MAY READ"];

/// Those of them with numbers.
const NUMBERS: [&str; 5] = ["", "SETUP", "MIN", "AVG", "MAX"];

/// Show what is at each hop of a route, how long it takes, what it may read, and where and why the
/// route breaks.
///
/// The hops are asked one after the other: the nodes on the way, the secure channel listener at the
/// end of the route, and through a secure channel with it the outlet and its target, which sees one
/// client that says nothing. The exit code is 1 if a hop fails.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam trace 'tcp#hub.example.org:4000 => FORWARDING_ADDRESS'
  ockam trace --route-file FILE --identity laptop --trust ID --json
  ockam trace --plain 'tcp#127.0.0.1:4000 => outlet' --count 10")]
pub(crate) struct Arguments {
    #[command(flatten)]
    route: RouteArgument,

    /// Open no secure channel; the route then leads to the outlet itself.
    #[arg(long)]
    plain: bool,

    /// How often to ask each hop.
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,

    /// How long to wait for an answer, a connection or a channel.
    #[arg(long, value_name = "DURATION", default_value = "6s", value_parser = duration)]
    timeout: Duration,

    /// Server to name at an outlet whose clients name it, as those of `ockam inlet --socks` do.
    #[arg(long, value_name = "HOST:PORT", default_value = "", hide_default_value = true)]
    target: String,

    /// Do not connect to the outlet's target.
    #[arg(long, conflicts_with = "target")]
    no_target: bool,

    /// Print JSON; times are in milliseconds.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    dial: DialArguments,

    #[command(flatten)]
    identity: IdentityArguments,
}

/// Traces the route, and stops the node.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    arguments.identity.check_use("without --plain", !arguments.plain)?;
    // It is wanted as long as its node.
    let _transports = Transports::create(&ctx, &arguments.dial).await?;
    let mut options = TraceOptions::along(arguments.route.route()?)
        .count(arguments.count.into())
        .within(arguments.timeout);
    let mut own = None;
    if !arguments.plain {
        let (entity, trust) = arguments.identity.open_unprinted(&ctx).await?;
        own = Some(entity.identifier());
        options = options.through_channel(&entity, trust.policy(), OUTLET);
    }
    if !arguments.no_target {
        options = options.open_stream(&arguments.target);
    }
    let found = trace(&ctx, options).await?;
    match arguments.json {
        true => say!("{:#}", as_json(&found, own.map(|own| own.to_string()))),
        false => print(&found, own.map(|own| own.to_string())),
    }
    ctx.stop().await?;
    complete()?;
    match &found.failure {
        None => Ok(()),
        Some(failure) => {
            let (number, name) =
                (found.hops.len(), found.hops.last().map_or("", |hop| &hop.name[..]));
            let reason = &failure.reason;
            let said = format!("hop {number}, {name}: {reason}; {}", failure.remedy);
            Err(Error::Other(said.into()))
        }
    }
}

fn print(found: &Trace, own: Option<String>) {
    let mut table = Table::new(COLUMNS).with_numbers(&NUMBERS);
    let last = found.hops.len();
    for (number, hop) in (1..).zip(&found.hops) {
        table.push(row(number, hop, found.failure.is_some() && number == last));
    }
    table.lines(0, terminal_width()).iter().for_each(|line| say!("{line}"));
    if let Some(peer) = found.hops.iter().find_map(|hop| hop.peer) {
        say!("the channel is with {peer}");
        if found.trusts_anyone {
            say!("  which is whoever answered: --trust names who has to");
        }
    }
    if let (Some(own), true) = (own, found.failure.is_some()) {
        say!("the identity here is {own}");
    }
    if found.failure.is_none() {
        say!("all hops answer");
    }
}

/// A hop as the cells of a row, with times in milliseconds.
fn row(number: usize, hop: &TracedHop, is_failed: bool) -> [String; COLUMNS.len()] {
    let time = |time: Option<Duration>| time.map_or_else(String::new, milliseconds);
    let (min, avg, max) = match hop.statistics() {
        Some((min, avg, max)) => (Some(min), Some(avg), Some(max)),
        None => (None, None, None),
    };
    let is = match (is_failed, &hop.peer) {
        (true, _) => "FAILS".into(),
        (false, Some(peer)) => format!("with {}", short(&peer.to_string())),
        (false, None) => role(hop.role).into(),
    };
    let sight = match hop.sight {
        HopSight::SizesOnly => "sizes only",
        HopSight::Contents => "contents",
    };
    let name = match hop.role {
        HopRole::Forwarder => short(&hop.name),
        _ => hop.name.clone(),
    };
    [number.to_string(), name, is, time(hop.setup), time(min), time(avg), time(max), sight.into()]
}

fn role(role: HopRole) -> &'static str {
    match role {
        HopRole::Node => "node",
        HopRole::Forwarder => "forwarder",
        HopRole::OtherHub => "hub",
        HopRole::Channel => "channel",
        HopRole::Target => "connected",
        _ => "worker",
    }
}

fn as_json(found: &Trace, own: Option<String>) -> Value {
    let time = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let hop = |hop: &TracedHop| {
        let statistics = hop.statistics();
        json!({
            "hop": hop.name,
            "is": role(hop.role),
            "may_read": match hop.sight {
                HopSight::SizesOnly => "sizes",
                HopSight::Contents => "contents",
            },
            "verified_identity": hop.peer.map(|peer| peer.to_string()),
            "setup_ms": hop.setup.map(time),
            "round_trips_ms": hop.round_trips.iter().copied().map(time).collect::<Vec<_>>(),
            "min_ms": statistics.map(|(min, _, _)| time(min)),
            "avg_ms": statistics.map(|(_, avg, _)| time(avg)),
            "max_ms": statistics.map(|(_, _, max)| time(max)),
        })
    };
    json!({
        "identity": own,
        "hops": found.hops.iter().map(hop).collect::<Vec<_>>(),
        "trusts_anyone": found.trusts_anyone,
        "failure": found.failure.as_ref().map(|failure| json!({
            "hop": found.hops.len(),
            "reason": failure.reason,
            "remedy": failure.remedy,
        })),
    })
}
