//! Figure 10: connections opened and closed, one after the other, in one life of each program.

use crate::{
    exchange::Order,
    nodes::{Program, Tunnel},
    rest::Baseline,
    slope::{slope, Point},
    traffic::Traffic,
    verdict::{Figure, Violation},
};
use ockam_actix_harness::usage;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

/// Clients at a time.
const CLIENTS: u64 = 4;
/// Looks at the memory.
const SAMPLES: u64 = 100;
/// With fewer connections, pages that the allocator happens to touch weigh more than what a
/// connection leaves.
const ENOUGH: u64 = 10_000;
/// Bytes that a connection may leave.
pub(crate) const MOST: f64 = 100.0;

const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The figures for the report.
pub(crate) struct Churned {
    /// Connections.
    pub(crate) connections: u64,
    /// Bytes that each left in each program.
    pub(crate) slopes: Vec<(Program, Option<f64>)>,
    /// Whether there were enough to judge.
    pub(crate) judged: bool,
}

/// Opens, uses and closes `connections` connections.
pub(crate) fn run(
    tunnel: &mut Tunnel,
    traffic: &Traffic,
    baseline: &Baseline,
    connections: u64,
) -> Result<Churned, Violation> {
    let done = AtomicU64::new(0);
    let mut samples: Vec<(Program, Vec<Point>)> = Program::OURS.map(|of| (of, Vec::new())).into();
    thread::scope(|scope| {
        let client = || {
            while done.fetch_add(1, Relaxed) < connections && traffic.verdict.first().is_none() {
                if let Err(violation) = traffic.carry(Order::ClientFirst, 100, 100) {
                    traffic.verdict.violated(violation);
                }
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let mut next = 0;
        while clients.iter().any(|client| !client.is_finished()) {
            let so_far = done.load(Relaxed);
            if so_far >= next {
                next = so_far + connections / SAMPLES;
                look(tunnel, so_far, &mut samples);
            }
            thread::sleep(LOOK_AGAIN);
        }
    });
    traffic.verdict.so_far()?;
    baseline.check(tunnel, traffic.opened.load(Relaxed), Figure::Churn)?;
    let slopes = samples.iter().map(|(program, points)| (*program, slope(points))).collect();
    let churned = Churned { connections, slopes, judged: connections >= ENOUGH };
    churned.judge()?;
    Ok(churned)
}

fn look(tunnel: &mut Tunnel, so_far: u64, samples: &mut [(Program, Vec<Point>)]) {
    for (program, life) in tunnel.ours() {
        let memory = usage::memory_now(life.process.id());
        let of = samples.iter_mut().find(|(of, _)| *of == program);
        of.into_iter().for_each(|(_, points)| points.push((so_far as f64, memory as f64)));
    }
}

impl Churned {
    fn judge(&self) -> Result<(), Violation> {
        let steep = self.slopes.iter().find(|(_, slope)| slope.is_none_or(|slope| slope >= MOST));
        match steep {
            Some((program, slope)) if self.judged => Err(Violation::new(
                Figure::Churn,
                format!("each connection leaves {slope:?} bytes in the {program}"),
            )),
            _ => Ok(()),
        }
    }
}
