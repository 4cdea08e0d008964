//! Networks of nodes in one process, for tests: one thread, virtual time, and a seed.
//!
//! A [`Network`] has hosts with names, and links between them that delay, lose and are cut. Nodes
//! on them run the same code as in production, with [`TcpTransport`](crate::TcpTransport), secure
//! channels, hubs and portals; only the sockets below them are simulated. Nothing takes real time
//! but the computing: when all tasks wait, the clock jumps to the next moment at which something
//! happens. So an outage of ten minutes takes milliseconds:
//!
//! ```
//! use std::time::Duration;
//!
//! use ockam::{route, testing::Network, Echoer, ListenOptions, Result, TcpTransport, TCP};
//!
//! # fn main() -> Result<()> {
//! let net = Network::seeded(7);
//! let (hub, a) = (net.node("hub"), net.node("a"));
//! net.run(async {
//!     Echoer::start(&hub, "echo")?;
//!     let listen = ListenOptions::on("hub:4000").expose("echo");
//!     TcpTransport::create(&hub).await?.listen(listen).await?;
//!     TcpTransport::create(&a).await?;
//!
//!     let (ctx, route) = (a.context()?, route![(TCP, "hub:4000"), "echo"]);
//!     let answer: String = ctx.ask(route.clone(), String::from("hello")).reply_as().await?;
//!     assert_eq!(answer, "hello");
//!
//!     net.cut("a", "hub");
//!     net.sleep(Duration::from_secs(600)).await;
//!     assert!(ctx.ask(route.clone(), String::from("lost")).reply_as::<String>().await.is_err());
//!
//!     net.mend("a", "hub");
//!     net.sleep(Duration::from_secs(10)).await;
//!     let answer: String = ctx.ask(route, String::from("again")).reply_as().await?;
//!     assert_eq!(answer, "again");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # The same seed, the same run
//!
//! Everything random follows from the seed: which segments are lost, the pauses before attempts,
//! addresses. So two runs with the same seed have the same [log](Network::log), byte for byte, and
//! a failure can be repeated. A network that is dropped by a panic prints its seed and the
//! last lines of its log; `OCKAM_LOG_LINES` says how many, 40 otherwise. [`explore`] runs a test
//! with many seeds.
//!
//! `docs/testing.md` shows tests to begin with, all faults, and what is virtual and what is not.

mod node;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    env, fmt,
    future::Future,
    thread,
    time::Duration,
};

use actix_rt::SystemRunner;
use ockam_actix_runtime::simulated::{Random, Scope, SimulatedNetwork};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

pub use node::{Booting, TestNode};
pub use ockam_actix_runtime::simulated::{Host, LinkOptions, Listener, Stream};

/// How long, in virtual time, a test may run: more than any outage, and an end for one that waits
/// for what never happens.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Lines of the log that a failure shows.
const SHOWN_LINES: usize = 40;

/// A network of hosts and nodes in this thread, with virtual time.
///
/// See the [module](self) for an example.
pub struct Network {
    seed: u64,
    network: SimulatedNetwork,
    random: RefCell<Random>,
    scope: RefCell<Option<Scope>>,
    /// The names of those that were started.
    nodes: RefCell<BTreeSet<String>>,
    runner: SystemRunner,
    is_running: Cell<bool>,
}

impl Network {
    /// A network without hosts, in which everything random follows from `seed`.
    ///
    /// # Panics
    /// If the system has no descriptor for an event loop.
    pub fn seeded(seed: u64) -> Self {
        let runner = actix_rt::System::with_tokio_rt(|| {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime without sockets takes nothing from the system")
        });
        let network = runner.block_on(async {
            let network = SimulatedNetwork::new(seed);
            actix_rt::spawn(network.clone().run());
            network
        });
        Self {
            seed,
            random: RefCell::new(Random::of(seed, "test")),
            scope: RefCell::new(Some(network.scope())),
            nodes: RefCell::default(),
            network,
            runner,
            is_running: Cell::new(false),
        }
    }

    /// Runs `test`, and the network with it, until it is done.
    ///
    /// # Panics
    /// If `test` does, or waits for what never happens.
    pub fn run<T>(&self, test: impl Future<Output = T>) -> T {
        let done = async { timeout(LIMIT, test).await };
        let running = Running::new(&self.is_running);
        let result = self.enter(|| self.runner.block_on(done));
        drop(running);
        result.unwrap_or_else(|_| panic!("the test was not done after {LIMIT:?} of virtual time"))
    }

    /// Runs `inside` with random bits that follow from the seed.
    fn enter<T>(&self, inside: impl FnOnce() -> T) -> T {
        match self.scope.take() {
            None => inside(),
            mut scope => {
                let result = Scope::run(&mut scope, inside);
                self.scope.replace(scope);
                result
            }
        }
    }

    /// Runs `start` where tasks can be started.
    fn start<T>(&self, start: impl FnOnce() -> T) -> T {
        match self.is_running.get() {
            true => start(),
            false => self.enter(|| self.runner.block_on(async { start() })),
        }
    }

