//! A virtual link between two nodes of one process, for tests: with latency, loss and cuts.
//!
//! Messages pass through it in their wire form, in order. A seed decides which are lost, so a test
//! that fails does so again.
//!
//! * One egress actor for each end, which owns its registrations; it stops with its node.
//! * Inbox: messages to the other end, which it encodes and hands to the other end's ingress task.
//! * Started by [`Link::new`]. A panic would unregister the end, as a lost connection does.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use ockam_actix_runtime::{
    edge::{budget::Budget, first_hop::LinkState},
    limits::EDGE_BUDGET_BYTES,
    message::{codec, undelivered::Undelivered},
    node::{directory::Registration, entry::Description},
    trust::origin::{Door, Ingress},
    watched,
    worker::mailbox::Registered,
    Address, Class, Host, Message, Node, Origin, Payload, Permit, Result, Routed, TransportType,
    UndeliverableReason,
};
use tokio::{
    sync::mpsc,
    time::{sleep_until, Instant},
};

/// The transport's name in addresses: [`Link::address`] is `memory#` and 32 digits.
pub const MEMORY: TransportType = TransportType::new("memory");

/// How a link treats messages, in both directions.
#[derive(Clone, Copy, Debug)]
pub struct LinkOptions {
    /// The time from one end to the other.
    pub latency: Duration,
    /// How many of a thousand messages are lost.
    pub loss_per_mille: u16,
    /// The seed that decides which ones.
    pub seed: u64,
    /// Bytes by permit that may be under way from one end to the other: a link carries at
    /// most this in each [`latency`](Self::latency).
    pub capacity: usize,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self { latency: Duration::ZERO, loss_per_mille: 0, seed: 0, capacity: EDGE_BUDGET_BYTES }
    }
}

/// A link that the first node dialled to the second.
#[derive(Clone, Debug)]
pub struct Link {
    address: Address,
    state: Arc<watched::Sender<LinkState>>,
}

impl Link {
    /// Links two nodes. To the second the first is a stranger on a loopback listener.
    ///
    /// # Errors
    /// If one of the nodes is stopped.
    pub fn new(dialling: &Node, listening: &Node, options: LinkOptions) -> Result<Self> {
        let address = Address::from((MEMORY, Address::random().as_str()));
        let state = watched::Sender::new(LinkState::established());
        let ends = [Address::random(), Address::random()];
        let doors = [
            Door::Outgoing { dialled: address.clone(), grants: dialling.hub_grants(&address) },
            Door::Listener { loopback: true, exposed: Arc::new(HashSet::new()) },
        ];
        let [from_dialling, from_listening] = [0, 1].map(|end| Dice::new(options, end));
        let [outgoing, listener] = doors;
        let to_listening = ingress(listening, &ends[1], listener, &state);
        let to_dialling = ingress(dialling, &ends[0], outgoing, &state);
        let names = [vec![address.clone(), ends[0].clone()], vec![ends[1].clone()]];
        let [dialling_names, listening_names] = names;
        egress(
            dialling,
            dialling_names,
            Direction { to: to_listening, dice: from_dialling },
            &state,
        )?;
        egress(
            listening,
            listening_names,
            Direction { to: to_dialling, dice: from_listening },
            &state,
        )?;
        Ok(Self { address, state: Arc::new(state) })
    }

    /// The address that stands for the second node in routes of the first.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// Cuts the link: what is under way is lost, and messages bounce until [`Link::mend`].
    pub fn cut(&self) {
        self.state.send_modify(|state| state.lose("the link was cut".into()));
    }

    /// Makes a cut link pass messages again.
    pub fn mend(&self) {
        self.state.send_modify(LinkState::establish);
    }
}

/// A message in its wire form, when it arrives, and in which epoch it was sent.
struct Frame {
    bytes: Payload,
    at: Instant,
    epoch: u64,
    _permit: Option<Permit>,
}

/// One direction of a link.
struct Direction {
    to: mpsc::UnboundedSender<Frame>,
    dice: Dice,
}

