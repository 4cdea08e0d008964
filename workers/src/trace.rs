//! Traces: what is at each hop of a route, how long it takes to get there and back, what it may
//! see, and where and why the route breaks.
//!
//! A trace uses only what every route offers, so that it learns nothing that a user of the route
//! could not learn, and no node does anything for it that it would not do for others:
//!
//! * A worker is asked for with a [probe](ockam_actix_runtime::watch::probe): a watch, which its
//!   node answers and the worker never sees. Forwarders and relays pass it on, so the answer comes
//!   from the node after them.
//! * A node is asked for a worker with a random name, which it does not have: the notice that says
//!   so comes from there.
//! * A secure channel is established, as any other is, and closed at the end.
//! * The outlet is asked for a stream, along which nothing is let through, and which is reset.
//!
//! One question is under way at a time, and each has one answer. All of them are counted, limited
//! and refused as the messages of any stranger are.
//!
//! * [`report`]: what a trace has found.
//! * [`reason`]: failures in words, and what to do about them; pure.
//! * `target`: a stream to the target, for as long as it takes to open.

pub mod reason;
pub mod report;
mod target;

use std::{fmt, sync::Arc, time::Duration};

use ockam_actix_runtime::{
    edge::first_hop::FirstHop, Address, Error, Host, Node, Notice, Result, Route,
    UndeliverableReason,
};
use tokio::time::{timeout, Instant};

use crate::{
    entity::{Entity, Pinned, SecureChannels},
    forwarder::address::ForwardingAddress,
    identity::policy::TrustPolicy,
    secure_channel::{SecureChannel, SecureChannelOptions},
    trace::{
        reason::Reason,
        report::{HopRole, HopSight, Trace, TraceFailure, TracedHop},
        target::Refusal,
    },
};

/// How often each hop is asked, unless a program says otherwise.
const COUNT: usize = 3;

/// The most often that each hop is asked.
const MAX_COUNT: usize = 1_000;

/// How long an answer may take, unless a program says otherwise: longer than a connection takes to
/// find that its peer is gone.
const PATIENCE: Duration = Duration::from_secs(6);

/// What is traced.
///
/// ```
/// use ockam_actix_runtime::route;
/// use ockam_actix_workers::trace::TraceOptions;
///
/// // To an outlet without a secure channel, and to its target.
/// let plain = TraceOptions::along(route!["tcp#127.0.0.1:4000", "outlet"]).open_stream("");
/// # let _ = plain;
/// ```
#[derive(Clone)]
#[must_use]
pub struct TraceOptions {
    route: Route,
    channel: Option<Through>,
    target: Option<String>,
    count: usize,
    limit: Duration,
}

/// A channel at the end of the traced route, and what comes after it.
#[derive(Clone)]
struct Through {
    entity: Entity,
    policy: Arc<dyn TrustPolicy>,
    onward: Route,
}

impl TraceOptions {
    /// The hops of `route`.
    pub fn along(route: impl Into<Route>) -> Self {
        Self { route: route.into(), channel: None, target: None, count: COUNT, limit: PATIENCE }
    }

    /// At the end of the route, a secure channel of `entity` with the listener there, which has to
    /// be trusted by `policy`; and then the hops of `onward` at its other end.
    pub fn through_channel(
        mut self,
        entity: &Entity,
        policy: impl TrustPolicy,
        onward: impl Into<Route>,
    ) -> Self {
        let (entity, policy) = (entity.clone(), Arc::new(policy));
        self.channel = Some(Through { entity, policy, onward: onward.into() });
        self
    }

    /// At last a stream to the target of the outlet there, which sees a client that connects and
    /// says nothing. `target` is `host:port` for an outlet whose clients name what they connect to,
    /// and otherwise empty.
    pub fn open_stream(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Asks each hop so many times, 3 if this is not called, at least once and at most 1,000 times.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count.clamp(1, MAX_COUNT);
        self
    }

    /// Waits for each answer for up to `limit`, and as long for a connection or a channel; 6 s if
    /// this is not called.
    pub const fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl fmt::Debug for TraceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceOptions")
            .field("route", &self.route)
            .field("onward", &self.channel.as_ref().map(|channel| &channel.onward))
            .field("target", &self.target)
            .field("count", &self.count)
            .field("limit", &self.limit)
            .finish()
    }
}

