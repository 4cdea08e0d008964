//! For how long the streams of a command's inlet or outlet outlive a lost path.

use std::time::Duration;

use clap::Args;
use ockam::RESUME_FOR;

/// The option of every command that has an end of a portal.
#[derive(Args)]
pub(crate) struct ResumeArguments {
    /// How long a stream waits for another path when its own is lost, such as 30s or 2m, or a
    /// number of seconds; 0 turns that off.
    ///
    /// Meanwhile its client and its target notice nothing but a pause; after that, both are reset.
    /// The inlet and the outlet have a limit each, and the shorter one counts.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    pub(crate) resume_for: Duration,
}

impl ResumeArguments {
    /// The option for another command's line, with a space before it; empty if it is the default.
    pub(crate) fn unless_default(&self) -> String {
        match self.resume_for {
            RESUME_FOR => String::new(),
            limit => format!(" --resume-for {}s", limit.as_secs()),
        }
    }
}

/// A whole number with a unit, or of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "s")) => (number, 1),
        Some((number, "m")) => (number, 60),
        Some((number, "h")) => (number, 60 * 60),
        _ => (text, 1),
    };
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = number.and_then(|number| number.parse::<u64>().ok()?.checked_mul(unit));
    let expected = "expected a duration such as 30s, 2m, 1h, 120 (seconds) or 0";
    seconds.map(Duration::from_secs).ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        resume: ResumeArguments,
    }

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (text, seconds) in
            [("0", 0), ("0s", 0), ("120", 120), ("30s", 30), ("2m", 120), ("1h", 3600)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "m", "-1", "+1", "1.5s", "2 m", "2min", "1m30s", "never", "2µ"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for too_long in ["18446744073709551616", "18446744073709551615m"] {
            assert!(duration(too_long).is_err(), "{too_long}");
        }
    }

    #[test]
    fn the_default_is_that_of_the_library() {
        let Command { resume } = Command::try_parse_from(["command"]).unwrap();
        assert_eq!(resume.resume_for, RESUME_FOR);
        assert_eq!(resume.unless_default(), "");
    }
}
