//! Lines that others can cause as often as they like, without filling the log: all are counted; for
//! each rule a few are logged at once, and one a second after that.

use std::{collections::HashMap, fmt, time::Duration};

use crate::{
    clock::Instant,
    limits::REFUSAL_LOG_BURST,
    lock::Lock,
    text::Shown,
    trust::rate::{Rate, TokenBucket},
};

/// How often refusals by one rule are logged.
const LINES: Rate = Rate { burst: REFUSAL_LOG_BURST, per_second: 1 };

/// How often each rule has refused, by the rule's name. See
/// [`Node::refusals`](crate::Node::refusals).
#[derive(Debug)]
pub struct RefusalLog {
    began: Instant,
    counts: Lock<HashMap<&'static str, Count>>,
}

#[derive(Debug, Default)]
struct Count {
    count: u64,
    lines: TokenBucket,
    /// Refusals that were not logged since the last one that was.
    silent: u64,
}

impl Default for RefusalLog {
    fn default() -> Self {
        Self { began: Instant::now(), counts: Lock::default() }
    }
}

impl RefusalLog {
    /// Counts a refusal by `rule` and logs it as a warning, unless many were logged recently.
    /// What cannot be seen is escaped.
    pub fn warn(&self, rule: &'static str, what: fmt::Arguments<'_>) {
        self.log(log::Level::Warn, rule, what);
    }

    /// As [`RefusalLog::warn`], for what a person has to decide.
    pub fn error(&self, rule: &'static str, what: fmt::Arguments<'_>) {
        self.log(log::Level::Error, rule, what);
    }

    /// As [`RefusalLog::warn`], for what is no refusal but can be caused as often.
    pub fn info(&self, rule: &'static str, what: fmt::Arguments<'_>) {
        self.log(log::Level::Info, rule, what);
    }

    fn log(&self, level: log::Level, rule: &'static str, what: fmt::Arguments<'_>) {
        let Some(silent) = self.count(rule, self.began.elapsed()) else { return };
        let what = what.to_string();
        match (Shown(&what), silent) {
            (what, 0) => log::log!(level, "{what} ({rule})"),
            (what, silent) => log::log!(level, "{what} ({rule}, {silent} more not logged)"),
        }
    }

    /// Refusals so far by `rule`.
    pub fn by(&self, rule: &str) -> u64 {
        let tallies = self.counts.lock();
        tallies.get(rule).map_or(0, |tally| tally.count)
    }

    /// Counts a refusal. If it may be logged, returns how many were not since the last one that
    /// was.
    fn count(&self, rule: &'static str, now: Duration) -> Option<u64> {
        let mut tallies = self.counts.lock();
        let tally = tallies.entry(rule).or_default();
        tally.count += 1;
        if !tally.lines.take(LINES, now) {
            tally.silent += 1;
            return None;
        }
        Some(std::mem::take(&mut tally.silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_refusals_are_counted_and_few_are_logged() {
        let (refusal_log, few) = (RefusalLog::default(), u64::from(REFUSAL_LOG_BURST));
        let at = |rule, seconds| refusal_log.count(rule, Duration::from_secs(seconds));
        assert!((0..few).all(|_| at("a", 0) == Some(0)));
        assert_eq!([at("a", 0), at("a", 0), at("b", 0)], [None, None, Some(0)]);
        assert_eq!([at("a", 1), at("a", 1), at("a", 2)], [Some(2), None, Some(1)]);
        assert_eq!(
            [refusal_log.by("a"), refusal_log.by("b"), refusal_log.by("c")],
            [few + 5, 1, 0]
        );
    }
}
