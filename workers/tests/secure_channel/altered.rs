//! Every bit flip and every truncation of handshake messages in transit to a running listener.
//!
//! A node in the middle alters one message of the first attempt and lets the next attempt pass: the
//! first must fail, and the listener must serve the same peer at once. `OCKAM_FLIPS` is the step
//! from one bit or length that is tried to the next, 53 by default; 1 tries all.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{stream, StreamExt};
use ockam_actix_runtime::{route, Host, Message, Payload};
use ockam_actix_workers::{
    secure_channel::{packet::Packet, ChannelListeners},
    SecureChannels, TrustEveryonePolicy,
};

use crate::support::{
    honest, quick, run_within, tcp, until, Meddling, Middle, Peer, DEADLINE, SERVICE,
};

/// Handshakes at the same time.
const AT_ONCE: usize = 64;

/// The silence after which an end asks whether the other is there, and the time for the answer.
const SOON: Duration = Duration::from_secs(1);

/// The deadline of a run with all alterations.
const LONGEST: Duration = Duration::from_secs(1_800);

#[derive(Clone, Copy)]
enum Alteration {
    /// Flips this bit.
    Flip(usize),
    /// Cuts to this many bytes.
    Cut(usize),
}

impl Alteration {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip(bit) => bytes[bit / 8] ^= 1 << (bit % 8),
            Self::Cut(length) => bytes.truncate(length),
        }
    }
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip(bit) => write!(f, "bit-{bit}-flipped"),
            Self::Cut(length) => write!(f, "cut-to-{length}"),
        }
    }
}

/// The messages of one channel's handshakes, as the node in the middle sees them.
#[derive(Default)]
struct Passing {
    attempts: usize,
    /// The lengths of this attempt's messages.
    lengths: Vec<usize>,
    /// The attempt of which a message was altered.
    altered: Option<usize>,
}

impl Passing {
    /// Which message of its attempt this is, from 0.
    fn number(&mut self, payload: &[u8]) -> usize {
        if matches!(Packet::decode(payload), Ok(Packet::One { .. })) {
            self.attempts += 1;
            self.lengths.clear();
        }
        self.lengths.push(payload.len());
        self.lengths.len() - 1
    }
}

/// Alters one message of the first attempt that comes so far: on a busy machine, one may end
/// before.
fn meddle(passing: &Arc<Mutex<Passing>>, number: usize, alteration: Alteration) -> Meddling {
    let passing = passing.clone();
    Arc::new(move |_, mut message: Message| {
        let mut passing = passing.lock().unwrap();
        let mut bytes = message.payload.to_vec();
        if passing.number(&bytes) == number && passing.altered.is_none() {
            alteration.apply(&mut bytes);
            passing.altered = Some(passing.attempts);
            message.payload = Payload::from(bytes);
        }
        vec![message]
    })
}

struct Chain {
    client: Peer,
    hub: Peer,
    server: Peer,
    hub_port: u16,
    server_port: u16,
}

impl Chain {
    async fn start() -> Self {
        let mut limits = quick();
        // An attempt that hears nothing more ends soon, and no cookie is asked for.
        limits.handshake_deadline = Duration::from_millis(500);
        limits.handshakes = 100 * AT_ONCE;
        // A responder whose ready record was spoilt learns soon that nobody is there.
        (limits.ping_after, limits.idle_ping_after) = (SOON, SOON);
        limits.answer_within = SOON;
        let client = Peer::with_limits(1, limits.clone()).await;
        let (hub, mut server) = (Peer::start(1).await, Peer::with_limits(1, limits).await);
        server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
        let (hub_port, server_port) = (hub.listen(0).await, server.listen(0).await);
        Self { client, hub, server, hub_port, server_port }
    }

    /// Establishes a channel whose messages pass `meddle`, and closes it.
    async fn establish(&self, name: &str, meddle: Meddling) {
        let _middle = Middle::start(&self.hub.node, name, tcp(self.server_port), meddle);
        let route = route![tcp(self.hub_port), name, SERVICE];
        let mut entity = self.client.entity.clone();
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy).unwrap();
        let peer = channel.established_within(DEADLINE).await;
        channel.close();
        assert_eq!(peer.unwrap(), self.server.identifier(), "{name}");
    }

    /// The lengths of message 1, 2, 3 and the ready record in their carriers.
    async fn lengths(&self) -> Vec<usize> {
        let passing = Arc::new(Mutex::new(Passing::default()));
        let nothing = Alteration::Cut(usize::MAX);
        self.establish("honest", meddle(&passing, 0, nothing)).await;
        let lengths = passing.lock().unwrap().lengths.clone();
        lengths[..4].to_vec()
    }

    /// The attempt fails because of the alteration, and a later one succeeds.
    async fn survives(&self, number: usize, alteration: Alteration) {
        let passing = Arc::new(Mutex::new(Passing::default()));
        let name = format!("message-{}-{alteration}", number + 1);
        self.establish(&name, meddle(&passing, number, alteration)).await;
        let passing = passing.lock().unwrap();
        let altered = passing.altered.unwrap_or_else(|| panic!("{name}: not reached"));
        assert!(passing.attempts > altered, "{name}: accepted");
    }

    fn workers(&self) -> [usize; 3] {
        [&self.client, &self.hub, &self.server].map(|peer| peer.node.worker_count())
    }
}

/// Every `step`th bit and length of every message.
fn alterations(lengths: &[usize], step: usize) -> Vec<(usize, Alteration)> {
    let of_one = |(number, length): (usize, &usize)| {
        let flips = (0..length * 8).step_by(step).map(Alteration::Flip);
        let cuts = (0..*length).step_by(step).map(Alteration::Cut);
        flips.chain(cuts).map(|alteration| (number, alteration)).collect::<Vec<_>>()
    };
    lengths.iter().enumerate().flat_map(of_one).collect()
}

#[test]
fn altered_handshakes_fail_and_the_listener_keeps_serving() {
    let step = std::env::var("OCKAM_FLIPS").map_or(53, |step| step.parse().unwrap());
    run_within(LONGEST, async move {
        let (begun, chain) = (Instant::now(), Chain::start().await);
        let fresh = chain.workers();
        let lengths = chain.lengths().await;
        let listeners = chain.server.node.extension(ChannelListeners::default);
        let none_open = || listeners.load_of(&SERVICE.into()) == Some((0, 0));
        until("the first channel is closed", none_open).await;
        // Its connection stays, with the dialled address and the one that answers come in at.
        until("the client's end too", || chain.workers()[0] == fresh[0] + 2).await;
        let before = chain.workers();

        let alterations = alterations(&lengths, step);
        stream::iter(&alterations)
            .for_each_concurrent(AT_ONCE, |(number, alteration)| {
                chain.survives(*number, *alteration)
            })
            .await;

        until("no channel and no handshake is left", none_open).await;
        until("as many workers as before", || chain.workers() == before).await;
        chain.establish("next", honest()).await;
        println!(
            "messages of {lengths:?} bytes: {} alterations, 0 accepted, each followed by a \
             channel; {before:?} workers before and after; {:.1} s",
            alterations.len(),
            begun.elapsed().as_secs_f32()
        );
    });
}
