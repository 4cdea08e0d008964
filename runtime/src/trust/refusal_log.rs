//! Lines that others can cause as often as they like, without filling the log: all are counted; for
//! each rule a few are logged at once, and one a second after that.

use std::{collections::HashMap, fmt, sync::OnceLock, time::Duration};

use crate::{
    clock::Instant,
    limits::{MAX_REFUSAL_CHARS, REFUSAL_LOG_BURST},
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
    names: OnceLock<Annotation>,
}

/// How a text gets the names of the peers in it.
struct Annotation(Box<dyn Fn(&str) -> String + Send + Sync>);

impl fmt::Debug for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Annotation")
    }
}

#[derive(Debug, Default)]
struct Count {
    count: u64,
    lines: TokenBucket,
    /// Refusals that were not logged since the last one that was.
    silent: u64,
    /// The last that was logged.
    last: Option<(Instant, String)>,
}

/// The refusals by one rule so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalCount {
    /// The rule's name.
    pub rule: &'static str,
    /// How often it has refused.
    pub count: u64,
    /// When it last did so and was logged, and what the log says.
    pub last: Option<(Instant, String)>,
}

impl Default for RefusalLog {
    fn default() -> Self {
        Self { began: Instant::now(), counts: Lock::default(), names: OnceLock::new() }
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

    /// As [`RefusalLog::info`], for what nobody needs to know who does not look for it.
    pub fn debug(&self, rule: &'static str, what: fmt::Arguments<'_>) {
        self.log(log::Level::Debug, rule, what);
    }

    /// Has all lines from now on changed by what `annotation` returns, such as one that adds the
    /// names of peers. The first one stays.
    pub fn annotate_with<F>(&self, annotation: impl FnOnce() -> F)
    where
        F: Fn(&str) -> String + Send + Sync + 'static,
    {
        self.names.get_or_init(|| Annotation(Box::new(annotation())));
    }

    fn log(&self, level: log::Level, rule: &'static str, what: fmt::Arguments<'_>) {
        let Some(silent) = self.count(rule, self.began.elapsed()) else { return };
        let shown = Shown(&what.to_string()).to_string();
        let what = match self.names.get() {
            Some(Annotation(annotate)) => annotate(&shown),
            None => shown,
        };
        match silent {
            0 => log::log!(level, "{what} ({rule})"),
            silent => log::log!(level, "{what} ({rule}, {silent} more not logged)"),
        }
        if let Some(tally) = self.counts.lock().get_mut(rule) {
            let kept = what.chars().take(MAX_REFUSAL_CHARS).collect();
            tally.last = Some((Instant::now(), kept));
        }
    }

    /// All rules that have refused, by their names.
    pub fn counts(&self) -> Vec<RefusalCount> {
        let tallies = self.counts.lock();
        let count = |(rule, tally): (&&'static str, &Count)| RefusalCount {
            rule,
            count: tally.count,
            last: tally.last.clone(),
        };
        let mut counts: Vec<_> = tallies.iter().map(count).collect();
        counts.sort_by_key(|one| one.rule);
        counts
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

    #[test]
    fn the_last_refusal_is_kept_with_its_count() {
        let refusal_log = RefusalLog::default();
        refusal_log.warn("b", format_args!("first"));
        refusal_log.warn("b", format_args!("{}\nlast", "x".repeat(MAX_REFUSAL_CHARS)));
        refusal_log.info("a", format_args!("other"));
        let counts = refusal_log.counts();
        assert_eq!(
            [(counts[0].rule, counts[0].count), (counts[1].rule, counts[1].count)],
            [("a", 1), ("b", 2)]
        );
        let last = counts[1].last.as_ref().map(|(_, what)| what.as_str());
        assert_eq!(last, Some("x".repeat(MAX_REFUSAL_CHARS).as_str()));
    }
}
