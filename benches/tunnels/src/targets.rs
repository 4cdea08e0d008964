//! The bars that our tunnels have to clear, each as a ratio to something measured in the same run.

use crate::{metric::Metric, summary::Results};

/// What a figure of ours is divided by.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// The tunnel of this name.
    Tunnel(&'static str),
    /// The best of the peers that seal over one hop.
    BestPeer,
}

/// One bar.
struct Target {
    of: &'static str,
    metrics: &'static [Metric],
    against: Against,
    /// At least this where more is better, at most this where less is.
    factor: f64,
}

const THROUGHPUT: &[Metric] = &[Metric::Up1, Metric::Down1, Metric::Up8, Metric::Down8];
const ONE_STREAM: &[Metric] = &[Metric::Up1, Metric::Down1];

#[rustfmt::skip]
const TARGETS: &[Target] = &[
    Target { of: "step03", metrics: THROUGHPUT, against: Against::Tunnel("floor"), factor: 0.85 },
    Target { of: "step03", metrics: THROUGHPUT, against: Against::BestPeer, factor: 1.1 },
    Target { of: "step03", metrics: &[Metric::RoundTrip50], against: Against::Tunnel("floor"), factor: 1.15 },
    Target { of: "step03", metrics: &[Metric::Connections], against: Against::BestPeer, factor: 1.5 },
    Target { of: "step03", metrics: &[Metric::Processor], against: Against::Tunnel("floor"), factor: 1.3 },
    Target { of: "step04", metrics: ONE_STREAM, against: Against::Tunnel("step03"), factor: 0.7 },
    Target { of: "step04", metrics: THROUGHPUT, against: Against::Tunnel("ssh-J"), factor: 2.0 },
];

/// One bar, measured.
pub(crate) struct Verdict {
    /// Our tunnel.
    pub(crate) of: &'static str,
    /// The figure.
    pub(crate) metric: Metric,
    /// Whose figure ours is divided by.
    pub(crate) against: &'static str,
    /// Our figure and theirs.
    pub(crate) values: (f64, f64),
    factor: f64,
}

impl Verdict {
    /// Our figure divided by theirs.
    pub(crate) fn ratio(&self) -> f64 {
        self.values.0 / self.values.1
    }

    /// What the ratio has to be.
    pub(crate) fn wanted(&self) -> String {
        let sign = if self.metric.more_is_better() { "≥" } else { "≤" };
        format!("{sign} {}", self.factor)
    }

    /// Met, or missed by how much of what was wanted.
    pub(crate) fn outcome(&self) -> String {
        let surplus = self.ratio() / self.factor - 1.0;
        let short = if self.metric.more_is_better() { -surplus } else { surplus };
        match short > 0.0 {
            false => "met".to_owned(),
            true => format!("missed by {:.0} %", short * 100.0),
        }
    }
}

/// Every bar both sides of which were measured.
pub(crate) fn verdicts(results: &Results) -> Vec<Verdict> {
    let single = |target: &'static Target, metric: Metric| {
        let (against, theirs) = match target.against {
            Against::Tunnel(name) => (name, results.median_of(name, metric)?),
            Against::BestPeer => results.best_peer(metric)?,
        };
        let ours = results.median_of(target.of, metric)?;
        Some(Verdict {
            of: target.of,
            metric,
            against,
            values: (ours, theirs),
            factor: target.factor,
        })
    };
    TARGETS
        .iter()
        .flat_map(|target| target.metrics.iter().filter_map(move |metric| single(target, *metric)))
        .collect()
}
