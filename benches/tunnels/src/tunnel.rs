//! A tunnel under test: how it is started for a target, and what runs once it is.

use crate::{client, floor, haproxy, options::Options, socat, ssh, steps, stunnel};
use ockam_actix_harness::{
    deadline::wait_for,
    process::{Process, READY_WITHIN},
    scratch::Scratch,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
};

/// What a tunnel is to the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// No tunnel at all.
    Direct,
    /// The upper bound for one that seals.
    Floor,
    /// A peer that does not seal.
    Plain,
    /// A peer that seals, over one hop: what step 03 is measured against.
    Sealed,
    /// A peer that seals, through a hub: what step 04 is measured against.
    Hub,
    /// One of our steps.
    Ours,
    /// One of our steps in another build.
    Other,
}

/// How a tunnel's processes are started for a target.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// Independent of the build that is measured.
    Peer(fn(SocketAddr) -> io::Result<Running>),
    /// In copies of this program, or of another build's where the tunnel is [`Sort::Other`].
    Ours(fn(&Path, SocketAddr) -> io::Result<Running>),
}

/// A tunnel as the command line names it.
pub(crate) struct Kind {
    /// Its name.
    pub(crate) name: &'static str,
    /// One line for the report.
    pub(crate) about: &'static str,
    /// What it is compared as.
    pub(crate) sort: Sort,
    /// Files that one stream keeps open in the process that keeps most: 2 without multiplexing.
    pub(crate) files_per_stream: usize,
    /// How it is started.
    start: Start,
}

impl Kind {
    /// Starts its processes for a target, and waits until it works.
    pub(crate) fn start(&self, target: SocketAddr, options: &Options) -> io::Result<Running> {
        match self.start {
            Start::Peer(start) => start(target),
            Start::Ours(start) if self.sort == Sort::Other => start(&options.other()?, target),
            Start::Ours(start) => start(&std::env::current_exe()?, target),
        }
    }
}

/// Every tunnel there is, in the order of the report.
#[rustfmt::skip]
pub(crate) const ALL: &[Kind] = &[
    Kind { name: "direct", about: "no tunnel", sort: Sort::Direct, files_per_stream: 0, start: Start::Peer(Running::direct) },
    Kind { name: "floor", about: "read, seal or open 32 KiB, write: nothing else", sort: Sort::Floor, files_per_stream: 2, start: Start::Peer(floor::start) },
    Kind { name: "socat", about: "two socat, not encrypted", sort: Sort::Plain, files_per_stream: 2, start: Start::Peer(socat::start) },
    Kind { name: "ssh", about: "ssh -L, aes256-gcm", sort: Sort::Sealed, files_per_stream: 1, start: Start::Peer(ssh::start_direct) },
    Kind { name: "stunnel", about: "two stunnel, mutual TLS 1.3, AES-256-GCM", sort: Sort::Sealed, files_per_stream: 2, start: Start::Peer(stunnel::start) },
    Kind { name: "haproxy", about: "two haproxy, mutual TLS 1.3, AES-256-GCM", sort: Sort::Sealed, files_per_stream: 2, start: Start::Peer(haproxy::start) },
    Kind { name: "ssh-J", about: "ssh -J through a hub, -L, aes256-gcm", sort: Sort::Hub, files_per_stream: 1, start: Start::Peer(ssh::start_through_hub) },
    Kind { name: "step01", about: "inlet and outlet in one node, not encrypted", sort: Sort::Ours, files_per_stream: 2, start: Start::Ours(steps::start_01) },
    Kind { name: "step02", about: "two nodes, not encrypted", sort: Sort::Ours, files_per_stream: 1, start: Start::Ours(steps::start_02) },
    Kind { name: "step03", about: "two nodes, secure channel", sort: Sort::Ours, files_per_stream: 1, start: Start::Ours(steps::start_03) },
    Kind { name: "step04", about: "two nodes, secure channel through a hub", sort: Sort::Ours, files_per_stream: 1, start: Start::Ours(steps::start_04) },
    Kind { name: "two-hubs", about: "step 04 through two hubs of a cluster", sort: Sort::Ours, files_per_stream: 1, start: Start::Ours(steps::start_04_with_two_hubs) },
    Kind { name: "other01", about: "step 01 of the build that --programs names", sort: Sort::Other, files_per_stream: 2, start: Start::Ours(steps::start_01) },
    Kind { name: "other02", about: "step 02 of the build that --programs names", sort: Sort::Other, files_per_stream: 1, start: Start::Ours(steps::start_02) },
    Kind { name: "other03", about: "step 03 of the build that --programs names", sort: Sort::Other, files_per_stream: 1, start: Start::Ours(steps::start_03) },
    Kind { name: "other04", about: "step 04 of the build that --programs names", sort: Sort::Other, files_per_stream: 1, start: Start::Ours(steps::start_04) },
];

/// The tunnels of the comparison: all, but those of another build only where there is one.
pub(crate) fn compared(options: &Options) -> impl Iterator<Item = &'static str> {
    let other = options.has_other();
    ALL.iter().filter(move |kind| other || kind.sort != Sort::Other).map(|kind| kind.name)
}

/// The tunnels that `--only` names, or else those of `default`.
pub(crate) fn chosen<'a>(
    options: &Options,
    default: impl IntoIterator<Item = &'a str>,
) -> io::Result<Vec<&'static Kind>> {
    let default: Vec<&str> = default.into_iter().collect();
    let named: Vec<&str> = options.only.iter().map(String::as_str).collect();
    let names = if named.is_empty() { default } else { named };
    let known = || ALL.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    let find = |name: &&str| {
        let kind = ALL.iter().find(|kind| kind.name == *name);
        kind.ok_or_else(|| {
            io::Error::other(format!("no tunnel is called {name}; there are {}", known()))
        })
    };
    names.iter().map(find).collect()
}

/// A tunnel that works. Dropping it ends its processes, the entry first, and removes its files.
pub(crate) struct Running {
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
    /// What it is made of, none for `direct`.
    pub(crate) processes: Vec<Process>,
    _scratch: Option<Scratch>,
}

impl Running {
    /// Waits until a byte has gone through to the target and back.
    pub(crate) fn when_ready(
        listen: SocketAddr,
        processes: Vec<Process>,
        scratch: Option<Scratch>,
    ) -> io::Result<Self> {
        let mut running = Self { listen, processes, _scratch: scratch };
        wait_for("a byte to come through", READY_WITHIN, || match client::echo_once(listen) {
            Ok(()) => Ok(Ok(())),
            Err(error) => {
                let alive = running.processes.iter_mut().try_for_each(Process::check_alive);
                alive.map_or_else(|dead| Ok(Err(dead)), |()| Err(error))
            }
        })??;
        Ok(running)
    }

    fn direct(target: SocketAddr) -> io::Result<Self> {
        Self::when_ready(target, Vec::new(), None)
    }
}

/// Waits until `process` accepts connections at `address`.
pub(crate) fn await_listening(process: &mut Process, address: SocketAddr) -> io::Result<()> {
    let what = format!("{} to listen on {address}", process.title());
    wait_for(&what, READY_WITHIN, || match TcpStream::connect(address) {
        Ok(_) => Ok(Ok(())),
        Err(error) => process.check_alive().map_or_else(|dead| Ok(Err(dead)), |()| Err(error)),
    })?
}

/// An address of this machine that nothing listens on, for programs that cannot say which port the
/// system gave them.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Parses the address that a role was ready with.
pub(crate) fn parse(address: &str) -> io::Result<SocketAddr> {
    address
        .parse()
        .map_err(|error| io::Error::other(format!("{address:?} is not an address: {error}")))
}
