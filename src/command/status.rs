//! `ockam status`: what a node does, as its console tells.

mod table;

use std::{io::Read, time::Duration};

use clap::Args;
use ockam::{Error, Result};
use serde_json::Value;

use crate::command::{
    console_args::{address, HOST, PORT},
    output::say,
    status::table::{bytes, duration, short, Table},
};

/// How long a console may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a refusal that are shown.
const MAX_REFUSAL: u64 = 1024;

/// Streams that are shown one by one.
const MOST_STREAMS: usize = 20;

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
    let state: Value = serde_json::from_str(&answer).map_err(not_understood)?;
    summary(&state);
    tables(&state).iter().filter(|table| !table.is_empty()).for_each(|table| say!("\n{table}"));
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

/// One line about the process, and one about the node.
fn summary(state: &Value) {
    let (node, process) = (&state["node"], &state["process"]);
    say!(
        "ockam {}, process {}: {} of memory, {} of processors, {} descriptors",
        text(&node["version"]),
        process["pid"],
        bytes(&process["resident_bytes"]),
        duration(&process["cpu_seconds"]),
        process["open_descriptors"],
    );
    let stand_ins = node["stand_ins"].as_u64().filter(|count| *count > 0);
    let of_others =
        stand_ins.map_or_else(String::new, |count| format!(" and {count} of other hubs"));
    say!(
        "streams {}, forwarders {}{of_others}; {} sent to other nodes, {} received; lost and made \
         again {}, streams resumed {}",
        node["streams"],
        node["forwarders"],
        bytes(&node["sent_bytes"]),
        bytes(&node["received_bytes"]),
        node["reconnects"],
        node["resumptions"],
    );
    if let Some(nodes) = state["nodes"].as_array().filter(|nodes| nodes.len() > 1) {
        say!("nodes {}", nodes.len());
    }
    each(&node["identities"], |identity| say!("identity {}", text(identity)));
    each(&state["listeners"], |one| say!("listening for nodes on {}", text(&one["address"])));
}

fn tables(state: &Value) -> Vec<Table> {
    let mut all = Vec::new();
    // A console of several nodes says whose everything is.
    let has_several = state["nodes"].as_array().is_some_and(|nodes| nodes.len() > 1);
    let with_node = |first: String, others: Vec<String>| match has_several {
        true => [vec![first], others].concat(),
        false => others,
    };
    let mut table = |part: &str, columns: &[&'static str], row: &dyn Fn(&Value) -> Vec<String>| {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut table = Table::new(part, with_node("NODE".into(), columns));
        let rows = state[part].as_array().map_or(&[][..], Vec::as_slice);
        let first = if part == "streams" { rows.len().saturating_sub(MOST_STREAMS) } else { 0 };
        rows[first..].iter().for_each(|one| table.push(with_node(text(&one["node"]), row(one))));
        all.push(table);
    };
    table(
        "connections",
        &["WITH", "DIRECTION", "STATE", "ROUND TRIP", "SENT", "RECEIVED"],
        &|one| {
            vec![
                text(&one["name"]),
                text(&one["direction"]),
                link(one),
                duration(&one["round_trip_seconds"]),
                bytes(&one["sent_bytes"]),
                bytes(&one["received_bytes"]),
            ]
        },
    );
    table("channels", &["WITH", "DIRECTION", "STATE", "OVER", "ROUTE"], &|one| {
        let fields = [text(&one["direction"]), link(one), text(&one["over"]), text(&one["route"])];
        [vec![short(&one["peer"])], fields.into()].concat()
    });
    table("portals", &["PORTAL", "NAME", "STREAMS", "SENT", "RECEIVED", "LEADS TO"], &|one| {
        vec![
            text(&one["kind"]),
            text(&one["name"]),
            format!("{}{}", one["streams"], waiting(&one["suspended"])),
            bytes(&one["sent_bytes"]),
            bytes(&one["received_bytes"]),
            text(&one["leads_to"]),
        ]
    });
    table("streams", &["CLIENT", "PORTAL", "AGE", "ROUND TRIP", "SENT", "RECEIVED"], &|one| {
        let state = if one["suspended"] == true { " (waits for a path)" } else { "" };
        vec![
            format!("{}{state}", text(&one["client"])),
            text(&one["portal"]),
            duration(&one["age_seconds"]),
            duration(&one["round_trip_seconds"]),
            bytes(&one["sent_bytes"]),
            bytes(&one["received_bytes"]),
        ]
    });
    table("registrations", &["HUB", "DESTINATION", "STATE"], &|one| {
        vec![text(&one["hub"]), text(&one["destination"]), link(one)]
    });
    table("refusals", &["RULE", "COUNT", "LAST", ""], &|one| {
        let ago = one["last_seconds_ago"].as_f64().map_or(String::new(), |_| " ago".into());
        let when = format!("{}{ago}", duration(&one["last_seconds_ago"]));
        vec![text(&one["rule"]), one["count"].to_string(), when, text(&one["last"])]
    });
    all
}

/// Whether a link is up, since when, or why not.
fn link(one: &Value) -> String {
    match one["up"].as_bool() {
        Some(true) => format!("up {}", duration(&one["up_seconds"])),
        _ => match one["failure"].as_str() {
            Some(failure) => format!("down: {failure}"),
            None => "not up yet".into(),
        },
    }
}

fn waiting(suspended: &Value) -> String {
    match suspended.as_u64() {
        None | Some(0) => String::new(),
        Some(count) => format!(" ({count} waiting)"),
    }
}

fn each(list: &Value, show: impl Fn(&Value)) {
    list.as_array().into_iter().flatten().for_each(show);
}

/// A text, or a dash for none.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}
