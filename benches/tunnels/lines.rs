//! The plot of growth: figures over the number of streams, which grows tenfold from mark to mark.

use crate::svg::{round_up, Anchor, Drawing, COLOURS};

const WIDTH: f64 = 760.0;
const PANEL: f64 = 230.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const HEAD: f64 = 54.0;
const FOOT: f64 = 40.0;
/// Horizontal lines between nothing and the end of the axis.
const MARKS: u32 = 4;

/// One coloured line: values by number of streams.
pub(crate) struct Series {
    /// Its name in the legend.
    pub(crate) name: String,
    /// Streams and value.
    pub(crate) points: Vec<(usize, f64)>,
}

/// Lines that share an axis.
pub(crate) struct Panel {
    /// What is drawn, with its unit.
    pub(crate) title: String,
    /// At most as many as there are colours.
    pub(crate) series: Vec<Series>,
}

/// Draws all panels, one below the other.
pub(crate) fn draw(panels: &[Panel]) -> String {
    let mut drawing = Drawing::new(WIDTH, PANEL * panels.len() as f64);
    for (number, panel) in panels.iter().enumerate() {
        panel.draw(PANEL * number as f64, &mut drawing);
    }
    drawing.finish()
}

impl Panel {
    fn draw(&self, top: f64, drawing: &mut Drawing) {
        drawing.title((0.0, top + 18.0), &self.title);
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        drawing.legend((LEFT, top + 38.0), &names);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let end = round_up(points().map(|point| point.1).fold(0.0, f64::max));
        let decades = points().map(|point| decade(point.0)).fold(1.0, f64::max);
        let place = |streams: usize, value: f64| {
            let x = LEFT + (WIDTH - LEFT - RIGHT) * decade(streams) / decades;
            (x, top + PANEL - FOOT - (PANEL - HEAD - FOOT) * value / end)
        };
        for mark in 0..=MARKS {
            let value = end * f64::from(mark) / f64::from(MARKS);
            let (x, y) = place(1, value);
            drawing.rule((x, y), (WIDTH - RIGHT, y));
            drawing.text((x - 6.0, y + 4.0), Anchor::End, &short(value));
        }
        for streams in std::iter::successors(Some(1), |streams| Some(streams * 10))
            .take_while(|streams| decade(*streams) <= decades)
        {
            let (x, y) = place(streams, 0.0);
            drawing.text((x, y + 18.0), Anchor::Middle, &format!("{streams}"));
        }
        for (series, colour) in self.series.iter().zip(COLOURS) {
            let points: Vec<_> =
                series.points.iter().map(|(streams, value)| place(*streams, *value)).collect();
            drawing.path(&points, colour);
        }
    }
}

fn decade(streams: usize) -> f64 {
    (streams.max(1) as f64).log10()
}

fn short(value: f64) -> String {
    match value {
        large if large >= 10.0 => format!("{large:.0}"),
        small => format!("{small:.2}"),
    }
}
