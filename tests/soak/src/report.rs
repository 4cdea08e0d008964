//! The report: what was done and found, in Markdown.

use crate::{
    churn::{self, Churned},
    exchange::ENDING,
    held::RESET_WITHIN,
    kills::Killed,
    nodes::{Generation, Program},
    slope::slope,
    stall::{self, Stalled},
    traffic::Traffic,
    verdict::Violation,
};
use ockam_actix_harness::table::table;
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// A life that was shorter says nothing about growth.
const LONG_LIFE: Duration = Duration::from_secs(60);

/// The findings, as far as the run came.
#[derive(Default)]
pub(crate) struct Findings {
    /// Descriptors at rest.
    pub(crate) baseline: Option<String>,
    /// Figure 10.
    pub(crate) churned: Option<Churned>,
    /// Figure 11.
    pub(crate) stalled: Option<Stalled>,
    /// Figure 14.
    pub(crate) killed: Vec<Killed>,
    /// The most memory of each program in any life.
    pub(crate) peaks: Peaks,
    /// All lives.
    pub(crate) lives: Vec<Life>,
}

/// How memory grew in one life of a program.
pub(crate) struct Life {
    program: Program,
    lived: Duration,
    slope: Option<f64>,
}

impl Life {
    /// Up to now.
    pub(crate) fn of(program: Program, generation: &Generation) -> Self {
        let slope = slope(&generation.at_rest);
        Self { program, lived: generation.started.elapsed(), slope }
    }
}

/// The most bytes that each program had resident.
#[derive(Default)]
pub(crate) struct Peaks(Vec<(Program, u64)>);

impl Peaks {
    /// Takes the peaks of present lives into account.
    pub(crate) fn add(&mut self, peaks: &[(Program, u64)]) {
        for (program, peak) in peaks {
            match self.0.iter_mut().find(|(of, _)| of == program) {
                Some((_, most)) => *most = *peak.max(most),
                None => self.0.push((*program, *peak)),
            }
        }
    }
}

impl Findings {
    /// The tables; in those, the figure that a violation belongs to is not met.
    pub(crate) fn show(&self, traffic: &Traffic, violation: Option<&Violation>) -> String {
        let mut lines = vec![row(["figure", "what", "found", "aim", "outcome"])];
        self.churn(&mut lines);
        self.stall(&mut lines);
        orders(traffic, &mut lines);
        self.kills(&mut lines);
        self.memory(&mut lines);
        let number = violation.map(|violation| violation.figure.number().to_string());
        for line in lines.iter_mut().filter(|line| line.first() == number.as_ref()) {
            line.pop();
            line.push("violated, see below".to_owned());
        }
        let mut text = table(&lines);
        if !self.killed.is_empty() {
            text += "\n";
            text += &self.each_program();
        }
        text
    }

    fn churn(&self, lines: &mut Vec<Vec<String>>) {
        let Some(churned) = &self.churned else { return };
        let slopes = churned.slopes.iter().map(|(program, slope)| match slope {
            Some(slope) => format!("{program} {slope:.0}"),
            None => format!("{program} -"),
        });
        let slopes = slopes.collect::<Vec<_>>().join(", ");
        let outcome = if churned.judged { "met" } else { "too few to judge" };
        let what = format!("bytes left by each of {} connections", churned.connections);
        lines.push(row(["10", &what, &slopes, &format!("< {}", churn::MOST), outcome]));
        if let Some(baseline) = &self.baseline {
            let what = "descriptors at rest, before and after";
            lines.push(row(["10", what, baseline, "as before", "met"]));
        }
    }

    fn stall(&self, lines: &mut Vec<Vec<String>>) {
        let Some(stalled) = &self.stalled else { return };
        let (readers, offered) = (stall::STALLED, stalled.offered >> 20);
        let what = format!("peak MB, {readers} readers that stop, {offered} MiB offered");
        lines.push(row(["11", &what, &megabytes(&stalled.peaks), "< 67.1", "met"]));
        let what = format!("speed kept by {} streams beside them", stall::LIVE);
        let (kept, aim) = (percent(stalled.kept), format!(">= {}", percent(stall::KEEP)));
        let outcome = if stalled.judged { "met" } else { "too short to judge" };
        lines.push(row(["11", &what, &kept, &aim, outcome]));
        lines.push(row(["11", "bytes lost after resuming", "0", "0", "met"]));
    }

