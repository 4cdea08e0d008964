//! The encryptors and decryptors of both ends of a secure channel.

use ockam::{route, Route, SecureChannel, SecureChannels, TrustEveryonePolicy};

use crate::nodes::{in_time, run, stop, until, Peer, DEADLINE};

/// Two nodes with an established channel.
struct Channel {
    here: Peer,
    there: Peer,
    channel: SecureChannel,
}

impl Channel {
    async fn start(arbiters: usize) -> Self {
        let (mut here, mut there) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
        there.entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        let listener = route![there.listen().await, "listener"];
        let channel = here.entity.create_secure_channel(listener, TrustEveryonePolicy).unwrap();
        channel.established_within(DEADLINE).await.unwrap();
        assert_eq!(here.echo(route![&channel]).await.unwrap(), "hello");
        Self { here, there, channel }
    }

    fn route(&self) -> Route {
        route![&self.channel]
    }
}

/// After a panic the channel is lost for those who watch it, and then established again at the same
/// address.
async fn is_established_again(arbiters: usize, panic: impl Fn(&Channel)) {
    let both = Channel::start(arbiters).await;
    let before = [both.here.workers(), both.there.workers()];
    let mut first_hop = both.here.first_hop(both.channel.address());
    let epoch = first_hop.state().epoch;
    panic(&both);
    in_time("the loss", first_hop.lost(epoch)).await;
    both.here.lives().await;
    both.there.lives().await;
    both.here.reaches(both.route()).await;
    assert_eq!(
        both.channel.established_within(DEADLINE).await.unwrap(),
        both.there.entity.identifier()
    );
    both.here.is_as_before(&before[0]).await;
    both.there.is_as_before(&before[1]).await;
    stop([both.here, both.there]).await;
}

#[test]
fn panic_in_initiator_restores_the_channel() {
    run(|arbiters| is_established_again(arbiters, |both| both.here.panic_in("ChannelActor")));
}

#[test]
fn panic_in_initiators_decryptor_restores_the_channel() {
    run(|arbiters| is_established_again(arbiters, |both| both.here.panic_in("Decryptor")));
}

#[test]
fn panic_in_responders_encryptor_restores_the_channel() {
    run(|arbiters| is_established_again(arbiters, |both| both.there.panic_in("AcceptedEnd")));
}

#[test]
fn panic_in_responders_decryptor_restores_the_channel() {
    run(|arbiters| is_established_again(arbiters, |both| both.there.panic_in("Decryptor")));
}

#[test]
fn channel_closed_after_a_panic_stays_closed() {
    run(|arbiters| async move {
        let both = Channel::start(arbiters).await;
        both.here.panic_in("ChannelActor");
        both.channel.close();
        until("the channel is gone", || !both.here.node.is_registered(both.channel.address()))
            .await;
        assert!(in_time("the end", both.channel.established()).await.is_err());
        stop([both.here, both.there]).await;
    });
}

#[test]
fn initiator_that_keeps_panicking_stays_down() {
    run(|arbiters| async move {
        let both = Channel::start(arbiters).await;
        let mut panics = 0;
        let ended = async {
            while both.channel.established().await.is_ok() {
                panics += both.here.node.panic_in("ChannelActor");
                tokio::task::yield_now().await;
            }
        };
        in_time("the last restart", ended).await;
        assert_eq!(panics, 6, "the first one and five more");
        assert!(!both.here.node.is_registered(both.channel.address()));
        both.here.lives().await;
        stop([both.here, both.there]).await;
    });
}