    // ----- hosts ---------------------------------------------------------------------------------

    /// Starts a node on the host with this name, which other nodes dial as `(TCP, "name:port")`.
    ///
    /// # Panics
    /// If a node of that name was started before.
    pub fn node(&self, name: &str) -> TestNode {
        let is_new = self.nodes.borrow_mut().insert(name.to_owned());
        assert!(is_new, "a node \"{name}\" was started before: keep it, or use TestNode::restart");
        let host = self.host(name);
        self.start(|| TestNode::start(host))
    }

    /// The host with this name, for clients and servers that are no nodes; it is added if there is
    /// none.
    pub fn host(&self, name: &str) -> Host {
        Host::of(&self.network, name)
    }

    // ----- links and faults ----------------------------------------------------------------------

    /// Sets how links are that nobody has set; 1 ms of latency otherwise.
    pub fn set_links(&self, options: LinkOptions) {
        self.network.set_default_link(options);
    }

    /// Sets how the link between two hosts treats what is sent from now on.
    pub fn set_link(&self, one: &str, other: &str, options: LinkOptions) {
        self.host(one).set_link(&self.host(other), options);
    }

    /// Lets nothing pass between two hosts from now on. Connections stay until their ends notice.
    pub fn cut(&self, one: &str, other: &str) {
        self.host(one).set_up(&self.host(other), false);
    }

    /// Lets everything pass between two hosts again.
    pub fn mend(&self, one: &str, other: &str) {
        self.host(one).set_up(&self.host(other), true);
    }

    /// Cuts all links between the hosts of one group and those of another.
    pub fn partition(&self, some: &[&str], others: &[&str]) {
        for one in some {
            others.iter().for_each(|other| self.cut(one, other));
        }
    }

    /// Mends all links between the hosts of one group and those of another.
    pub fn heal(&self, some: &[&str], others: &[&str]) {
        for one in some {
            others.iter().for_each(|other| self.mend(one, other));
        }
    }

    // ----- time, chance and the log --------------------------------------------------------------

    /// Waits for as long in virtual time: things happen meanwhile.
    pub async fn sleep(&self, time: Duration) {
        sleep(time).await;
    }

    /// The virtual time since the network was made.
    pub fn elapsed(&self) -> Duration {
        self.network.elapsed()
    }

    /// A number below `limit` that follows from the seed.
    pub fn random(&self, limit: u64) -> u64 {
        self.random.borrow_mut().below(limit)
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What has happened so far, a line each: the virtual time in seconds, and what it was.
    /// Connections have numbers, in the order in which they were made.
    pub fn log(&self) -> String {
        self.network.log()
    }

    /// Adds a line of the test's own to the log.
    pub fn note(&self, what: impl fmt::Display) {
        self.network.note(format_args!("{what}"));
    }

    /// The TCP connections that there are, a line each, including those of which only one end
    /// knows.
    pub fn connections(&self) -> Vec<String> {
        self.network.connections()
    }
}

/// While a test runs.
struct Running<'a>(&'a Cell<bool>);

impl<'a> Running<'a> {
    fn new(is_running: &'a Cell<bool>) -> Self {
        assert!(!is_running.replace(true), "a network runs one test at a time");
        Self(is_running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({})", self.seed)
    }
}

impl Drop for Network {
    /// A failure shows how to see it again.
    fn drop(&mut self) {
        if thread::panicking() {
            let (seed, log) = (self.seed, self.network.log());
            let lines: Vec<_> = log.lines().collect();
            let shown = number_in("OCKAM_LOG_LINES").map_or(SHOWN_LINES, |set| set as usize);
            let last = &lines[lines.len().saturating_sub(shown)..];
            eprintln!("the last of {} lines of the log:\n{}", lines.len(), last.join("\n"));
            eprintln!("failed with seed {seed}: run the test again with OCKAM_SEED={seed}");
        }
    }
}

/// Runs `test` in a new network for each of `seeds` seeds, from 0 on.
///
/// The environment variable `OCKAM_SEEDS` sets another number of them, and `OCKAM_SEED` the only
/// one, to look at a failure again.
///
/// ```
/// use ockam::testing::explore;
///
/// explore(3, |net| {
///     let node = net.node("a");
///     net.run(async { assert!(!node.as_ref().is_stopping()) });
/// });
/// ```
///
/// # Panics
/// If `test` does; the seed is printed. If one of the variables is no number.
pub fn explore(seeds: u64, test: impl Fn(&Network)) {
    let range = match number_in("OCKAM_SEED") {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..number_in("OCKAM_SEEDS").unwrap_or(seeds),
    };
    range.for_each(|seed| test(&Network::seeded(seed)));
}

/// The number in an environment variable, if it is set.
fn number_in(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    // A wrong number must not look like a test that has passed.
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}: not a number")))
}
