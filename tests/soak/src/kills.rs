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

/// How long a program stays away: from not at all to longer than any client waits for a reset.
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

/// What the kills of one program came to.
pub(crate) struct Killed {
    /// Which one.
    pub(crate) program: Program,
    /// From each kill to the last reset of a client that was connected.
    pub(crate) told: Vec<Duration>,
    /// From each start to the first connection that came through.
    pub(crate) back: Vec<Duration>,
}

/// Kills programs of a tunnel that carries load, and keeps the records.
pub(crate) struct Killer<'a> {
    /// The tunnel.
    pub(crate) tunnel: &'a mut Tunnel,
    /// What it carries.
    pub(crate) traffic: &'a Traffic,
    /// Who has it carry that.
    pub(crate) load: &'a Load,
    /// What the programs must be back at.
    pub(crate) baseline: &'a Baseline,
    /// Of each program.
    pub(crate) records: Vec<Killed>,
    /// The lives that ended.
    pub(crate) past: Vec<Life>,
    /// The most memory of any life.
    pub(crate) peaks: Peaks,
}

impl Killer<'_> {
    /// Kills a program, starts it again, and sees that all is as before.
    pub(crate) fn kill(&mut self, program: Program, random: &mut Random) -> Result<(), Violation> {
        self.load.resume();
        self.carries()?;
        let held = Held::begin(self.traffic)?;
        let away = random.pick(&AWAY);
        let failed = |error| Violation::new(Figure::Kills, error);
        let killed = self.traffic.outages.begin();
        let generation = self.tunnel.kill(program).map_err(failed)?;
        panicked(&generation).map_err(failed)?;
        self.past.push(Life::of(program, &generation));
        thread::sleep(away);
        let started = Instant::now();
        self.tunnel.start_one(program).map_err(failed)?;
        let (told, streams) = held.all_reset(killed).map_err(|error| error.during(program))?;
        let back = await_recovery(self.traffic, started).map_err(|error| error.during(program))?;
        self.traffic.outages.end();
        // What the target that was killed saw went with it.
        if program != Program::Target {
            target_was_reset(self.traffic.target, &streams)
                .map_err(|error| error.during(program))?;
        }
        self.record(program, told, back);
        eprintln!(
            "killed the {program}, away {away:.1?}: clients reset in {told:.1?}, back in {back:.1?}"
        );
        self.rest()
    }

    /// Lets the load end, and sees that nothing is left of it.
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

    fn record(&mut self, program: Program, told: Duration, back: Duration) {
        let place = self.records.iter().position(|record| record.program == program);
        let place = place.unwrap_or_else(|| {
            self.records.push(Killed { program, told: Vec::new(), back: Vec::new() });
            self.records.len() - 1
        });
        self.records[place].told.push(told);
        self.records[place].back.push(back);
    }
}
