//! How a record looks: as text for people, or as JSON for programs.

use std::{
    fmt::Write,
    str::FromStr,
    time::{Duration, SystemTime},
};

use env_logger::fmt::style::Style;
use log::Level;
use serde_json::Value;

use crate::logger::short::short;

/// Whose lines end with a code in parentheses. What others say never does, as it comes before that.
const CODED: &str = "ockam_actix_runtime::trust::refusal_log";

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// How a program logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// Lines for people. Identifiers are shortened, unless `debug` or more is logged.
    #[default]
    Text,
    /// A JSON object in each line, with the texts `time` (RFC 3339, in UTC), `level`, `target` (the
    /// module), `message`, and where the message has one, `code`: the rule that refused something.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json".into()),
        }
    }
}

/// How all lines of a process look.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) format: LogFormat,
    /// Whether identifiers are shortened in text.
    pub(super) is_short: bool,
    /// Whether systemd's journal reads the lines: it has the time of each, and asks for its
    /// priority.
    pub(super) is_journal: bool,
}

/// What a line says.
pub(super) struct Line<'a> {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) message: &'a str,
}

impl Look {
    /// The line, with its end.
    pub(super) fn show(self, line: &Line<'_>, style: Style) -> String {
        match self.format {
            LogFormat::Json => json(line),
            LogFormat::Text if self.is_journal => {
                let priority = priority(line.level);
                let message = line.message.replace('\n', &format!("\n<{priority}>    "));
                format!("<{priority}>{}\n", self.shortened(message))
            }
            LogFormat::Text => {
                let message = self.shortened(line.message.replace('\n', "\n    "));
                let time = timestamp(line.at, false);
                format!("[{time} {style}{:<5}{style:#}] {message}\n", line.level)
            }
        }
    }

    fn shortened(self, message: String) -> String {
        match self.is_short {
            true => short(&message),
            false => message,
        }
    }

    /// A line of the logger itself.
    pub(super) fn own(self, level: Level, message: &str) -> String {
        let line = Line { at: SystemTime::now(), level, target: module_path!(), message };
        self.show(&line, Style::new())
    }
}

/// The level, as syslog numbers it.
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn json(line: &Line<'_>) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let (message, code) = match line.target {
        CODED => without_code(line.message),
        _ => (line.message.to_owned(), None),
    };
    let level = line.level.as_str().to_ascii_lowercase();
    let (time, target) = (timestamp(line.at, true), quoted(line.target));
    let mut text = format!(
        r#"{{"time":"{time}","level":"{level}","target":{target},"message":{}"#,
        quoted(&message)
    );
    if let Some(code) = code {
        // Writing to a string does not fail.
        let _ = write!(text, r#","code":{}"#, quoted(&code));
    }
    text + "}\n"
}

/// Takes the code off `what (code)`, and off `what (code, 5 more not logged)`.
fn without_code(message: &str) -> (String, Option<String>) {
    let found = message.strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
    match found.map(|(what, inner)| (what, inner.split_once(", "))) {
        Some((what, Some((code, more)))) => (format!("{what} ({more})"), Some(code.into())),
        Some((what, None)) => {
            (what.into(), Some(message[what.len() + 2..message.len() - 1].into()))
        }
        None => (message.into(), None),
    }
}

/// The time in UTC as RFC 3339 has it.
fn timestamp(at: SystemTime, has_milliseconds: bool) -> String {
    // Only a clock that was never set is before 1970.
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (seconds, (year, month, day)) = (since.as_secs() % DAY, date(since.as_secs() / DAY));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = match has_milliseconds {
        true => format!(".{:03}", since.subsec_millis()),
        false => String::new(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day, so many days after the first of January 1970.
///
/// Years begin in March here, so that the day that some of them have more is their last one.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 400 * 365 + 97;
    // From the first of March of year 0.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (400 * era + year + u64::from(is_next_year), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Look = Look { format: LogFormat::Text, is_short: false, is_journal: false };
    const JSON: Look = Look { format: LogFormat::Json, ..TEXT };

    fn at(seconds: u64, milliseconds: u64) -> SystemTime {
        let since = Duration::from_secs(seconds) + Duration::from_millis(milliseconds);
        SystemTime::UNIX_EPOCH + since
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(at(seconds, 0), false), text);
        }
        assert_eq!(timestamp(at(1, 42), true), "1970-01-01T00:00:01.042Z");
    }

    #[test]
    fn text_has_time_level_and_message() {
        let line = Line { at: at(0, 0), level: Level::Info, target: "t", message: "one\ntwo" };
        let shown = TEXT.show(&line, Style::new());
        assert_eq!(shown, "[1970-01-01T00:00:00Z INFO ] one\n    two\n");
        let journal = Look { is_journal: true, ..TEXT };
        let line = Line { level: Level::Warn, ..line };
        assert_eq!(journal.show(&line, Style::new()), "<4>one\n<4>    two\n");
    }

    #[test]
    fn json_is_one_object_with_its_code() {
        let show = |target, message| {
            let line = Line { at: at(0, 0), level: Level::Warn, target, message };
            let shown = JSON.show(&line, Style::new());
            assert_eq!(shown.find('\n'), Some(shown.len() - 1));
            serde_json::from_str::<Value>(&shown).unwrap()
        };
        let plain = show("ockam", "a \"b\"\n\u{1b} (c)");
        assert_eq!(plain["message"], "a \"b\"\n\u{1b} (c)");
        assert_eq!(plain["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!((&plain["level"], &plain["target"]), (&"warn".into(), &"ockam".into()));
        assert_eq!(plain.get("code"), None);
        let coded = show(CODED, "refused (x) (not-exposed)");
        assert_eq!(
            (&coded["message"], &coded["code"]),
            (&"refused (x)".into(), &"not-exposed".into())
        );
        let more = show(CODED, "refused (not-exposed, 5 more not logged)");
        assert_eq!(more["message"], "refused (5 more not logged)");
        assert_eq!(more["code"], "not-exposed");
    }
}
