//! The API: its fields, what it refuses, and what it keeps to itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::network::{ask, get, with_network, Network};

const DOCUMENT: &str = include_str!("../../docs/console.md");

type Fields = BTreeMap<String, BTreeSet<String>>;

/// The fields of each part in the document: the first column of the table after its title.
fn documented() -> Fields {
    let (_, api) = DOCUMENT.split_once("\n## API").unwrap();
    let (api, _) = api.split_once("\n## ").unwrap();
    let of_part = |section: &str| {
        let (title, text) = section.split_once('\n').unwrap();
        let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        let names = rows.flat_map(|cell| cell.split(", ").map(str::to_owned).collect::<Vec<_>>());
        let names =
            names.filter_map(|name| Some(name.strip_prefix('`')?.trim_end_matches('`').to_owned()));
        (title.trim_matches(['`', ' ']).to_owned(), names.collect())
    };
    api.split("\n### ").skip(1).map(of_part).collect()
}

/// The fields of each part in an answer: those of its first element, if it is a list.
fn fields(answer: &Value, to: &mut Fields) {
    for (part, value) in answer.as_object().unwrap() {
        let one = value.as_array().map_or(Some(value), |list| list.first());
        let names = one.and_then(Value::as_object).into_iter().flat_map(|one| one.keys().cloned());
        to.entry(part.clone()).or_default().extend(names);
    }
}

async fn all(network: &Network) -> Vec<Value> {
    let mut answers = Vec::new();
    for console in network.consoles() {
        answers.push(serde_json::from_str(&get(console, "/api/v1/").await).unwrap());
    }
    answers
}

#[test]
fn documented_fields_are_those_that_come() {
    with_network(async |network| {
        network.refuse();
        let _client = network.client(100).await;
        let mut coming = Fields::new();
        all(network).await.iter().for_each(|answer| fields(answer, &mut coming));
        assert_eq!(coming, documented());
    });
}

#[test]
fn a_stream_is_told_of_at_both_ends() {
    with_network(async |network| {
        let _client = network.client(1_000).await;
        let [hub, outlet, inlet]: [Value; 3] = all(network).await.try_into().unwrap();
        for (end, kind) in [(&outlet, "outlet"), (&inlet, "inlet")] {
            let (portal, stream) = (&end["portals"][0], &end["streams"][0]);
            assert_eq!((&portal["kind"], &portal["streams"]), (&kind.into(), &1.into()));
            assert_eq!([&portal["sent_bytes"], &portal["received_bytes"]], [&1_000, &1_000]);
            assert_eq!([&stream["sent_bytes"], &stream["received_bytes"]], [&1_000, &1_000]);
            assert_eq!([&stream["portal"], &stream["over"]], [&portal["id"], &"channel/1".into()]);
            assert_eq!(end["channels"][0]["over"], "connection/1");
            assert_eq!(end["channels"][0]["up"], true);
        }
        assert_eq!(inlet["channels"][0]["peer"], outlet["node"]["identities"][0]);
        assert_eq!(outlet["registrations"][0]["over"], "connection/1");
        assert_eq!(hub["forwarders"][0]["identity"], outlet["node"]["identities"][0]);
        assert_eq!(hub["connections"].as_array().unwrap().len(), 2);
        assert!(hub["node"]["sent_bytes"].as_u64() > Some(2_000), "{}", hub["node"]);
        let part = get(network.inlet, "/api/v1/portals").await;
        assert_eq!(serde_json::from_str::<Value>(&part).unwrap()[0]["kind"], "inlet");
    });
}

#[test]
fn each_part_comes_alone() {
    with_network(async |network| {
        network.refuse();
        let _client = network.client(100).await;
        let [_, outlet, _]: [Value; 3] = all(network).await.try_into().unwrap();
        for (part, value) in outlet.as_object().unwrap() {
            let alone = get(network.outlet, &format!("/api/v1/{part}")).await;
            let alone: Value = serde_json::from_str(&alone).unwrap();
            let [mut alone_has, mut has] = [Fields::new(), Fields::new()];
            fields(&serde_json::json!({ part: alone }), &mut alone_has);
            fields(&serde_json::json!({ part: value }), &mut has);
            assert_eq!(alone_has, has);
        }
    });
}

#[test]
fn nothing_that_gives_access_is_shown() {
    with_network(async |network| {
        network.refuse();
        let _client = network.client(1).await;
        for console in network.consoles() {
            for path in ["/api/v1/", "/metrics", "/"] {
                let text = get(console, path).await;
                assert!(!text.contains(&network.secret[..8]), "{path} has the secret");
                let words = text.split(|one: char| !one.is_ascii_alphanumeric());
                // Identities have a letter before their digits.
                let mut digits = words.filter(|word| word.len() >= 32 && !word.starts_with('I'));
                assert_eq!(digits.next(), None, "{path} has an address that gives access");
            }
        }
        assert!(get(network.hub, "/api/v1/refusals").await.contains("F1a1a1a1a…"));
    });
}

#[test]
fn only_reading_by_known_names_is_answered() {
    with_network(async |network| {
        let console = network.hub;
        for (request, host, status) in [
            ("GET /", "localhost", 200),
            ("HEAD /", "127.0.0.1:4090", 200),
            ("GET /metrics", "console.example.org", 200),
            ("GET /page.js", "[::1]", 200),
            ("GET /api/v1/nothing", "localhost", 404),
            ("GET /nothing", "localhost", 404),
            ("POST /", "localhost", 405),
            ("DELETE /api/v1/streams", "localhost", 405),
            ("GET /", "evil.example.org", 421),
            ("GET /api/v1/", "127.0.0.1.example.org", 421),
        ] {
            let (head, body) = ask(console, request, host).await;
            let says = format!("HTTP/1.1 {status} ");
            assert!(head.starts_with(&says), "{request} for {host}: {head}");
            assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
            assert!(!request.starts_with("HEAD") || body.is_empty(), "{body}");
        }
    });
}
