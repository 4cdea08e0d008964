//! One console of several nodes.

use std::collections::BTreeSet;

use actix_rt::System;
use ockam::{
    console::{Console, Nodes},
    route, Context, ListenOptions, NodeBuilder, TcpTransport, TCP,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::network::{get, target};

async fn node(nodes: &Nodes, name: &str) -> (Context, TcpTransport) {
    let node = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
    nodes.insert(name, &node);
    let tcp = TcpTransport::create(&node).await.unwrap();
    (node, tcp)
}

#[test]
fn each_figure_says_whose_it_is() {
    System::new().block_on(async {
        let nodes = Nodes::default();
        let (bound, server) = Console::of(&nodes).serve("127.0.0.1:0").unwrap();
        actix_rt::spawn(server);
        let console = bound[0];
        let (outlet, tcp) = node(&nodes, "outlet web").await;
        tcp.create_outlet("outlet", target().await.to_string()).await.unwrap();
        let listening = tcp.listen(ListenOptions::on("127.0.0.1:0").expose("outlet"));
        let at = listening.await.unwrap().address().to_string();
        let (inlet, tcp) = node(&nodes, "inlet").await;
        let route = route![(TCP, at.as_str()), "outlet"];
        let entrance = tcp.create_inlet("127.0.0.1:0", route).await.unwrap().address();
        let mut client = TcpStream::connect(entrance).await.unwrap();
        client.write_all(&[7; 100]).await.unwrap();
        client.read_exact(&mut [0; 100]).await.unwrap();

        let text = get(console, "/metrics").await;
        for line in [
            "ockam_connections{node=\"inlet\",transport=\"tcp\",direction=\"outgoing\"} 1",
            "ockam_connections{node=\"outlet web\",transport=\"tcp\",direction=\"incoming\"} 1",
            "ockam_streams{node=\"outlet web\",portal=\"outlet\",name=\"outlet\"} 1",
            "ockam_channels{node=\"inlet\"} 0",
            "ockam_reconnects_total{node=\"outlet web\"} 0",
            "ockam_stall_seconds_count{node=\"inlet\"} 0",
            "ockam_connect_seconds_count{node=\"outlet web\",to=\"target\"} 1",
        ] {
            assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
        }
        let samples = text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0));
        let unique: BTreeSet<_> = samples.clone().collect();
        assert_eq!(samples.count(), unique.len(), "{text}");

        let all: Value = serde_json::from_str(&get(console, "/api/v1/").await).unwrap();
        assert_eq!((&all["node"]["streams"], &all["node"]["arbiters"]), (&2.into(), &2.into()));
        let names = |part: &str| -> BTreeSet<String> {
            let each = all[part].as_array().unwrap().iter();
            each.map(|one| one["node"].as_str().unwrap().to_owned()).collect()
        };
        let both = BTreeSet::from(["inlet", "outlet web"].map(str::to_owned));
        for part in ["nodes", "connections", "portals", "streams"] {
            assert_eq!(names(part), both, "{part}: {}", all[part]);
        }
        let portals = ["portals", "streams"].map(|part| {
            let field = if part == "portals" { "id" } else { "portal" };
            let each = all[part].as_array().unwrap().iter();
            each.map(|one| (one["node"].clone(), one[field].clone())).collect::<Vec<_>>()
        });
        assert_ne!(portals[0][0].1, portals[0][1].1);
        assert_eq!(portals[0], portals[1]);

        // One that has stopped is not shown.
        inlet.stop().await.unwrap();
        let text = get(console, "/metrics").await;
        assert!(text.contains("node=\"outlet web\"") && !text.contains("node=\"inlet\""), "{text}");
        outlet.stop().await.unwrap();
    });
}
