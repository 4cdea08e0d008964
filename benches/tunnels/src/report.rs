//! The report: Markdown whose tables are padded, so that it also reads well in a terminal.

use crate::{
    metric::Metric,
    options::{Options, PROGRAM},
    summary::{Results, Row, TOO_BUSY},
    targets::verdicts,
    tunnel::Sort,
};
use ockam_actix_harness::{
    machine::{facts, Fact},
    table::table,
};

/// Where it ran, and with which programs.
pub(crate) fn machine() -> Vec<Fact> {
    let programs = [("ssh", "-V"), ("stunnel", "-version"), ("haproxy", "-v"), ("socat", "-V")];
    facts(&format!("cargo run --release -p {PROGRAM}"), &programs)
}

/// The report of the comparison, without the facts about the machine.
pub(crate) fn comparison(results: &Results, options: &Options) -> String {
    let mut text = other_work(results);
    text += &format!(
        "\nMedians of {} interleaved rounds; only ratios within one run mean anything.\n\n",
        options.rounds()
    );
    text += &table(&medians(results));
    text += "\nTo the floor (1.00 is the floor; for round trip and CPU less is better):\n\n";
    text += &table(&ratios(results));
    let targets = targets(results);
    if targets.len() > 1 {
        text += "\nTargets:\n\n";
        text += &table(&targets);
    }
    text += "\nThe tunnels:\n\n";
    for row in &results.rows {
        let left_out = row
            .given_up
            .as_ref()
            .map_or_else(String::new, |reason| format!(" (left out: {reason})"));
        text += &format!("- {}: {}{left_out}\n", row.kind.name, row.kind.about);
    }
    text
}

fn other_work(results: &Results) -> String {
    let (usually, most) = results.others();
    let verdict =
        if usually > TOO_BUSY { "; **too busy: run it again on a quiet machine**" } else { "" };
    let percent = |part: f64| format!("{:.0} %", part * 100.0);
    format!(
        "- Other work before a round: {} of the machine, at most {}{verdict}\n",
        percent(usually),
        percent(most)
    )
}

fn medians(results: &Results) -> Vec<Vec<String>> {
    let mut lines = vec![heading(["peak memory MB", "half-close", "spread of 1 up"])];
    for row in results.measured() {
        let mut line = figures(row, |metric| Some(metric.show(row.median(metric)?)));
        let peaks: Vec<String> = row
            .peaks()
            .iter()
            .map(|(title, megabytes)| format!("{title} {megabytes:.1}"))
            .collect();
        line.push(if peaks.is_empty() { "-".to_owned() } else { peaks.join(", ") });
        line.push(if row.half_closes() { "yes" } else { "no" }.to_owned());
        line.push(
            row.spread(Metric::Up1).map_or_else(dash, |spread| format!("±{:.0} %", spread * 100.0)),
        );
        lines.push(line);
    }
    lines
}

fn ratios(results: &Results) -> Vec<Vec<String>> {
    let mut lines = vec![heading([])];
    for row in results.measured().filter(|row| row.kind.sort != Sort::Floor) {
        let ratio = |metric| {
            Some(format!("{:.2}", row.median(metric)? / results.median_of("floor", metric)?))
        };
        lines.push(figures(row, ratio));
    }
    lines
}

fn targets(results: &Results) -> Vec<Vec<String>> {
    let heading = ["of", "figure", "ours", "against", "theirs", "ratio", "wanted", "outcome"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for verdict in verdicts(results) {
        lines.push(vec![
            verdict.of.to_owned(),
            verdict.metric.heading().to_owned(),
            verdict.metric.show(verdict.values.0),
            verdict.against.to_owned(),
            verdict.metric.show(verdict.values.1),
            format!("{:.2}", verdict.ratio()),
            verdict.wanted(),
            verdict.outcome(),
        ]);
    }
    lines
}

fn heading<const N: usize>(more: [&str; N]) -> Vec<String> {
    let metrics = Metric::ALL.map(Metric::heading);
    ["tunnel"].iter().chain(&metrics).chain(&more).map(|text| (*text).to_owned()).collect()
}

fn figures(row: &Row, show: impl Fn(Metric) -> Option<String>) -> Vec<String> {
    let name = std::iter::once(row.kind.name.to_owned());
    name.chain(Metric::ALL.iter().map(|metric| show(*metric).unwrap_or_else(dash))).collect()
}

fn dash() -> String {
    "-".to_owned()
}
