//! The tunnel at rest: no stream is open, so every program must have as many descriptors as it had
//! at first.

use crate::{
    nodes::{Program, Tunnel, RESUME_FOR_SECONDS},
    verdict::{Figure, Violation},
};
use ockam_actix_harness::usage;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Until all descriptors of ended streams are closed, also at an outlet whose inlet was killed.
const CLOSED_WITHIN: Duration = Duration::from_secs(5 + RESUME_FOR_SECONDS);

/// How long the counts must have stood still to be the baseline.
const STILL: Duration = Duration::from_millis(500);

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Descriptors of each program when no stream is open.
pub(crate) struct Baseline(Vec<(Program, usize)>);

impl Baseline {
    /// Takes the baseline of a tunnel that has been used before and rests now.
    pub(crate) fn take(tunnel: &mut Tunnel) -> Result<Self, Violation> {
        let (mut counted, mut since) = (descriptors(tunnel)?, Instant::now());
        while since.elapsed() < STILL {
            thread::sleep(LOOK_AGAIN);
            let now = descriptors(tunnel)?;
            if now != counted {
                (counted, since) = (now, Instant::now());
            }
        }
        Ok(Self(counted))
    }

    /// Waits until every program is back at the baseline, and notes its memory then.
    pub(crate) fn check(
        &self,
        tunnel: &mut Tunnel,
        connections: u64,
        figure: Figure,
    ) -> Result<(), Violation> {
        tunnel.check().map_err(|error| Violation::new(figure, error))?;
        let begun = Instant::now();
        while let Some((program, now, before)) = self.above(tunnel)? {
            if begun.elapsed() > CLOSED_WITHIN {
                let text =
                    format!("the {program} has {now} descriptors at rest, {before} at first");
                return Err(Violation::new(figure, text));
            }
            thread::sleep(LOOK_AGAIN);
        }
        for (_, life) in tunnel.ours() {
            let memory = usage::memory_now(life.process.id());
            life.at_rest.push((connections as f64, memory as f64));
        }
        Ok(())
    }

    /// For the report.
    pub(crate) fn show(&self) -> String {
        let each = self.0.iter().map(|(program, count)| format!("{program} {count}"));
        each.collect::<Vec<_>>().join(", ")
    }

    fn above(&self, tunnel: &mut Tunnel) -> Result<Option<(Program, usize, usize)>, Violation> {
        let now = descriptors(tunnel)?;
        let before =
            |program| self.0.iter().find(|(of, _)| *of == program).map_or(0, |(_, count)| *count);
        let mut all = now.into_iter().map(|(program, count)| (program, count, before(program)));
        Ok(all.find(|(_, now, before)| now > before))
    }
}

fn descriptors(tunnel: &mut Tunnel) -> Result<Vec<(Program, usize)>, Violation> {
    let count = |program: Program, id| {
        let count = usage::open_files(id);
        count.map_err(|error| Violation::new(Figure::Kills, format!("{program}: {error}")))
    };
    let mut all = Vec::new();
    for program in Program::OURS {
        for (_, life) in tunnel.ours().filter(|(of, _)| *of == program) {
            all.push((program, count(program, life.process.id())?));
        }
    }
    Ok(all)
}
