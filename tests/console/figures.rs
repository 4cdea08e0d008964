//! The figures for Prometheus: their text, their names in the document, and Grafana's dashboard.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::network::{get, with_network};

const DOCUMENT: &str = include_str!("../../docs/console.md");
const DASHBOARD: &str = include_str!("../../packaging/grafana/ockam.json");

/// The words that are names of figures.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|one: char| !one.is_ascii_alphanumeric() && one != '_');
    let is_name = |word: &&str| word.starts_with("ockam_") || word.starts_with("process_");
    words.filter(is_name).map(str::to_owned).collect()
}

/// The families that a text has, by the names of their samples.
fn described(text: &str) -> BTreeSet<String> {
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let sample = |(name, kind): (&str, &str)| match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    };
    families.map(sample).collect()
}

#[test]
fn figures_are_those_of_document_and_dashboard() {
    with_network(async |network| {
        let text = get(network.outlet, "/metrics").await;
        let families = described(&text);
        let (_, document) = DOCUMENT.split_once("\n## Metrics").unwrap();
        let (table, _) = document.split_once("```").unwrap();
        assert_eq!(names(table), families);
        let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        let queries: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
        assert!(queries.len() > 15, "{queries:?}");
        let asked = queries.iter().flat_map(|query| names(query));
        let asked: BTreeSet<_> =
            asked.map(|name| name.trim_end_matches("_bucket").to_owned()).collect();
        let unknown: Vec<_> = asked.difference(&families).collect();
        assert!(unknown.is_empty(), "no figures are named {unknown:?}");
        let own = families.iter().filter(|name| name.starts_with("ockam_"));
        // The variable of the nodes asks for it.
        let missing: Vec<_> =
            own.filter(|name| !asked.contains(*name) && *name != "ockam_info").collect();
        assert!(missing.is_empty(), "the dashboard shows no {missing:?}");
    });
}

#[test]
fn figures_count_what_has_happened() {
    with_network(async |network| {
        network.refuse();
        let client = network.client(1_000).await;
        let inlet = network.entrance;
        let text = get(network.inlet, "/metrics").await;
        for line in [
            "ockam_connections{transport=\"tcp\",direction=\"outgoing\"} 1",
            "ockam_channels 1",
            &format!("ockam_streams{{portal=\"inlet\",name=\"{inlet}\"}} 1"),
            &format!(
                "ockam_stream_bytes_total{{portal=\"inlet\",name=\"{inlet}\",direction=\"sent\"}} 1000"
            ),
            "ockam_refusals_total{rule=\"test-rule\"} 1",
            "ockam_handshake_seconds_count 1",
            "ockam_handshake_seconds_bucket{le=\"+Inf\"} 1",
            "ockam_connect_seconds_count{to=\"node\"} 1",
            "ockam_reconnects_total 0",
            "# UNIT ockam_stall_seconds seconds",
        ] {
            assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
        let text = get(network.hub, "/metrics").await;
        assert!(text.contains("\nockam_forwarders 1\n"), "{text}");
        let text = get(network.outlet, "/metrics").await;
        assert!(
            text.contains("ockam_registered{hub=") && text.contains("to=\"target\"} 1"),
            "{text}"
        );
        drop(client);
    });
}

#[test]
fn a_stream_that_went_on_is_counted() {
    with_network(async |network| {
        let mut client = network.client(10).await;
        let hub = network.replace_hub().await;
        client.write_all(b"again").await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
        for console in [network.outlet, network.inlet] {
            let text = get(console, "/metrics").await;
            for line in [
                "ockam_reconnects_total 1",
                "ockam_resumptions_total 1",
                "ockam_stall_seconds_count 1",
            ] {
                assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
            }
        }
        let streams = get(network.inlet, "/api/v1/streams").await;
        assert!(streams.contains("\"suspended\":false"), "{streams}");
        hub.stop().await.unwrap();
    });
}
