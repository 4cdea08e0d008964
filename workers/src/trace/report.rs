//! What a trace has found.

use std::time::Duration;

use ockam_actix_runtime::Identifier;

/// What a [trace](crate::trace::trace) has found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trace {
    /// The hops in the order of the route, up to the one that failed, if one did.
    pub hops: Vec<TracedHop>,
    /// Why the last of the hops, which is the first that failed, did not answer.
    pub failure: Option<TraceFailure>,
    /// Whether anybody at all may have answered at the other end of the secure channel: its policy
    /// trusts everyone, and no fingerprint in the route says otherwise.
    pub trusts_anyone: bool,
}

/// A hop of a route.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TracedHop {
    /// Its address in the route, or what it is.
    pub name: String,
    /// What it is.
    pub role: HopRole,
    /// What it may see of what is sent along the route.
    pub sight: HopSight,
    /// How long the connection, the channel, or the stream to the target took to be established.
    pub setup: Option<Duration>,
    /// How long each question took from here to there and back.
    pub round_trips: Vec<Duration>,
    /// Who is there, as a secure channel has proved it. Nothing else is.
    pub peer: Option<Identifier>,
}

/// What a hop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HopRole {
    /// A node that is connected to.
    Node,
    /// A forwarder on a hub; it answers together with the node that it forwards to.
    Forwarder,
    /// A hub that the route does not name: it has the forwarder that the route goes on with, and
    /// the hub before it sends on what comes for that.
    OtherHub,
    /// A worker.
    Worker,
    /// The node at the other end of a secure channel.
    Channel,
    /// What an outlet connects to.
    Target,
}

/// What a hop may see of what is sent along the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopSight {
    /// The sizes of messages, when they pass, and where they go next.
    SizesOnly,
    /// Everything.
    Contents,
}

/// Why a route ends where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceFailure {
    /// What happened.
    pub reason: String,
    /// What can be done about it.
    pub remedy: String,
}

impl TracedHop {
    /// The shortest, the mean and the longest round trip; `None` if there was no answer.
    pub fn statistics(&self) -> Option<(Duration, Duration, Duration)> {
        let (least, most) = (self.round_trips.iter().min()?, self.round_trips.iter().max()?);
        let count = u32::try_from(self.round_trips.len()).ok()?;
        Some((*least, self.round_trips.iter().sum::<Duration>() / count, *most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_the_answers() {
        let milliseconds = |all: &[u64]| all.iter().map(|n| Duration::from_millis(*n)).collect();
        let mut hop = TracedHop {
            name: "outlet".into(),
            role: HopRole::Worker,
            sight: HopSight::Contents,
            setup: None,
            round_trips: milliseconds(&[2, 9, 4]),
            peer: None,
        };
        let expected: Vec<_> = milliseconds(&[2, 5, 9]);
        assert_eq!(hop.statistics(), Some((expected[0], expected[1], expected[2])));
        hop.round_trips.clear();
        assert_eq!(hop.statistics(), None);
    }
}
