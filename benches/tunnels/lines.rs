//! The plot of growth: figures over a number that is multiplied from mark to mark, two panels side by side.

use crate::svg::{round_up, Anchor, Drawing, COLOURS};

const COLUMNS: usize = 2;
const WIDTH: f64 = 420.0;
const PANEL: f64 = 250.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 30.0;
const HEAD: f64 = 54.0;
const FOOT: f64 = 60.0;
/// Horizontal lines between nothing and the end of the axis.
const MARKS: u32 = 4;

/// What grows from left to right.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    /// What is counted.
    pub(crate) name: &'static str,
    /// What the number is multiplied by from mark to mark; the first is 1.
    pub(crate) step: usize,
}

impl Axis {
    /// How many marks after the first this number stands.
    fn marks(self, number: usize) -> f64 {
        (number.max(1) as f64).log(self.step as f64)
    }
}

/// One coloured line.
pub(crate) struct Series {
    /// Its name in the legend.
    pub(crate) name: String,
    /// The number that grows, and the value there.
    pub(crate) points: Vec<(usize, f64)>,
}

/// Lines that share their axes.
pub(crate) struct Panel {
    /// What is drawn, with its unit.
    pub(crate) title: String,
    /// What it is drawn over.
    pub(crate) axis: Axis,
    /// The values' axis goes at least as far as this, so that panels of one unit can be compared.
    pub(crate) at_least: f64,
    /// At most as many as there are colours.
    pub(crate) series: Vec<Series>,
}

/// Draws all panels, row by row.
pub(crate) fn draw(panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(COLUMNS);
    let mut drawing = Drawing::new(WIDTH * COLUMNS as f64, PANEL * rows as f64);
    for (number, panel) in panels.iter().enumerate() {
        let corner = (WIDTH * (number % COLUMNS) as f64, PANEL * (number / COLUMNS) as f64);
        panel.draw(corner, &mut drawing);
    }
    drawing.finish()
}

impl Panel {
    fn draw(&self, (left, top): (f64, f64), drawing: &mut Drawing) {
        drawing.title((left + LEFT, top + 18.0), &self.title);
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        drawing.legend((left + LEFT, top + 38.0), &names);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let end = round_up(points().map(|point| point.1).fold(self.at_least, f64::max));
        let marks = points().map(|point| self.axis.marks(point.0)).fold(1.0, f64::max);
        let place = |number: usize, value: f64| {
            let x = left + LEFT + (WIDTH - LEFT - RIGHT) * self.axis.marks(number) / marks;
            (x, top + PANEL - FOOT - (PANEL - HEAD - FOOT) * value / end)
        };
        for mark in 0..=MARKS {
            let value = end * f64::from(mark) / f64::from(MARKS);
            let (x, y) = place(1, value);
            drawing.rule((x, y), (left + WIDTH - RIGHT, y));
            drawing.text((x - 6.0, y + 4.0), Anchor::End, &short(value));
        }
        for number in std::iter::successors(Some(1), |number| Some(number * self.axis.step))
            // A logarithm of a whole power may come out a little larger.
            .take_while(|number| self.axis.marks(*number) <= marks + 1e-6)
        {
            let (x, y) = place(number, 0.0);
            drawing.text((x, y + 18.0), Anchor::Middle, &grouped(number));
        }
        let middle = left + (LEFT + WIDTH - RIGHT) / 2.0;
        drawing.text((middle, top + PANEL - FOOT + 38.0), Anchor::Middle, self.axis.name);
        for (series, colour) in self.series.iter().zip(COLOURS) {
            let points: Vec<_> =
                series.points.iter().map(|(number, value)| place(*number, *value)).collect();
            drawing.path(&points, colour);
        }
    }
}

/// With a comma before the last three digits, as in `100,000`.
fn grouped(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    }
}

fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        large if large >= 10.0 => format!("{large:.0}"),
        small => format!("{small:.2}"),
    }
}
