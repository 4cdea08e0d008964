//! A script: what a client and a target do with their ends of a connection, and in which order.

use super::expected::Expected;

/// The side that performs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Target,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Client, Self::Target];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Target,
            Self::Target => Self::Client,
        }
    }
}

/// What an application does with its socket. Byte counts are totals since the connection began.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Writes until so many bytes were written.
    SendTo(u64),
    /// Writes until the socket takes no more.
    Fill,
    /// Shuts down its direction: FIN.
    Finish,
    /// Closes with `SO_LINGER` 0: RST.
    Reset,
    /// Closes: FIN, or RST where something was not read.
    Close,
    /// Reads until so many bytes were read.
    ReadTo(u64),
    /// Reads until the end or a reset.
    ReadToEnd,
    /// Waits until there is something to read, without reading it.
    Arrival,
    /// Waits for a reset without reading or writing.
    SeeReset,
}

/// A step of one side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) side: Side,
    pub(super) step: Step,
    /// Whether it waits for all lines before it, or only for those of its own side.
    pub(super) in_turn: bool,
}

/// Steps and what they lead to.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
    /// What client and target have seen in the end.
    pub(super) expected: [Expected; 2],
    /// Whether the client sends only what the script says, and no number first. Such scripts run
    /// alone, because nothing tells the target which connection is whose.
    pub(super) is_bare: bool,
    /// Whether it moves so much that it runs less often.
    pub(super) is_large: bool,
    /// Whether a direct connection has only one outcome, which a tunnel must then have too.
    pub(super) is_exact: bool,
}

impl Script {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            lines: Vec::new(),
            expected: [Expected::Open; 2],
            is_bare: false,
            is_large: false,
            is_exact: false,
        }
    }

    /// A step that begins when all before it are done.
    pub(super) fn then(mut self, side: Side, step: Step) -> Self {
        self.lines.push(Line { side, step, in_turn: true });
        self
    }

    /// A step that begins when its own side's steps before it are done.
    pub(super) fn meanwhile(mut self, side: Side, step: Step) -> Self {
        self.lines.push(Line { side, step, in_turn: false });
        self
    }

    pub(super) fn expects(mut self, client: Expected, target: Expected) -> Self {
        self.expected = [client, target];
        self
    }

    pub(super) fn bare(mut self) -> Self {
        self.is_bare = true;
        self
    }

    pub(super) fn large(mut self) -> Self {
        self.is_large = true;
        self
    }

    pub(super) fn exact(mut self) -> Self {
        self.is_exact = true;
        self
    }

    /// The same script with the sides exchanged.
    pub(super) fn mirrored(&self) -> Self {
        let mut mirrored = self.clone();
        mirrored.name = format!("{}, sides exchanged", self.name);
        mirrored.lines.iter_mut().for_each(|line| line.side = line.side.other());
        mirrored.expected.reverse();
        mirrored
    }
}
