//! `ockam status`: what a node does, as its console tells.

use std::{io::Read, time::Duration};

use clap::Args;
use ockam::{
    console::api::{Of, Refusal, Snapshot, Status, Stream},
    Error, Result,
};

use crate::command::{
    console_args::{address, HOST, PORT},
    output::{
        quantity::{bytes, duration, short},
        say,
        table::Table,
        terminal_width,
        wrapped::wrapped,
    },
};

/// How long a console may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a refusal that are shown.
const MAX_REFUSAL: u64 = 1024;

/// Streams that are shown one by one: the latest.
const MOST_STREAMS: usize = 20;

/// Columns of prose, where no terminal has fewer.
const COLUMNS: usize = 80;

/// What stands for what is not known.
const UNKNOWN: &str = "-";

/// Show what a node does, which was started with --console.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam hub --console 4090    and then    ockam status
  ockam status 127.0.0.1:4091 --json")]
pub(crate) struct Arguments {
    /// Address of the node's console, as host:port or a port of this machine [default:
    /// 127.0.0.1:4090]
    #[arg(value_name = "ADDR")]
    console: Option<String>,

    /// Print all that the console tells, as JSON.
    #[arg(long)]
    json: bool,
}

/// Asks the console, and prints its answer.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let given = arguments.console.as_deref();
    let console = given.map_or_else(|| format!("{HOST}:{PORT}"), address);
    let answer = ask(&console)?;
    if arguments.json {
        say!("{}", answer.trim_end());
        return Ok(());
    }
    let not_understood = |_| Error::Peer {
        who: format!("the console at {console}"),
        what: "answers something else than the state of a node".into(),
    };
    let state: Snapshot = serde_json::from_str(&answer).map_err(not_understood)?;
    lines(&state, terminal_width()).iter().for_each(|line| say!("{line}"));
    Ok(())
}

fn ask(console: &str) -> Result<String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None);
    let config = config.http_status_as_error(false).build();
    let url = format!("http://{console}/api/v1/");
    let failed = |error: ureq::Error| {
        let what =
            format!("no console answers at {console} (was the node started with --console?)");
        Error::transport(what, error.into_io())
    };
    let mut response = ureq::Agent::new_with_config(config).get(&url).call().map_err(failed)?;
    if !response.status().is_success() {
        let mut said = Vec::new();
        // What could be read of it is enough.
        let _ = response.body_mut().as_reader().take(MAX_REFUSAL).read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        return Err(Error::Peer {
            who: format!("the console at {console}"),
            what: format!("answers \"{}\": {}", response.status(), said.trim()),
        });
    }
    response.body_mut().with_config().limit(u64::MAX).read_to_string().map_err(failed)
}

/// All that is shown, for a terminal of this width, or whole.
fn lines(state: &Snapshot, width: Option<usize>) -> Vec<String> {
    let columns = width.map_or(COLUMNS, |width| width.min(COLUMNS));
    let mut lines: Vec<_> = summary(state).iter().map(|line| wrapped(line, 2, columns)).collect();
    for (title, table) in tables(state).into_iter().filter(|(_, table)| !table.is_empty()) {
        lines.extend([String::new(), title]);
        lines.extend(table.lines(2, width));
    }
    lines
}

/// About the process and the nodes as a whole.
fn summary(Snapshot { node, nodes, process, listeners, .. }: &Snapshot) -> Vec<String> {
    let stand_ins = match node.stand_ins {
        0 => String::new(),
        count => format!(" and {count} of other hubs"),
    };
    let mut lines = vec![
        format!(
            "ockam {}, process {}: memory {}, processors {}, descriptors {}",
            node.version,
            process.pid,
            or_unknown(process.resident_bytes.map(bytes)),
            or_unknown(process.cpu_seconds.map(duration)),
            or_unknown(process.open_descriptors),
        ),
        format!(
            "streams {}, resumed {}; forwarders {}{stand_ins}",
            node.streams, node.resumptions, node.forwarders
        ),
        format!(
            "{} sent to other nodes, {} received; connections made again {}",
            bytes(node.sent_bytes),
            bytes(node.received_bytes),
            node.reconnects
        ),
    ];
    if nodes.len() > 1 {
        lines.push(format!("nodes {}", nodes.len()));
    }
    lines.extend(node.identities.iter().map(|identity| format!("identity {identity}")));
    lines.extend(listeners.iter().map(|one| format!("listening for nodes on {}", one.one.address)));
    lines
}