/// Asks the hops of a route one after the other, until the last one or the first that fails.
///
/// As with all notices, any node on a route can make answers up for what is after it: only the hops
/// after a secure channel are known to have answered themselves.
///
/// ```no_run
/// # async fn example(ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::route;
/// use ockam_actix_workers::{
///     trace::{trace, TraceOptions},
///     Entity, TrustEveryonePolicy, Vault,
/// };
///
/// let entity = Entity::create(&ctx, &Vault::create(&ctx)?)?;
/// let listener = route!["tcp#127.0.0.1:4000", "secure_channel_listener_service"];
/// let options = TraceOptions::along(listener)
///     .through_channel(&entity, TrustEveryonePolicy, "outlet")
///     .open_stream("");
/// let found = trace(&ctx, options).await?;
/// for hop in &found.hops {
///     println!("{}: {:?}", hop.name, hop.round_trips);
/// }
/// if let Some(failure) = found.failure {
///     println!("{}; {}", failure.reason, failure.remedy);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the route is invalid, or no transport of this node dials its first hop. What fails on the way
/// is no error, but [`Trace::failure`].
pub async fn trace(node: &impl AsRef<Node>, options: TraceOptions) -> Result<Trace> {
    let node = node.as_ref();
    let TraceOptions { route, channel, target, count, limit } = options;
    let pinned = Pinned::of(&route)?;
    let sight = match channel {
        Some(_) => HopSight::SizesOnly,
        None => HopSight::Contents,
    };
    let found = Trace { hops: Vec::new(), failure: None, trusts_anyone: false };
    let mut tracer = Tracer { node, count, limit, sight, passed: 0, found };
    let traced = async {
        let mut last = pinned.route.clone();
        let _connection = tracer.connect(&last).await?;
        tracer.walk(None, &last).await?;
        let mut channel_to_close = None;
        if let Some(through) = channel {
            tracer.found.trusts_anyone = pinned.pin.is_none() && through.policy.trusts_everyone();
            let channel = tracer.establish(route, &through).await?;
            let far = Address::from(&channel_to_close.insert(channel).0);
            tracer.walk(Some(&far), &through.onward).await?;
            last = std::iter::once(far).chain(through.onward.iter().cloned()).collect();
        }
        if let Some(target) = target {
            tracer.open(&last, &target).await?;
        }
        drop(channel_to_close);
        Ok(())
    };
    match traced.await {
        Ok(()) => {}
        Err(Halt::Failed(reason)) => tracer.failed(&reason),
        Err(Halt::Error(error)) => return Err(error),
    }
    Ok(tracer.found)
}

/// A channel that ends with the trace.
struct Closing(SecureChannel);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What a trace ends with before its end.
enum Halt {
    /// The hop that was added last did not answer as it should.
    Failed(Reason),
    /// The trace itself cannot go on.
    Error(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        match error {
            Error::TimedOut { limit, .. } => Self::Failed(Reason::Late(limit)),
            error => Self::Error(error),
        }
    }
}

struct Tracer<'a> {
    node: &'a Node,
    count: usize,
    limit: Duration,
    /// Of the hops that come next.
    sight: HopSight,
    /// How many connections and channels the last answer came in by.
    passed: usize,
    found: Trace,
}

