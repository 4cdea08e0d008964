//! What is shown of what a console tells.

use ockam::console::api::{About, Channel, Connection, Direction, Portal, Process, Registration};

use super::*;

fn of<T>(one: T) -> Of<T> {
    Of { node: Some("inlet 127.0.0.1:4001".into()), one }
}

/// What a console tells of nodes that have `streams` streams, and of each other thing one.
fn state(streams: usize) -> Snapshot {
    let identity = format!("I{}", "0f".repeat(32));
    let route = format!("tcp#hub.example.org:4000 => F1a1a1a1a…{identity}.S…");
    let about = About {
        version: "0.1.0".into(),
        identities: [identity.clone()].into(),
        streams,
        forwarders: 1_000_000,
        stand_ins: 100_000,
        sent_bytes: 123_456_789,
        ..About::default()
    };
    let process = Process {
        pid: 4_194_304,
        resident_bytes: Some(123_456_789),
        cpu_seconds: Some(12_345.0),
        open_descriptors: Some(16_384),
        ..Process::default()
    };
    let up = Status { up: true, up_seconds: Some(1e5), times_up: 1, failure: None };
    let connection = Connection {
        name: "tcp#hub.example.org:4000".into(),
        direction: Direction::Incoming,
        status: up.clone(),
        sent_bytes: 123_456_789,
        round_trip_seconds: Some(0.012_34),
        ..Connection::default()
    };
    let channel = Channel {
        peer: Some(identity),
        route: route.clone(),
        over: Some("connection/1".into()),
        status: up,
        ..Default::default()
    };
    let portal = Portal {
        kind: "udp-outlet".into(),
        name: "127.0.0.1:40001".into(),
        leads_to: route.clone(),
        streams: 1_000,
        suspended: 900,
        ..Portal::default()
    };
    let failure = Some("the hub refuses: it has as many forwarders as it may have".into());
    let registration = Registration {
        hub: "tcp#hub.example.org:4000".into(),
        destination: "secure_channel_listener_service".into(),
        status: Status { failure, ..Status::default() },
        ..Registration::default()
    };
    let refusal = Refusal {
        rule: "handshakes-connection-too-often".into(),
        count: 1_234,
        last: Some(format!("no handshake at \"listener\" for {route}: try again later")),
        last_seconds_ago: Some(61.0),
    };
    let stream = |number: usize| Stream {
        client: Some(format!("192.0.2.1:{number}")),
        portal: Some("portal/1".into()),
        suspended: true,
        round_trip_seconds: Some(0.1),
        ..Stream::default()
    };
    Snapshot {
        node: about.clone(),
        nodes: vec![of(about.clone()), of(about)],
        process,
        listeners: Vec::new(),
        connections: vec![of(connection)],
        channels: vec![of(channel)],
        portals: vec![of(portal)],
        streams: (0..streams.min(1_000)).map(|number| of(stream(number))).collect(),
        registrations: vec![of(registration)],
        forwarders: Vec::new(),
        workers: Vec::new(),
        refusals: vec![of(refusal)],
    }
}

#[test]
fn all_that_is_shown_fits_the_terminal() {
    for width in [70, 80, 120] {
        for line in lines(&state(3), Some(width)).iter().flat_map(|line| line.lines()) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    let whole = lines(&state(3), None).join("\n");
    assert!(whole.contains("try again later"), "{whole}");
}

#[test]
fn streams_that_are_left_out_are_counted() {
    let title = |streams| {
        let all = lines(&state(streams), None);
        let of_streams = |line: &&String| line.starts_with("streams") && !line.contains("; for");
        all.iter().find(of_streams).cloned()
    };
    assert_eq!(title(0), None);
    assert_eq!(title(20).as_deref(), Some("streams"));
    let expected = "streams, the latest 20; 1480 more are open";
    assert_eq!(title(1_500).as_deref(), Some(expected));
    assert!(lines(&state(1_500), None).iter().any(|line| line.contains("192.0.2.1:999 ")));
}

#[test]
fn what_the_console_writes_is_read_back() {
    let state = state(2);
    let read: Snapshot = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(read, state);
    let other = r#"{"id": "connection/1", "up": true, "new_field": 1}"#;
    let read: Of<Connection> = serde_json::from_str(other).unwrap();
    assert!(read.one.status.up && read.node.is_none());
}