    fn kills(&self, lines: &mut Vec<Vec<String>>) {
        if self.killed.is_empty() {
            return;
        }
        let aim = format!("{} s", RESET_WITHIN.as_secs());
        let of_hub = self.killed.iter().find(|killed| killed.program == Program::Hub);
        if let Some(hub) = of_hub {
            let what = format!("open streams broken by {} kills of the hub", hub.back.len());
            lines.push(row(["14", &what, "0", "0", "met"]));
        }
        let kills: usize = self.killed.iter().map(|killed| killed.until_reset.len()).sum();
        let most = |times: fn(&Killed) -> &Vec<Duration>| {
            seconds(self.killed.iter().flat_map(times).max().copied().unwrap_or_default())
        };
        let what = format!("until clients are reset, {kills} kills of the others");
        lines.push(row(["14", &what, &most(|killed| &killed.until_reset), &aim, "met"]));
        let what = "until new connections come through";
        lines.push(row(["14", what, &most(|killed| &killed.back), &aim, "met"]));
        let what = "descriptors left over, looked at after each kill";
        lines.push(row(["14", what, "0", "0", "met"]));
    }

    fn memory(&self, lines: &mut Vec<Vec<String>>) {
        if !self.peaks.0.is_empty() {
            let what = "peak MB in the whole run, of any life";
            lines.push(row(["-", what, &megabytes(&self.peaks.0), "< 67.1", "met"]));
        }
        for program in Program::OURS {
            let long = |life: &&Life| life.program == program && life.lived >= LONG_LIFE;
            let slopes: Vec<f64> =
                self.lives.iter().filter(long).filter_map(|life| life.slope).collect();
            let Some(most) = slopes.iter().copied().reduce(f64::max) else { continue };
            let what = format!(
                "bytes a connection, steepest of {} lives of the {program} over {} s",
                slopes.len(),
                LONG_LIFE.as_secs()
            );
            lines.push(row(["-", &what, &format!("{most:.0}"), "-", "not judged"]));
        }
    }

    fn each_program(&self) -> String {
        let heading = ["killed", "times", "reset s, max", "back s, median", "back s, max"];
        let mut lines = vec![row(heading)];
        let of = |program| self.killed.iter().find(|killed| killed.program == program);
        for killed in Program::ALL.into_iter().filter_map(of) {
            let mut back = killed.back.clone();
            back.sort();
            let most =
                |times: &[Duration]| seconds(times.iter().max().copied().unwrap_or_default());
            lines.push(row([
                killed.program.name(),
                &killed.back.len().to_string(),
                &if killed.until_reset.is_empty() {
                    "go on".to_owned()
                } else {
                    most(&killed.until_reset)
                },
                &seconds(back.get(back.len() / 2).copied().unwrap_or_default()),
                &most(&back),
            ]));
        }
        table(&lines)
    }
}

fn orders(traffic: &Traffic, lines: &mut Vec<Vec<String>>) {
    let counts: Vec<String> = ENDING
        .iter()
        .zip(&traffic.compared)
        .map(|(order, count)| format!("{order:?} {}", count.load(Relaxed)))
        .collect();
    let compared = traffic.all_compared();
    if compared > 0 {
        let what = format!("orders of ends and resets as direct TCP, {compared} streams");
        lines.push(row(["13", &what, &counts.join(", "), "the same", "met"]));
    }
    let what = format!(
        "wrong bytes or clean ends too early, {} streams, {:.1} GB, {} broken by kills",
        traffic.opened.load(Relaxed),
        traffic.bytes.load(Relaxed) as f64 / 1e9,
        traffic.broken.load(Relaxed)
    );
    lines.push(row(["13", &what, "0", "0", "met"]));
}

fn megabytes(peaks: &[(Program, u64)]) -> String {
    let of = |program| peaks.iter().find(|(of, _)| *of == program);
    let each = Program::OURS.into_iter().filter_map(of);
    let each = each.map(|(program, peak)| format!("{program} {:.1}", *peak as f64 / 1e6));
    each.collect::<Vec<_>>().join(", ")
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
