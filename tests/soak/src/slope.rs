//! How memory grows with the number of connections: a line through samples, by least squares.

/// Connections so far, and bytes resident.
pub(crate) type Point = (f64, f64);

/// The first part of the samples that does not count: caches and the allocator's arenas fill.
const WARM_UP: f64 = 0.3;

/// Samples that a line needs.
const FEWEST: usize = 6;

/// Bytes for each connection, if there are enough samples after the warm-up.
pub(crate) fn slope(points: &[Point]) -> Option<f64> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let warm = first + (last - first) * WARM_UP;
    let points: Vec<Point> = points.iter().copied().filter(|point| point.0 >= warm).collect();
    if points.len() < FEWEST {
        return None;
    }
    let count = points.len() as f64;
    let mean = |value: fn(&Point) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let common: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (spread > 0.0).then(|| common / spread)
}
