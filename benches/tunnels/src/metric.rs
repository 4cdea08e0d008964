//! The metrics, and how they are written.

/// One figure of one tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// One stream, client to target.
    Up1,
    /// One stream, target to client.
    Down1,
    /// Eight streams at once, client to target.
    Up8,
    /// Eight streams at once, target to client.
    Down8,
    /// Median of the round trip of one byte.
    RoundTrip50,
    /// The round trip that 99 of 100 stay below.
    RoundTrip99,
    /// Connections opened, used for one byte and closed in a second.
    Connections,
    /// Processor time of the tunnel's processes for a gigabyte, over all four throughput
    /// measurements.
    Processor,
}

impl Metric {
    /// All, in the order of the tables.
    pub(crate) const ALL: [Metric; 8] = [
        Metric::Up1,
        Metric::Down1,
        Metric::Up8,
        Metric::Down8,
        Metric::RoundTrip50,
        Metric::RoundTrip99,
        Metric::Connections,
        Metric::Processor,
    ];

    /// The heading of its column, with its unit.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Metric::Up1 => "1 up GB/s",
            Metric::Down1 => "1 down GB/s",
            Metric::Up8 => "8 up GB/s",
            Metric::Down8 => "8 down GB/s",
            Metric::RoundTrip50 => "RTT p50 µs",
            Metric::RoundTrip99 => "RTT p99 µs",
            Metric::Connections => "new conn/s",
            Metric::Processor => "CPU s/GB",
        }
    }

    /// What it is called in JSON, and its unit there.
    pub(crate) fn name(self) -> (&'static str, &'static str) {
        match self {
            Metric::Up1 => ("1 up", "GB/s"),
            Metric::Down1 => ("1 down", "GB/s"),
            Metric::Up8 => ("8 up", "GB/s"),
            Metric::Down8 => ("8 down", "GB/s"),
            Metric::RoundTrip50 => ("round trip, median", "µs"),
            Metric::RoundTrip99 => ("round trip, 99 of 100 below", "µs"),
            Metric::Connections => ("new connections", "1/s"),
            Metric::Processor => ("processor time", "s/GB"),
        }
    }

    /// Whether more of it is better.
    pub(crate) fn more_is_better(self) -> bool {
        !matches!(self, Metric::RoundTrip50 | Metric::RoundTrip99 | Metric::Processor)
    }

    /// A value with as many digits as mean something.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Metric::RoundTrip50 | Metric::RoundTrip99 | Metric::Connections => {
                format!("{value:.0}")
            }
            _ => format!("{value:.2}"),
        }
    }
}
