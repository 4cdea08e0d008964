//! The figures of a run as JSON: one flat list, so that any program can pick what it compares.
//!
//! ```json
//! {
//!   "command": "`cargo run --release -p ockam-actix-tunnels -- --rounds 5`",
//!   "date": "2026-11-23 11:56 UTC", "processor": "...", "memory": "...", "kernel": "...",
//!   "programs": "...",
//!   "figures": [
//!     {"question": "compare", "row": "step03", "figure": "1 up", "unit": "GB/s",
//!      "value": 1.59, "least": 1.51, "most": 1.63},
//!     {"question": "scale", "row": "floor", "figure": "up", "unit": "GB/s", "at": 1000,
//!      "value": 1.4}
//!   ]
//! }
//! ```
//!
//! | field | what it says |
//! |---|---|
//! | `question` | the mode: `compare`, `scale`, `routing`, `idle`, `stall`, `fairness`, `flood`, |
//! | | `first byte`, `channels` |
//! | `row` | which tunnel, or whatever else is compared |
//! | `figure`, `unit` | what was measured, after its direction where both are measured |
//! | | a memory figure ends with the title of its process |
//! | `at` | the number that grows from one figure to the next, where there is one |
//! | `value` | the median over the rounds; 1 for yes and 0 for no |
//! | `least`, `most` | the rounds' extremes, where the comparison keeps them |

use ockam_actix_harness::machine::Fact;
use serde::Serialize;
use std::collections::BTreeMap;

/// One number.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    question: &'static str,
    row: String,
    figure: String,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<f64>,
}

impl Figure {
    /// The median of something, with its unit.
    pub(crate) fn new(
        question: &'static str,
        row: impl Into<String>,
        (figure, unit): (impl Into<String>, &'static str),
        value: f64,
    ) -> Self {
        let (row, figure) = (row.into(), figure.into());
        Self { question, row, figure, unit, at: None, value, least: None, most: None }
    }

    /// The figure where the growing number was `at`.
    pub(crate) fn at(self, at: usize) -> Self {
        Self { at: Some(at as u64), ..self }
    }

    /// The figure with its extremes over all rounds.
    pub(crate) fn between(self, extremes: Option<(f64, f64)>) -> Self {
        let (least, most) = extremes.unzip();
        Self { least, most, ..self }
    }
}

/// The answer to one question, for people and for programs.
pub(crate) struct Answer {
    /// Markdown.
    pub(crate) text: String,
    /// The same as numbers.
    pub(crate) figures: Vec<Figure>,
}

/// The whole file.
#[derive(Serialize)]
struct File<'a> {
    #[serde(flatten)]
    facts: BTreeMap<String, &'a str>,
    figures: &'a [Figure],
}

/// The text of the file.
pub(crate) fn to_json(facts: &[Fact], figures: &[Figure]) -> serde_json::Result<String> {
    let facts = facts.iter().map(|(name, fact)| (name.to_lowercase(), fact.as_str())).collect();
    Ok(serde_json::to_string_pretty(&File { facts, figures })? + "\n")
}