/// Decides which messages are lost: a small generator of its own, as tests must be able to repeat a
/// run.
struct Dice {
    options: LinkOptions,
    state: u64,
}

impl Dice {
    fn new(options: LinkOptions, end: u64) -> Self {
        Self { options, state: options.seed.wrapping_mul(2).wrapping_add(end) }
    }

    /// The next number of the splitmix64 sequence.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn loses(&mut self) -> bool {
        self.next() % 1_000 < u64::from(self.options.loss_per_mille)
    }
}

/// Starts the task that lets frames into `node`.
fn ingress(
    node: &Node,
    via: &Address,
    door: Door,
    state: &watched::Sender<LinkState>,
) -> mpsc::UnboundedSender<Frame> {
    // Each frame that waits holds its bytes of the sender's edge.
    let (to, mut frames) = mpsc::unbounded_channel::<Frame>();
    let ingress = Arc::new(Ingress { via: via.clone(), door, source: None });
    let (own, state) = (node.clone(), state.subscribe());
    node.spawn_on(0, async move {
        while let Some(frame) = frames.recv().await {
            sleep_until(frame.at).await;
            if state.borrow().epoch != frame.epoch {
                continue;
            }
            match codec::decode(frame.bytes, Origin::Remote(ingress.clone())) {
                Ok(mut message) => {
                    message.return_route.push_front(ingress.via.clone());
                    own.route(message);
                }
                Err(error) => log::error!("a bug in the codec, please report it: {error}"),
            }
        }
    });
    to
}

/// Registers the end of `node` under all its `names`.
fn egress(
    node: &Node,
    names: Vec<Address>,
    direction: Direction,
    state: &watched::Sender<LinkState>,
) -> Result<()> {
    let budget = Budget::new(direction.dice.options.capacity);
    let describe = |name: &Address| {
        let class = if name.is_random() { Class::Reply } else { Class::Internal };
        let description = Description::new(name.clone(), class).on(0);
        description.with_budget(budget.clone()).with_state(state.subscribe())
    };
    let (own, watched) = (node.clone(), state.subscribe());
    let others: Vec<_> = names.iter().skip(1).map(describe).collect();
    let (Some(first), Some(via)) = (names.first().map(describe), names.last().cloned()) else {
        return Ok(());
    };
    node.launch(first, move |_| Egress {
        node: own,
        via,
        direction,
        state: watched,
        others,
        registrations: Vec::new(),
    })?;
    Ok(())
}

struct Egress {
    node: Node,
    /// What this end prepends to the return routes of messages that come in.
    via: Address,
    direction: Direction,
    state: watched::Receiver<LinkState>,
    others: Vec<Description>,
    registrations: Vec<Registration>,
}

impl Actor for Egress {
    type Context = Context<Self>;
}

impl Handler<Registered> for Egress {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, _: &mut Context<Self>) {
        for description in std::mem::take(&mut self.others) {
            match self.node.register_again(description, &registration) {
                Ok(registration) => self.registrations.push(registration),
                Err(error) => log::debug!("an end of a link was not registered: {error}"),
            }
        }
        self.registrations.push(registration);
    }
}

impl Handler<Routed<Payload>> for Egress {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let address = message.address().clone();
        let mut message: Message = message.into_message();
        let state = self.state.borrow().clone();
        if !state.up || !codec::routes_fit(&message) {
            let reason = if state.up {
                UndeliverableReason::TooLarge
            } else {
                UndeliverableReason::Disconnected
            };
            return self.node.bounce(Undelivered::new(message, &address, reason));
        }
        self.node.conceal_names(&mut message.return_route, &self.via);
        let direction = &mut self.direction;
        let at = Instant::now() + direction.dice.options.latency;
        if direction.dice.loses() {
            return;
        }
        let permit = message.permit.take();
        let frame =
            Frame { bytes: codec::encode(message), at, epoch: state.epoch, _permit: permit };
        // An error says that the other node has stopped: the message is lost, as on any link.
        let _ = direction.to.send(frame);
    }
}
