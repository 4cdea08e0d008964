//! The memory of messages that a worker keeps: a small one takes about its size, and does not
//! retain what was read with it. A peer could otherwise make a node hold a thousand times what its
//! budgets count.
//!
//! The only test of its process, whose memory it measures.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{sync::Mutex, time::Duration};

use ockam::{
    route, Address, ListenOptions, Message, Node, NodeBuilder, Payload, Result, TcpTransport, TCP,
};
use ockam_actix_harness::usage;
use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    Class, Host,
};
use tokio::{sync::watch, time::timeout};

/// How many small messages are kept, and what comes between them, in bytes: together 120 MB.
const KEPT: usize = 2_000;
const BETWEEN: usize = 60_000;

/// By how many bytes the process may grow. It grows by 2 MB, and by 134 MB where messages retain
/// their neighbours.
const MOST_GROWTH: u64 = 30_000_000;

const DEADLINE: Duration = Duration::from_secs(30);

/// Keeps what is small and forgets the rest.
struct Keeper {
    kept: Mutex<Vec<Payload>>,
    count: watch::Sender<usize>,
}

impl Deliver for Keeper {
    fn deliver(&self, _: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let payload = message.into_parts().payload;
        if payload.len() < BETWEEN {
            self.kept.lock().unwrap().push(payload);
            self.count.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}

async fn node() -> Node {
    let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
    TcpTransport::create(&node).await.unwrap();
    node
}

fn resident_bytes() -> u64 {
    let bytes = usage::memory_now(std::process::id());
    assert!(bytes > 0, "the system reports the memory of this process");
    bytes
}

#[test]
fn small_messages_do_not_retain_their_neighbours() {
    actix_rt::System::new().block_on(async {
        let (count, mut counted) = watch::channel(0);
        let keeper = Keeper { kept: Mutex::default(), count };
        let (receiver, sender) = (node().await, node().await);
        let description = Description::new("keeper", Class::User);
        let _registered = receiver.register_delivery(description, keeper).unwrap();
        let options = ListenOptions::on("127.0.0.1:0").expose("keeper");
        let listener = TcpTransport::create(&receiver).await.unwrap().listen(options).await;
        let address = listener.unwrap().address().to_string();
        let route = route![(TCP, address), "keeper"];
        let before = resident_bytes();
        for number in 0..KEPT {
            for body in [number.to_string(), "x".repeat(BETWEEN)] {
                sender.send_from(&Address::from("me"), route.clone(), body).await.unwrap();
            }
        }
        let all = timeout(DEADLINE, counted.wait_for(|count| *count == KEPT)).await;
        all.unwrap_or_else(|_| panic!("waited {DEADLINE:?} for {KEPT} messages")).unwrap();
        let growth = resident_bytes().saturating_sub(before);
        println!("{growth} bytes more for {KEPT} small messages");
        assert!(growth <= MOST_GROWTH, "{growth} bytes more, at most {MOST_GROWTH} allowed");
    });
}
