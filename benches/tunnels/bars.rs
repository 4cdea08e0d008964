//! The plot of the comparison: a panel for each question, a group of bars for each tunnel.

use crate::{
    metric::Metric,
    summary::{Results, Row},
    svg::{Anchor, Drawing, COLOURS},
};

const WIDTH: f64 = 760.0;
/// Left of the bars, for names.
const NAMES: f64 = 90.0;
/// Right of the longest bar, for its value.
const VALUES: f64 = 60.0;
const BAR: f64 = 13.0;
const GAP: f64 = 7.0;
/// Above the bars of a panel, for title and legend.
const HEAD: f64 = 52.0;

/// Figures that share an axis.
struct Panel {
    title: &'static str,
    series: &'static [(&'static str, Metric)],
}

#[rustfmt::skip]
const PANELS: &[Panel] = &[
    Panel { title: "One stream, GB/s (longer is better)", series: &[("up", Metric::Up1), ("down", Metric::Down1)] },
    Panel { title: "Eight streams, GB/s (longer is better)", series: &[("up", Metric::Up8), ("down", Metric::Down8)] },
    Panel { title: "Round trip of one byte, µs (shorter is better)", series: &[("median", Metric::RoundTrip50), ("99 of 100 below", Metric::RoundTrip99)] },
    Panel { title: "New connections a second (longer is better)", series: &[("connections", Metric::Connections)] },
    Panel { title: "Processor seconds for a gigabyte (shorter is better)", series: &[("both ends", Metric::Processor)] },
];

/// Draws all panels, one below the other.
pub(crate) fn comparison(results: &Results) -> String {
    let height = PANELS.iter().map(|panel| panel.height(results)).sum();
    let mut drawing = Drawing::new(WIDTH, height);
    let mut top = 0.0;
    for panel in PANELS {
        panel.draw(results, top, &mut drawing);
        top += panel.height(results);
    }
    drawing.finish()
}

impl Panel {
    fn height(&self, results: &Results) -> f64 {
        HEAD + results.measured().count() as f64 * self.group() + GAP
    }

    fn group(&self) -> f64 {
        self.series.len() as f64 * BAR + GAP
    }

    fn draw(&self, results: &Results, top: f64, drawing: &mut Drawing) {
        drawing.title((0.0, top + 18.0), self.title);
        let names: Vec<&str> = self.series.iter().map(|(name, _)| *name).collect();
        drawing.legend((NAMES, top + 38.0), &names);
        let scale = (WIDTH - NAMES - VALUES) / self.longest(results);
        let mut y = top + HEAD;
        for row in results.measured() {
            self.draw_group(row, y, scale, drawing);
            y += self.group();
        }
        drawing.rule((NAMES, top + HEAD - GAP / 2.0), (NAMES, y - GAP / 2.0));
    }

    fn draw_group(&self, row: &Row, top: f64, scale: f64, drawing: &mut Drawing) {
        let middle = top + self.series.len() as f64 * BAR / 2.0 + 4.0;
        drawing.text((NAMES - 8.0, middle), Anchor::End, row.kind.name);
        for (number, ((name, metric), colour)) in self.series.iter().zip(COLOURS).enumerate() {
            let y = top + number as f64 * BAR;
            let Some(value) = row.median(*metric) else { continue };
            let shown = metric.show(value);
            drawing.bar(
                (NAMES, y),
                (value * scale, BAR - 1.0),
                colour,
                &format!("{} {name}: {shown}", row.kind.name),
            );
            drawing.text((NAMES + value * scale + 5.0, y + BAR - 2.0), Anchor::Start, &shown);
        }
    }

    fn longest(&self, results: &Results) -> f64 {
        let values = results
            .measured()
            .flat_map(|row| self.series.iter().filter_map(|(_, metric)| row.median(*metric)));
        values.max_by(f64::total_cmp).unwrap_or(1.0)
    }
}