/// The tables, each with its title.
fn tables(state: &Snapshot) -> Vec<(String, Table)> {
    // A console of several nodes says whose everything is.
    let parts = Parts { have_nodes: state.nodes.len() > 1 };
    let streams = &state.streams[state.streams.len().saturating_sub(MOST_STREAMS)..];
    let more = state.node.streams.max(state.streams.len()) - streams.len();
    let streams_title = match more {
        0 => "streams".into(),
        more => format!("streams, the latest {}; {more} more are open", streams.len()),
    };
    let named = |part: &str, table| (part.to_owned(), table);
    vec![
        named(
            "connections",
            parts.table(
                ["WITH", "DIRECTION", "STATE", "TRIP", "SENT", "RECEIVED"],
                &state.connections,
                |one| {
                    [
                        one.name.clone(),
                        one.direction.name().into(),
                        link(&one.status),
                        or_unknown(one.round_trip_seconds.map(duration)),
                        bytes(one.sent_bytes),
                        bytes(one.received_bytes),
                    ]
                },
            ),
        ),
        named(
            "channels",
            parts.table(["WITH", "DIRECTION", "STATE", "OVER", "ROUTE"], &state.channels, |one| {
                [
                    or_unknown(one.peer.as_deref().map(short)),
                    one.direction.name().into(),
                    link(&one.status),
                    or_unknown(one.over.as_deref()),
                    one.route.clone(),
                ]
            }),
        ),
        named(
            "portals",
            parts.table(
                ["PORTAL", "NAME", "STREAMS", "SENT", "RECEIVED", "LEADS TO"],
                &state.portals,
                |one| {
                    [
                        one.kind.to_string(),
                        one.name.clone(),
                        with_waiting(one.streams, one.suspended),
                        bytes(one.sent_bytes),
                        bytes(one.received_bytes),
                        one.leads_to.clone(),
                    ]
                },
            ),
        ),
        (
            streams_title,
            parts.table(["CLIENT", "PORTAL", "AGE", "TRIP", "SENT", "RECEIVED"], streams, |one| {
                [
                    client(one),
                    or_unknown(one.portal.as_deref()),
                    duration(one.age_seconds),
                    or_unknown(one.round_trip_seconds.map(duration)),
                    bytes(one.sent_bytes),
                    bytes(one.received_bytes),
                ]
            }),
        ),
        named(
            "registrations",
            parts.table(["HUB", "DESTINATION", "STATE"], &state.registrations, |one| {
                [one.hub.clone(), one.destination.clone(), link(&one.status)]
            }),
        ),
        named(
            "refusals",
            parts.table(["RULE", "COUNT", "LAST", ""], &state.refusals, |one| {
                let Refusal { rule, count, last, last_seconds_ago } = one;
                let ago = last_seconds_ago.map(|seconds| format!("{} ago", duration(seconds)));
                let last = or_unknown(last.as_deref());
                [rule.to_string(), count.to_string(), or_unknown(ago), last]
            }),
        ),
    ]
}

/// How tables are made of the parts of an answer.
struct Parts {
    /// Whether a column says which node has what is in a row.
    have_nodes: bool,
}

impl Parts {
    fn table<T, const N: usize>(
        &self,
        columns: [&'static str; N],
        part: &[Of<T>],
        row: impl Fn(&T) -> [String; N],
    ) -> Table {
        let node = |text| self.have_nodes.then_some(text);
        let mut table = Table::new(node("NODE").into_iter().chain(columns));
        for Of { node: name, one } in part {
            let name = self.have_nodes.then(|| or_unknown(name.as_deref()));
            table.push(name.into_iter().chain(row(one)));
        }
        table
    }
}

/// Whether a link is up, since when, or why not.
fn link(status: &Status) -> String {
    match (status.up, &status.failure) {
        (true, _) => format!("up {}", or_unknown(status.up_seconds.map(duration))),
        (false, Some(failure)) => format!("down: {failure}"),
        (false, None) => "not up yet".into(),
    }
}

fn client(stream: &Stream) -> String {
    let state = if stream.suspended { " (waits for a path)" } else { "" };
    format!("{}{state}", or_unknown(stream.client.as_deref()))
}

fn with_waiting(streams: u64, suspended: u64) -> String {
    match suspended {
        0 => streams.to_string(),
        waiting => format!("{streams} ({waiting} waiting)"),
    }
}

fn or_unknown(known: Option<impl ToString>) -> String {
    known.map_or_else(|| UNKNOWN.to_owned(), |known| known.to_string())
}

#[cfg(test)]
mod tests;
