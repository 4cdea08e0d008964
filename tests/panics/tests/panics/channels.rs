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

    fn way(&self) -> Route {
        route![&self.channel]
    }
}

/// After a panic the channel is lost for those who watch it, and then established again at the same
/// address.
async fn is_established_again(arbiters: usize, panic: impl Fn(&Channel)) {
    let both = Channel::start(arbiters).await;
    let before = [both.here.workers(), both.there.workers()];
    let mut path = both.here.path(both.channel.address());
    let epoch = path.state().epoch;
    panic(&both);
    in_time("the loss", path.lost(epoch)).await;
    both.here.lives().await;
    both.there.lives().await;
    both.here.reaches(both.way()).await;
    assert_eq!(
        both.channel.established_within(DEADLINE).await.unwrap(),
        both.there.entity.identifier()
    );
    both.here.is_as_before(&before[0]).await;
    both.there.is_as_before(&before[1]).await;
    stop([both.here, both.there]).await;
}

#[test]
fn a_panic_in_an_initiator_is_followed_by_the_same_channel_again() {
    run(|arbiters| is_established_again(arbiters, |both| both.here.panic_in("ChannelActor")));
}

#[test]
fn a_panic_in_an_initiators_decryptor_is_followed_by_the_same_channel_again() {
    run(|arbiters| is_established_again(arbiters, |both| both.here.panic_in("Decryptor")));
}

#[test]
fn a_panic_in_a_responders_encryptor_is_followed_by_the_same_channel_again() {
    run(|arbiters| is_established_again(arbiters, |both| both.there.panic_in("AcceptedEnd")));
}

#[test]
fn a_panic_in_a_responders_decryptor_is_followed_by_the_same_channel_again() {
    run(|arbiters| is_established_again(arbiters, |both| both.there.panic_in("Decryptor")));
}

#[test]
fn a_channel_that_was_closed_after_a_panic_stays_closed() {
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
fn an_initiator_that_panics_again_and_again_stays_down_and_the_node_lives() {
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
