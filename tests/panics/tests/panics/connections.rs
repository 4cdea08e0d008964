//! The TCP listener, accepted and dialled connections.

use ockam::{route, Address};

use crate::nodes::{in_time, run, stop, Peer};

/// Two nodes, the first of which has dialled the second.
async fn connected(arbiters: usize) -> (Peer, Peer, Address) {
    let (here, there) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
    let address = there.listen().await;
    assert_eq!(here.echo(route![address.clone()]).await.unwrap(), "hello");
    (here, there, address)
}

#[test]
fn panic_in_accepted_connection_disconnects_its_peer() {
    run(|arbiters| async move {
        let (here, there, address) = connected(arbiters).await;
        let before = there.workers();
        let mut first_hop = here.first_hop(&address);
        let epoch = first_hop.state().epoch;
        there.panic_in("Accepted");
        in_time("the loss", first_hop.lost(epoch)).await;
        there.lives().await;
        here.reaches(route![address]).await;
        there.is_as_before(&before).await;
        stop([here, there]).await;
    });
}

#[test]
fn panic_in_dialled_connection_is_followed_by_redialling() {
    run(|arbiters| async move {
        let (here, there, address) = connected(arbiters).await;
        let before = [here.workers(), there.workers()];
        let mut first_hop = here.first_hop(&address);
        let epoch = first_hop.state().epoch;
        here.panic_in("Dialled");
        in_time("the loss", first_hop.lost(epoch)).await;
        here.lives().await;
        here.reaches(route![address]).await;
        here.is_as_before(&before[0]).await;
        there.is_as_before(&before[1]).await;
        stop([here, there]).await;
    });
}

#[test]
fn panic_in_tcp_listener_leaves_its_connections_open() {
    run(|arbiters| async move {
        let (here, there, address) = connected(arbiters).await;
        let mut first_hop = here.first_hop(&address);
        there.panic_in("Acceptor");
        there.lives().await;
        let other = Peer::start(arbiters).await;
        assert_eq!(other.echo(route![address.clone()]).await.unwrap(), "hello");
        assert_eq!(here.echo(route![address]).await.unwrap(), "hello");
        assert_eq!(first_hop.state().epoch, 0, "the connection before went on");
        in_time("a first hop that is up", first_hop.up()).await;
        stop([here, there, other]).await;
    });
}
