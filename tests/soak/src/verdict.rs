//! The first violation, which ends the run.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// Which figure of the security page a violation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// 10: connections opened and closed.
    Churn,
    /// 11: readers that stop.
    Stall,
    /// 13: the orders of ends and resets, and every byte between.
    Orders,
    /// 14: programs that are killed.
    Kills,
}

impl Figure {
    /// Its number on the page.
    pub(crate) fn number(self) -> u8 {
        match self {
            Figure::Churn => 10,
            Figure::Stall => 11,
            Figure::Orders => 13,
            Figure::Kills => 14,
        }
    }
}

/// Something that must never happen.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// The figure that it belongs to.
    pub(crate) figure: Figure,
    what: String,
}

impl Violation {
    /// A violation of `figure`, described by `what`.
    pub(crate) fn new(figure: Figure, what: impl fmt::Display) -> Self {
        Self { figure, what: what.to_string() }
    }

    /// Adds which program had been killed.
    pub(crate) fn during(self, killed: impl fmt::Display) -> Self {
        Self { what: format!("the {killed} was killed; {}", self.what), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "figure {}: {}", self.figure.number(), self.what)
    }
}

/// The first violation, which all threads look at.
#[derive(Default)]
pub(crate) struct Verdict(Mutex<Option<Violation>>);

impl Verdict {
    /// Notes a violation, unless there was one before.
    pub(crate) fn violated(&self, violation: Violation) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(violation);
    }

    /// The first one.
    pub(crate) fn first(&self) -> Option<Violation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails with the first one.
    pub(crate) fn so_far(&self) -> Result<(), Violation> {
        self.first().map_or(Ok(()), Err)
    }
}
