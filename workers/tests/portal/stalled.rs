//! A target that does not read, beside others that do.

use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Arc,
};

use ockam_actix_runtime::{route, Address};
use ockam_actix_transports::{tcp::listener::listen, ListenOptions, TCP};
use ockam_actix_workers::{Entity, SecureChannels, TrustEveryonePolicy, Vault};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{connect, in_time, inlet, node, outlet, run, DEADLINE};

/// What each live client sends.
const BYTES: usize = 16 * 1024 * 1024;

/// The bytes of a stalled stream that may be in flight: one window of the largest size, the edges,
/// and the buffers of four sockets, which the system lets grow to 6 MiB for a reader and to 4 MiB
/// for a writer.
const HELD: usize = (16 + 2 + 10) * 1024 * 1024;

/// What the stalled client sends: much more.
const STALLED_BYTES: usize = 48 * 1024 * 1024;

const LIVE: usize = 4;
const CHUNK: usize = 64 * 1024;

/// Sends from a task of its own, and counts.
fn send(mut client: TcpStream, bytes: usize) -> Arc<AtomicUsize> {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    SockRef::from(&client).set_send_buffer_size(CHUNK).unwrap();
    actix_rt::spawn(async move {
        let chunk = vec![7; CHUNK];
        while count.load(Ordering::SeqCst) < bytes {
            client.write_all(&chunk).await.unwrap();
            count.fetch_add(CHUNK, Ordering::SeqCst);
        }
        client.shutdown().await.unwrap();
        // The other direction is open until the target has taken all.
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    });
    sent
}

/// Takes everything up to the end.
async fn take(mut target: TcpStream) -> usize {
    let (mut taken, mut chunk) = (0, vec![0; CHUNK]);
    loop {
        match target.read(&mut chunk).await.unwrap() {
            0 => return taken,
            read => taken += read,
        }
    }
}

#[test]
fn stalled_targets_hold_one_window_while_others_finish() {
    run(async {
        let (here, there) = (node().await, node().await);
        let target = outlet(there.node()).await;
        SockRef::from(&target).set_recv_buffer_size(CHUNK).unwrap();
        let entity = |ctx| Entity::create(ctx, &Vault::create(ctx).unwrap()).unwrap();
        entity(&there).create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        let listener = listen(there.node(), ListenOptions::on("127.0.0.1:0")).await.unwrap();
        let to_listener = route![Address::from((TCP, listener.address().to_string())), "listener"];
        let channel =
            entity(&here).create_secure_channel(to_listener, TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        let inlet = inlet(here.node(), route![&channel, "outlet"]);

        let [client, stalled] = connect(inlet, &target).await;
        let sent = send(client, STALLED_BYTES);
        for _ in 0..LIVE {
            let [client, live] = connect(inlet, &target).await;
            send(client, BYTES);
            assert_eq!(in_time("a live stream", take(live)).await, BYTES);
        }
        let held = sent.load(Ordering::SeqCst);
        println!("{LIVE} live streams took {BYTES} bytes each, the stalled one holds {held}");
        assert!((1..=HELD).contains(&held), "{held} bytes of the stalled stream are in flight");
        assert_eq!(in_time("the stalled stream", take(stalled)).await, STALLED_BYTES);
        here.node().stop().await;
        there.node().stop().await;
    });
}
