//! Refusing strangers without letting them fill the log: every refusal is counted, one a second of
//! each rule is logged.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::limits::COMPLAINT_INTERVAL;

/// How often each rule has refused, by the rule's name. It is one of a node's extensions:
/// `node.extension::<Complaints>()`.
#[derive(Debug, Default)]
pub struct Complaints(Mutex<HashMap<&'static str, Tally>>);

#[derive(Debug, Default)]
struct Tally {
    count: u64,
    logged: Option<Instant>,
    /// Not logged since.
    silent: u64,
}

impl Complaints {
    /// Counts a refusal by `rule` and logs it as a warning, unless one was logged just now.
    pub fn warn(&self, rule: &'static str, what: fmt::Arguments<'_>) {
        match self.count(rule, Instant::now()) {
            Some(0) => log::warn!("{what} ({rule})"),
            Some(silent) => log::warn!("{what} ({rule}, {silent} more before)"),
            None => {}
        }
    }

    /// Refusals so far by `rule`.
    pub fn by(&self, rule: &str) -> u64 {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.get(rule).map_or(0, |tally| tally.count)
    }

    /// Counts a refusal; whether it may be logged, and how many were not since the last that was.
    fn count(&self, rule: &'static str, now: Instant) -> Option<u64> {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry(rule).or_default();
        tally.count += 1;
        let recent = |last: Instant| now.saturating_duration_since(last) < COMPLAINT_INTERVAL;
        if tally.logged.is_some_and(recent) {
            tally.silent += 1;
            return None;
        }
        tally.logged = Some(now);
        Some(std::mem::take(&mut tally.silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_all_counted_and_logged_once_in_an_interval_for_each_rule() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let at = |rule, intervals| complaints.count(rule, start + COMPLAINT_INTERVAL * intervals);
        assert_eq!([at("a", 0), at("a", 0), at("a", 0)], [Some(0), None, None]);
        assert_eq!(at("b", 0), Some(0));
        assert_eq!([at("a", 1), at("a", 1), at("a", 2)], [Some(2), None, Some(1)]);
        assert_eq!([complaints.by("a"), complaints.by("b"), complaints.by("c")], [6, 1, 0]);
    }
}
