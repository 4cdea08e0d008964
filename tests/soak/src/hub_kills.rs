//! Hubs that are killed and started again under connections that last: none may be reset, no byte
//! may be wrong, and the echo among them shows how long each kill held them up.

use crate::{
    everyday::{self, Everyday},
    nodes::free_port,
    options::Options,
};
use ockam_actix_harness::{
    deadline::PATIENCE,
    lasting::{Carried, Lasting},
    machine,
    process::{Process, READY_WITHIN},
    program::clean,
    progress::Progress,
    random::Random,
    table::table,
    target::Target,
};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The longest time between two kills, once all goes on again, and the shortest.
const QUIET: Duration = Duration::from_millis(1500);
const SHORTEST_QUIET: Duration = Duration::from_millis(300);

/// What the echo may wait at the median and at most, in seconds: with one hub, which has to start
/// again, and with another one to go to.
const ONE_HUB: [f64; 2] = [1.5, 3.0];
const MORE_HUBS: [f64; 2] = [1.0, 2.0];

/// The hubs, at addresses that they keep.
struct Hubs {
    ockam: PathBuf,
    running: Vec<(SocketAddr, Process)>,
}

impl Hubs {
    fn start(ockam: &Path, count: usize, random: &mut Random) -> io::Result<Self> {
        let mut hubs = Self { ockam: ockam.to_owned(), running: Vec::new() };
        for _ in 0..count.max(1) {
            let address = free_port(random)?;
            hubs.running.push((address, hubs.hub(address)?));
        }
        Ok(hubs)
    }

    fn hub(&self, address: SocketAddr) -> io::Result<Process> {
        let hub = Process::start("hub", clean(&self.ockam).args(["hub", &address.to_string()]))?;
        hub.wait_for_line(0, "hub on ", READY_WITHIN)?;
        Ok(hub)
    }

    /// As `--via` takes them.
    fn list(&self) -> String {
        let all = self.running.iter().map(|(address, _)| address.to_string());
        all.collect::<Vec<_>>().join(",")
    }

    /// Kills one and starts it again at once.
    fn restart(&mut self, index: usize) -> io::Result<()> {
        let address = self.running[index].0;
        self.running[index].1.kill()?;
        self.running[index].1 = self.hub(address)?;
        Ok(())
    }
}

/// An outlet to a server, and an inlet for it, which are not killed.
pub(crate) struct Service {
    /// Where clients connect.
    pub(crate) inlet: SocketAddr,
    outlet: Process,
    _inlet: Process,
}

impl Service {
    /// Starts both; `via` are the hubs.
    fn start(ockam: &Path, via: &str, target: &str) -> io::Result<Self> {
        let start =
            |title: &str, arguments: &[&str]| Process::start(title, clean(ockam).args(arguments));
        let outlet = start("outlet", &["outlet", "--to", target, "--via", via])?;
        let line = outlet.wait_for_line(0, "--route '", READY_WITHIN)?;
        let route = line.split('\'').nth(1).unwrap_or_default();
        let inlet = start("inlet", &["inlet", "--listen", "127.0.0.1:0", "--route", route])?;
        let line = inlet.wait_for_line(0, "inlet on ", READY_WITHIN)?;
        let address = line.split("inlet on ").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_default().parse().map_err(io::Error::other)?;
        Ok(Self { inlet: address, outlet, _inlet: inlet })
    }
}

/// Kills hubs as often as the options say, and reports.
pub(crate) fn run(options: &Options, kills: usize, command: &str, ockam: &Path) -> io::Result<()> {
    let (begun, seed) = (Instant::now(), options.seed());
    eprintln!("soak: seed {seed}");
    let mut random = Random::new(seed);
    let mut hubs = Hubs::start(ockam, options.hubs, &mut random)?;
    let via = hubs.list();
    let target = Target::start();
    let service = Service::start(ockam, &via, &target.address())?;
    let programs = everyday::start(|server| Service::start(ockam, &via, &server.to_string()))?;
    let lasting = Lasting::begin(service.inlet, PATIENCE)?;
    let mut moments = Vec::new();
    let progress = Progress::of("kills");
    for kill in 0..kills {
        progress.now(format!("{kill} of {kills} kills"));
        let quiet = QUIET.mul_f64(random.below(1000) as f64 / 1000.0);
        thread::sleep(quiet.max(SHORTEST_QUIET));
        let (before, many) = (service.outlet.line_count(), hubs.running.len());
        moments.push(Instant::now());
        hubs.restart(kill % many)?;
        lasting.moves_after(Instant::now(), PATIENCE)?;
        // The next hub is killed when the outlet is at this one again.
        service.outlet.wait_for_line(before, "at the same address", PATIENCE)?;
    }
    drop(progress);
    let stalls = lasting.stalls(&moments);
    eprintln!("the echo stalled {stalls:.2?}");
    let carried = lasting.end()?;
    if target.accepted() != Lasting::CONNECTIONS {
        return Err(io::Error::other("a connection was opened anew"));
    }
    let programs = programs.into_iter().map(Everyday::end).collect::<io::Result<Vec<_>>>()?;
    let mut text = machine::list(&machine::facts(command, &[]));
    text += &format!("- Seed: {seed}\n- Duration: {:.0} s\n\n", begun.elapsed().as_secs_f64());
    let judged = Judged::of(stalls, if hubs.running.len() == 1 { ONE_HUB } else { MORE_HUBS });
    text += &judged.show(kills, carried, &programs);
    println!("{text}");
    options.save_markdown(&text)?;
    judged.outcome()
}

/// The stalls, and what they may be.
struct Judged {
    stalls: Vec<f64>,
    aims: [f64; 2],
}

impl Judged {
    fn of(stalls: Vec<Duration>, aims: [f64; 2]) -> Self {
        let mut stalls: Vec<f64> = stalls.iter().map(Duration::as_secs_f64).collect();
        stalls.sort_by(f64::total_cmp);
        Self { stalls, aims }
    }

    /// The median and the longest.
    fn found(&self) -> [f64; 2] {
        let at = |index| self.stalls.get(index).copied().unwrap_or_default();
        [at(self.stalls.len() / 2), at(self.stalls.len().saturating_sub(1))]
    }

    fn show(&self, kills: usize, carried: Carried, programs: &[(String, String)]) -> String {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let ([median, most], [median_aim, most_aim]) = (self.found(), self.aims);
        let Carried { down, up, answers } = carried;
        let bytes = format!("wrong bytes of {down} down, {up} up, {answers} answers");
        let mut lines = vec![
            row([&format!("{kills} hubs killed"), "found", "aim"]),
            row(["resets", "0", "0"]),
            row([&bytes, "0", "0"]),
            row(["stall s, median", &format!("{median:.2}"), &format!("<= {median_aim:.1}")]),
            row(["stall s, most", &format!("{most:.2}"), &format!("<= {most_aim:.1}")]),
        ];
        lines.extend(programs.iter().map(|(name, carried)| row([name, carried, "whole"])));
        table(&lines)
    }

    fn outcome(&self) -> io::Result<()> {
        let ([median, most], [median_aim, most_aim]) = (self.found(), self.aims);
        match median <= median_aim && most <= most_aim {
            true => Ok(()),
            false => Err(io::Error::other(format!("stalls of {median:.2} and {most:.2} s"))),
        }
    }
}
