//! All rounds of all tunnels, and their medians.

use crate::{
    figures::Figure,
    measure::Sample,
    metric::Metric,
    tunnel::{Kind, Sort},
};
use std::collections::BTreeMap;

/// Other work that takes more of the machine than this makes figures worthless, not only lower:
/// processors that never sleep answer sooner, and chains of processes lose more than single ones.
pub(crate) const TOO_BUSY: f64 = 0.1;

/// The figures of all rounds so far.
pub(crate) struct Results {
    /// In the order of the report.
    pub(crate) rows: Vec<Row>,
    /// The part of the machine that other work took before each round.
    others: Vec<f64>,
}

/// The figures of one tunnel.
pub(crate) struct Row {
    /// Which tunnel.
    pub(crate) kind: &'static Kind,
    samples: Vec<Sample>,
    /// Why it was given up, if it was.
    pub(crate) given_up: Option<String>,
}

impl Results {
    /// No figures yet, for these tunnels.
    pub(crate) fn of(kinds: &[&'static Kind]) -> Self {
        let row = |kind: &&'static Kind| Row { kind, samples: Vec::new(), given_up: None };
        Self { rows: kinds.iter().map(row).collect(), others: Vec::new() }
    }

    /// Notes how busy other work kept the machine just before a round.
    pub(crate) fn note_others(&mut self, busy: f64) {
        self.others.push(busy);
    }

    /// The median and the maximum of those.
    pub(crate) fn others(&self) -> (f64, f64) {
        let most = self.others.iter().copied().fold(0.0, f64::max);
        (median(self.others.iter().copied()).unwrap_or(0.0), most)
    }

    /// The tunnels that have not been given up.
    pub(crate) fn still_running(&self) -> Vec<&'static Kind> {
        self.rows.iter().filter(|row| row.given_up.is_none()).map(|row| row.kind).collect()
    }

    /// Adds a round of one tunnel.
    pub(crate) fn add(&mut self, kind: &Kind, sample: Sample) {
        if let Some(row) = self.row_mut(kind) {
            row.samples.push(sample);
        }
    }

    /// Leaves a tunnel out from now on: it could not be started.
    pub(crate) fn give_up(&mut self, kind: &Kind, reason: String) {
        eprintln!("  {} is left out: {reason}", kind.name);
        if let Some(row) = self.row_mut(kind) {
            row.given_up = Some(reason);
        }
    }

    fn row_mut(&mut self, kind: &Kind) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.kind.name == kind.name)
    }

    /// The tunnels that were measured.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.samples.is_empty())
    }

    /// All figures.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        self.measured().flat_map(Row::figures).collect()
    }

    /// A tunnel's median.
    pub(crate) fn median_of(&self, name: &str, metric: Metric) -> Option<f64> {
        self.measured().find(|row| row.kind.name == name)?.median(metric)
    }

    /// The peer with the best median among those that seal over one hop, and that median.
    pub(crate) fn best_peer(&self, metric: Metric) -> Option<(&'static str, f64)> {
        let peers = self.measured().filter(|row| row.kind.sort == Sort::Sealed);
        let found = peers.filter_map(|row| Some((row.kind.name, row.median(metric)?)));
        let better = |value: f64| if metric.more_is_better() { value } else { -value };
        found.max_by(|one, other| better(one.1).total_cmp(&better(other.1)))
    }
}

impl Row {
    /// The median of one figure over the rounds that have it.
    pub(crate) fn median(&self, metric: Metric) -> Option<f64> {
        median(self.samples.iter().filter_map(|sample| sample.values.get(&metric).copied()))
    }

    /// Half the distance between the best and the worst round of one figure, as a part of its
    /// median.
    pub(crate) fn spread(&self, metric: Metric) -> Option<f64> {
        let (least, most) = self.extremes(metric)?;
        Some((most - least) / 2.0 / self.median(metric)?)
    }

    fn extremes(&self, metric: Metric) -> Option<(f64, f64)> {
        let values =
            || self.samples.iter().filter_map(|sample| sample.values.get(&metric).copied());
        Some((values().min_by(f64::total_cmp)?, values().max_by(f64::total_cmp)?))
    }

    /// All figures of the tunnel.
    fn figures(&self) -> Vec<Figure> {
        let of = |name, value| Figure::new("compare", self.kind.name, name, value);
        let metric = |metric: &Metric| {
            let median = self.median(*metric)?;
            let (name, unit) = metric.name();
            Some(of((name.to_owned(), unit), median).between(self.extremes(*metric)))
        };
        let mut figures: Vec<Figure> = Metric::ALL.iter().filter_map(metric).collect();
        let peaks = self.peaks().into_iter();
        figures
            .extend(peaks.map(|(title, peak)| of((format!("peak memory, {title}"), "MB"), peak)));
        figures.push(of(("half-close".to_owned(), "yes"), f64::from(self.half_closes())));
        figures
    }

    /// The median of each process's peak memory, in megabytes.
    pub(crate) fn peaks(&self) -> Vec<(&str, f64)> {
        let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (title, bytes) in self.samples.iter().flat_map(|sample| &sample.peaks) {
            all.entry(title).or_default().push(*bytes as f64 / 1e6);
        }
        all.into_iter().filter_map(|(title, values)| Some((title, median(values)?))).collect()
    }

    /// Whether every round found that one direction can end without the other.
    pub(crate) fn half_closes(&self) -> bool {
        self.samples.iter().all(|sample| sample.half_closes)
    }
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
