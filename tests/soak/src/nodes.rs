//! The programs of step 04: started, killed, and started again at the same addresses.

use crate::slope::Point;
use ockam_actix_harness::{
    process::{Process, READY_WITHIN},
    program::clean,
    random::Random,
    scratch::Scratch,
    usage,
};
use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// The system gives no outgoing connection one of these ports, so a program finds its own free when
/// it starts again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// For how many seconds the outlet keeps its targets for an inlet that is gone: longer than any
/// program is away, and short, because the tunnel must be at rest before the next one is killed.
pub(crate) const RESUME_FOR_SECONDS: u64 = 6;

/// What a hub prints before its address once it listens.
const LISTENS: &str = "hub on ";

/// What comes before the route in the line that an outlet prints.
const ROUTE: &str = "--route '";

/// One of the four programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `ockam hub`.
    Hub,
    /// `ockam outlet`.
    Outlet,
    /// `ockam inlet`.
    Inlet,
    /// The server that the tunnel leads to, a copy of this program.
    Target,
}

impl Program {
    /// In the order in which they need each other.
    pub(crate) const ALL: [Self; 4] = [Self::Hub, Self::Target, Self::Outlet, Self::Inlet];
    /// Those under test.
    pub(crate) const OURS: [Self; 3] = [Self::Hub, Self::Outlet, Self::Inlet];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Outlet => "outlet",
            Self::Inlet => "inlet",
            Self::Target => "target",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One life of a program.
pub(crate) struct Generation {
    /// Its process.
    pub(crate) process: Process,
    /// When it was started.
    pub(crate) started: Instant,
    /// Connections through the tunnel, and memory resident, whenever the tunnel was at rest.
    pub(crate) at_rest: Vec<Point>,
}

/// The four programs, and what they keep over their restarts.
pub(crate) struct Tunnel {
    /// Where clients connect.
    pub(crate) inlet: SocketAddr,
    /// Where the target listens.
    pub(crate) target: SocketAddr,
    ockam: PathBuf,
    hub: SocketAddr,
    route: String,
    running: Vec<(Program, Generation)>,
    scratch: Scratch,
}

impl Tunnel {
    /// Starts all four, the outlet with an identity that it keeps.
    pub(crate) fn start(ockam: &Path, random: &mut Random) -> io::Result<Self> {
        let scratch = Scratch::new()?;
        let mut port = || free_port(random);
        let (hub, target, inlet) = (port()?, port()?, port()?);
        let running = Vec::new();
        let (ockam, route) = (ockam.to_owned(), String::new());
        let mut tunnel = Self { inlet, target, ockam, hub, route, running, scratch };
        let created = tunnel.with_identity(&["identity", "create", "web"]).output()?;
        if !created.status.success() {
            let why = String::from_utf8_lossy(&created.stderr).into_owned();
            return Err(io::Error::other(format!("no identity for the outlet: {why}")));
        }
        Program::ALL.iter().try_for_each(|program| tunnel.start_one(*program))?;
        Ok(tunnel)
    }

    /// Starts a program; an outlet must be at the same address as before.
    pub(crate) fn start_one(&mut self, program: Program) -> io::Result<()> {
        let started = Instant::now();
        let process = match program {
            Program::Hub => {
                let hub = self.ockam(program, &["hub", &self.hub.to_string()])?;
                // An outlet that is started before its hub listens gives up.
                hub.wait_for_line(0, LISTENS, READY_WITHIN)?;
                hub
            }
            Program::Outlet => self.outlet()?,
            Program::Inlet => {
                let listen = self.inlet.to_string();
                self.ockam(program, &["inlet", "--listen", &listen, "--route", &self.route])?
            }
            Program::Target => {
                let at = self.target.to_string();
                Process::role(program.name(), program.name(), &[&at])?.0
            }
        };
        self.running.push((program, Generation { process, started, at_rest: Vec::new() }));
        Ok(())
    }

    /// Kills a program, with SIGKILL, and returns what was known of its life.
    pub(crate) fn kill(&mut self, program: Program) -> io::Result<Generation> {
        let index = self.running.iter().position(|(running, _)| *running == program);
        let index = index.ok_or_else(|| io::Error::other(format!("no {program} is running")))?;
        let (_, mut generation) = self.running.swap_remove(index);
        generation.process.kill()?;
        Ok(generation)
    }

    /// What runs now, but for the target.
    pub(crate) fn ours(&mut self) -> impl Iterator<Item = (Program, &mut Generation)> {
        let ours = self.running.iter_mut().filter(|(program, _)| *program != Program::Target);
        ours.map(|(program, generation)| (*program, generation))
    }

    /// Fails if one of them has ended by itself, or has panicked.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        self.running.iter_mut().try_for_each(|(_, generation)| check(generation))
    }

    /// The most memory that each of ours had so far in its present life.
    pub(crate) fn peaks(&mut self) -> Vec<(Program, u64)> {
        self.ours()
            .map(|(program, life)| (program, usage::peak_memory(life.process.id())))
            .collect()
    }

    /// The last lines of each program.
    pub(crate) fn last_words(&self) -> String {
        self.running
            .iter()
            .map(|(_, life)| format!("{}\n", life.process.complaint("said last")))
            .collect()
    }

    fn outlet(&mut self) -> io::Result<Process> {
        let (to, via) = (self.target.to_string(), self.hub.to_string());
        let mut command =
            self.with_identity(&["outlet", "--to", &to, "--via", &via, "--identity", "web"]);
        command.args(["--resume-for", &RESUME_FOR_SECONDS.to_string()]);
        let process = Process::start(Program::Outlet.name(), &mut command)?;
        let line = process.wait_for_line(0, ROUTE, READY_WITHIN)?;
        let route = line.split(ROUTE).nth(1).and_then(|rest| rest.split('\'').next());
        let route = route.unwrap_or_default().to_owned();
        if !self.route.is_empty() && self.route != route {
            let text = format!("another forwarding address, not {:?} but {route:?}", self.route);
            return Err(io::Error::other(text));
        }
        self.route = route;
        Ok(process)
    }

    fn ockam(&self, program: Program, arguments: &[&str]) -> io::Result<Process> {
        Process::start(program.name(), &mut self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(&self.ockam);
        command.args(arguments);
        command
    }

    fn with_identity(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.arg("--vault").arg(self.scratch.path("vault"));
        command.arg("--key-file").arg(self.scratch.path("key"));
        command
    }
}

/// Fails if a program has ended by itself, or has panicked.
pub(crate) fn check(generation: &mut Generation) -> io::Result<()> {
    generation.process.check_alive()?;
    panicked(generation)
}

/// Fails if a program, which may have been killed since, has panicked.
pub(crate) fn panicked(generation: &Generation) -> io::Result<()> {
    match generation.process.panicked() {
        Some(line) => Err(io::Error::other(format!("{}: {line}", generation.process.title()))),
        None => Ok(()),
    }
}

/// An address of this machine that nobody listens on, and that the system gives to no connection.
pub(crate) fn free_port(random: &mut Random) -> io::Result<SocketAddr> {
    let tries = 100;
    for _ in 0..tries {
        let port = PORTS.start + random.below(PORTS.len() as u64) as u16;
        // If another program has it by the time it is used, the one that cannot have it says so.
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr();
        }
    }
    Err(io::Error::other(format!("no free port among {tries} of {PORTS:?}")))
}