impl Tracer<'_> {
    /// Adds a hop, which the next questions are about.
    fn enter(&mut self, name: impl fmt::Display, role: HopRole) -> &mut TracedHop {
        let (name, sight) = (name.to_string(), self.sight);
        let (setup, round_trips, peer) = (None, Vec::new(), None);
        self.found.hops.push(TracedHop { name, role, sight, setup, round_trips, peer });
        self.current()
    }

    fn current(&mut self) -> &mut TracedHop {
        self.found.hops.last_mut().expect("a hop was entered before")
    }

    fn failed(&mut self, reason: &Reason) {
        let Some(hop) = self.found.hops.last() else { return };
        let (text, remedy) = (reason.to_string(), reason.remedy(hop.role).to_owned());
        self.found.failure = Some(TraceFailure { reason: text, remedy });
    }

    /// Makes the connection that the route begins with, if it begins with one.
    async fn connect(&mut self, route: &Route) -> Result<FirstHop, Halt> {
        let mut first_hop = self.node.first_hop(route)?;
        if first_hop.is_watched() {
            self.enter(&first_hop.address, role_of(&first_hop.address));
            let began = Instant::now();
            match timeout(self.limit, first_hop.attempted()).await {
                Ok(Ok(())) => self.current().setup = Some(began.elapsed()),
                Ok(Err(why)) => return Err(Halt::Failed(Reason::NotConnected(why))),
                Err(_) => return Err(Halt::Failed(Reason::Late(self.limit))),
            }
        }
        Ok(first_hop)
    }

    /// Asks each hop of `route`, in order, which `before` leads to.
    async fn walk(&mut self, before: Option<&Address>, route: &Route) -> Result<(), Halt> {
        let mut passed: Vec<_> = before.into_iter().cloned().collect();
        for (index, address) in route.iter().enumerate() {
            passed.push(address.clone());
            let so_far: Route = passed.iter().cloned().collect();
            let is_entered = before.is_none() && index == 0 && !self.found.hops.is_empty();
            if !is_entered {
                self.enter(address, role_of(address));
            }
            match address.dial_parts() {
                Some(_) => self.ask_node(&so_far).await?,
                None => self.ask_worker(&so_far).await?,
            }
        }
        Ok(())
    }

    /// Asks the node at the end of `route`, by a worker that it has not.
    async fn ask_node(&mut self, route: &Route) -> Result<(), Halt> {
        let nobody = Address::random();
        self.ask(&route.then(nobody.clone()), |notice| {
            notice.reason == UndeliverableReason::Unreachable && notice.hop == nobody
        })
        .await
    }

    /// Asks the node of the worker at the end of `route` for it.
    async fn ask_worker(&mut self, route: &Route) -> Result<(), Halt> {
        let before = self.passed;
        self.ask(route, |notice| notice.reason == UndeliverableReason::Held).await?;
        // The node that it forwards to answers, so one connection more is passed than to its hub.
        if self.current().role == HopRole::Forwarder && self.passed > before + 1 {
            self.enter("another hub of the cluster", HopRole::OtherHub);
            let last = self.found.hops.len() - 1;
            self.found.hops.swap(last - 1, last);
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        route: &Route,
        is_answer: impl Fn(&Notice) -> bool,
    ) -> Result<(), Halt> {
        for _ in 0..self.count {
            let probed = self.node.probe(route, self.limit).await?;
            if !is_answer(&probed.notice) {
                let name = self.current().name.clone();
                return Err(Halt::Failed(Reason::of_notice(probed.notice, &name)));
            }
            self.passed = probed.passed;
            self.current().round_trips.push(probed.round_trip);
        }
        Ok(())
    }

    /// Establishes a channel along `route`, and asks the node at its other end.
    async fn establish(&mut self, route: Route, through: &Through) -> Result<Closing, Halt> {
        // Who is at the other end reads what is sent.
        self.sight = HopSight::Contents;
        self.enter("secure channel", HopRole::Channel);
        let options = SecureChannelOptions::to(route).any_trusted_peer();
        let began = Instant::now();
        let mut entity = through.entity.clone();
        let channel = Closing(entity.create_secure_channel(options, through.policy.clone())?);
        let peer = match timeout(self.limit, channel.0.attempted()).await {
            Ok(Ok(peer)) => peer,
            Ok(Err(failed)) => return Err(Halt::Failed(Reason::NoChannel(failed))),
            Err(_) => return Err(Halt::Failed(Reason::Late(self.limit))),
        };
        let hop = self.current();
        (hop.setup, hop.peer) = (Some(began.elapsed()), Some(peer));
        self.ask_node(&Route::from(Address::from(&channel.0))).await?;
        Ok(channel)
    }

    /// Opens a stream to the target of the outlet at the end of `route`.
    async fn open(&mut self, route: &Route, target: &str) -> Result<(), Halt> {
        let name = if target.is_empty() { "target" } else { target };
        self.enter(name, HopRole::Target);
        let opening = target::open(self.node, route, target, self.limit);
        match opening.await? {
            Ok(took) => self.current().setup = Some(took),
            Err(Refusal::Stream(refused)) => return Err(Halt::Failed(Reason::NoTarget(refused))),
            Err(Refusal::Notice(notice)) => {
                let name = route.last().map(ToString::to_string).unwrap_or_default();
                return Err(Halt::Failed(Reason::of_notice(notice, &name)));
            }
        }
        Ok(())
    }
}

fn role_of(address: &Address) -> HopRole {
    match address.dial_parts() {
        Some(_) => HopRole::Node,
        None if ForwardingAddress::is_meant_by(address.as_str()) => HopRole::Forwarder,
        None => HopRole::Worker,
    }
}
