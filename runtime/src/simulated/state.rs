//! The state of a simulated network: its hosts, its links, and what happens at which time.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::{self, Write as _},
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    task::Waker,
};

use crate::{
    clock::Instant,
    simulated::{
        connection::{Connection, End},
        link::{Link, LinkOptions},
        scope::Random,
    },
};

/// The first port of those that are given to connections.
pub(super) const FIRST_PORT: u16 = 49_152;

/// What happens at its time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The first segment from this end arrives, or is sent again.
    Arrive { connection: u64, from: usize },
    /// The other end has taken nothing since.
    Blocked { connection: u64, from: usize, since: Instant },
    /// An idle end asks whether the other is there.
    Probe { connection: u64, end: usize },
}

/// A host.
#[derive(Debug)]
pub(super) struct HostState {
    pub(super) name: String,
    /// Whether it has power.
    pub(super) is_on: bool,
    pub(super) next_port: u16,
    /// How many nodes have begun on it: each has random bits of its own.
    pub(super) begun: u64,
}

/// A listening socket.
#[derive(Debug, Default)]
pub(super) struct Listening {
    pub(super) backlog: VecDeque<u64>,
    pub(super) waker: Option<Waker>,
}

/// All there is in a network.
#[derive(Debug)]
pub(super) struct State {
    began: Instant,
    pub(super) now: Instant,
    pub(super) random: Random,
    pub(super) hosts: Vec<HostState>,
    links: BTreeMap<(usize, usize), Link>,
    pub(super) default_link: LinkOptions,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) next_connection: u64,
    pub(super) listeners: BTreeMap<(usize, SocketAddr), Listening>,
    events: BTreeMap<(Instant, u64), Event>,
    next_event: u64,
    pub(super) log: String,
    pub(super) woken: Vec<Waker>,
}

impl State {
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        Self {
            began: now,
            now,
            random: Random::of(seed, "links"),
            hosts: Vec::new(),
            links: BTreeMap::new(),
            default_link: LinkOptions::new(),
            connections: BTreeMap::new(),
            next_connection: 1,
            listeners: BTreeMap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            log: String::new(),
            woken: Vec::new(),
        }
    }

    /// Adds a line to the log.
    pub(super) fn note(&mut self, what: fmt::Arguments<'_>) {
        let seconds = (self.now - self.began).as_secs_f64();
        // Writing to a string does not fail.
        let _ = writeln!(self.log, "{seconds:11.3} {what}");
    }

    // ----- hosts and links -----------------------------------------------------------------------

    /// The host with this name, added if there is none.
    pub(super) fn host(&mut self, name: &str) -> usize {
        if let Some(index) = self.hosts.iter().position(|host| host.name == name) {
            return index;
        }
        self.hosts.push(HostState {
            name: name.into(),
            is_on: true,
            next_port: FIRST_PORT,
            begun: 0,
        });
        self.hosts.len() - 1
    }

    /// The host with this address, as `from` sees it.
    pub(super) fn host_at(&self, from: usize, address: IpAddr) -> Option<usize> {
        match address {
            IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => Some(from),
            IpAddr::V4(ip) => (0..self.hosts.len()).find(|index| ip_of(*index) == ip),
            IpAddr::V6(_) => None,
        }
    }

    pub(super) fn link(&mut self, one: usize, other: usize) -> &mut Link {
        let options = self.default_link;
        let ends = (one.min(other), one.max(other));
        self.links.entry(ends).or_insert_with(|| Link::new(options))
    }

    /// Whether a segment gets from one host to another now.
    pub(super) fn passes(&mut self, from: usize, to: usize) -> bool {
        let are_on = self.hosts[from].is_on && self.hosts[to].is_on;
        let mut random = self.random.clone();
        let passes = are_on && (from == to || self.link(from, to).passes(&mut random));
        self.random = random;
        passes
    }

    /// When what `from` sends now arrives.
    pub(super) fn arrival(&mut self, from: usize, to: usize, bytes: usize) -> Instant {
        if from == to {
            return self.now;
        }
        let (now, mut random) = (self.now, self.random.clone());
        let at = self.link(from, to).send(usize::from(from > to), bytes, now, &mut random);
        self.random = random;
        at
    }

    /// Takes the power from a host: nobody hears of it.
    pub(super) fn switch_off(&mut self, host: usize) {
        self.hosts[host].is_on = false;
        let woken = &mut self.woken;
        for connection in self.connections.values_mut() {
            for end in 0..2 {
                if connection.hosts[end] == host {
                    connection.ends[end].fail(ErrorKind::ConnectionReset, woken);
                    connection.flows[end].clear();
                }
            }
        }
    }

    // ----- events --------------------------------------------------------------------------------

    pub(super) fn schedule(&mut self, at: Instant, event: Event) {
        self.next_event += 1;
        self.events.insert((at, self.next_event), event);
    }

    /// When the next event is due.
    pub(super) fn next_event(&self) -> Option<Instant> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Has happen what is due.
    pub(super) fn run_due(&mut self) {
        while self.next_event().is_some_and(|at| at <= self.now) {
            let Some((_, event)) = self.events.pop_first() else { return };
            match event {
                Event::Arrive { connection, from } => self.arrive(connection, from),
                Event::Blocked { connection, from, since } => {
                    self.check_blocked(connection, from, since);
                }
                Event::Probe { connection, end } => self.probe(connection, end),
            }
        }
    }

    /// The connections that somebody knows of, a line each.
    pub(super) fn describe(&self) -> Vec<String> {
        let describe = |(number, connection): (&u64, &Connection)| {
            let [one, other] = [0, 1].map(|end| {
                let name = self.name(connection.hosts[end], connection.addresses[end]);
                let End { is_held, is_dead, .. } = &connection.ends[end];
                let (wire, unsent) =
                    (connection.flows[end].wire.len(), connection.flows[end].unsent.len());
                let state = match (is_held, is_dead) {
                    (true, false) => "open",
                    (false, false) => "closing",
                    (_, true) => "dead",
                };
                format!("{name} ({state}, {wire} segments under way, {unsent} bytes unsent)")
            });
            format!("#{number} {one} - {other}")
        };
        self.connections.iter().map(describe).collect()
    }

    /// What people call an end of a connection.
    pub(super) fn name(&self, host: usize, address: SocketAddr) -> String {
        format!("{}:{}", self.hosts[host].name, address.port())
    }
}

/// The address of a host.
pub(super) fn ip_of(host: usize) -> Ipv4Addr {
    let number = u32::try_from(host + 1).unwrap_or(u32::MAX);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) | number)
}
