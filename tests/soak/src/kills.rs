//! Figure 14: programs are killed while clients are connected, and started again.

use crate::{
    held::{target_was_reset, Held},
    load::Load,
    nodes::{panicked, Program, Tunnel},
    recovery::await_recovery,
    report::{Life, Peaks},
    rest::Baseline,
    stall::judge_memory,
    traffic::Traffic,
    verdict::{Figure, Violation},
};
use ockam_actix_harness::random::Random;
use std::{
    sync::atomic::Ordering::Relaxed,
    thread,
    time::{Duration, Instant},
};

/// How long a program stays away, from not at all to longer than a new client waits for it.
const AWAY: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(1000),
    Duration::from_millis(2500),
];

/// Streams between an outage and the next kill.
const UNDISTURBED: u64 = 50;

/// How long those may take: they are small, and 10 ms each would be slow.
const CARRIES_WITHIN: Duration = Duration::from_secs(20);

/// The results of the kills of one program.
pub(crate) struct Killed {
    /// Which one.
    pub(crate) program: Program,
    /// From each kill, or the start of an outlet, to the last reset of a client that was connected;
    /// nothing if they go on.
    pub(crate) until_reset: Vec<Duration>,
    /// From each start to the first connection that came through.
    pub(crate) back: Vec<Duration>,
}

/// Kills programs of a tunnel that carries load, and keeps the records.
pub(crate) struct Killer<'a> {
    /// The tunnel.
    pub(crate) tunnel: &'a mut Tunnel,
    /// What it carries.
    pub(crate) traffic: &'a Traffic,
    /// The clients that produce it.
    pub(crate) load: &'a Load,
    /// The descriptors that the programs must be back at.
    pub(crate) baseline: &'a Baseline,
    /// The results of each program.
    pub(crate) records: Vec<Killed>,
    /// The lives that ended.
    pub(crate) past: Vec<Life>,
    /// The most memory of any life.
    pub(crate) peaks: Peaks,
}

impl Killer<'_> {
    /// Kills a program, starts it again, and checks that all is as before.
    pub(crate) fn kill(&mut self, program: Program, random: &mut Random) -> Result<(), Violation> {
        self.load.resume();
        self.carries()?;
        let held = Held::begin(self.traffic)?;
        let away = random.pick(&AWAY);
        let failed = |error| Violation::new(Figure::Kills, error);
        let killed = self.traffic.outages.begin(program);
        let generation = self.tunnel.kill(program).map_err(failed)?;
        panicked(&generation).map_err(failed)?;
        self.past.push(Life::of(program, &generation));
        thread::sleep(away);
        let started = Instant::now();
        self.tunnel.start_one(program).map_err(failed)?;
        let back = await_recovery(self.traffic, started).map_err(|error| error.during(program))?;
        let fate = self.fate_of(held, program, (killed, started));
        let until_reset = fate.map_err(|error| error.during(program))?;
        self.traffic.outages.end();
        self.record(program, until_reset, back);
        let clients = until_reset.map_or_else(
            || "clients go on".to_owned(),
            |until_reset| format!("clients reset in {until_reset:.1?}"),
        );
        eprintln!("killed the {program}, away {away:.1?}: {clients}, back in {back:.1?}");
        self.rest()
    }

    /// What becomes of clients that were connected: without the hub they go on; with the inlet or
    /// the target they are reset at once, and with the outlet when its node answers again. Returns
    /// how long that took.
    fn fate_of(
        &self,
        held: Held,
        program: Program,
        (killed, started): (Instant, Instant),
    ) -> Result<Option<Duration>, Violation> {
        if program == Program::Hub {
            held.all_go_on(self.traffic.target)?;
            return Ok(None);
        }
        let known = if program == Program::Outlet { started } else { killed };
        let (until_reset, streams) = held.all_reset(known)?;
        // A target that was killed has lost what it saw.
        if program != Program::Target {
            target_was_reset(self.traffic.target, &streams)?;
        }
        Ok(Some(until_reset))
    }

    /// Lets the load end, and checks that nothing is left of it.
    pub(crate) fn rest(&mut self) -> Result<(), Violation> {
        self.load.pause()?;
        self.traffic.verdict.so_far()?;
        let opened = self.traffic.opened.load(Relaxed);
        self.baseline.check(self.tunnel, opened, Figure::Kills)?;
        let peaks = self.tunnel.peaks();
        self.peaks.add(&peaks);
        judge_memory(&peaks)
    }

    /// Waits until some more streams have gone undisturbed.
    fn carries(&self) -> Result<(), Violation> {
        let (begun, before) = (Instant::now(), self.traffic.all_compared());
        while self.traffic.all_compared() < before + UNDISTURBED {
            self.traffic.verdict.so_far()?;
            if begun.elapsed() > CARRIES_WITHIN {
                let text = format!("{UNDISTURBED} streams take more than {CARRIES_WITHIN:?}");
                return Err(Violation::new(Figure::Orders, text));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn record(&mut self, program: Program, until_reset: Option<Duration>, back: Duration) {
        let index = self.records.iter().position(|record| record.program == program);
        let index = index.unwrap_or_else(|| {
            self.records.push(Killed { program, until_reset: Vec::new(), back: Vec::new() });
            self.records.len() - 1
        });
        self.records[index].until_reset.extend(until_reset);
        self.records[index].back.push(back);
    }
}
