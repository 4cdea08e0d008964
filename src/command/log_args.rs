//! How much a command logs, and how.

use clap::{ArgAction, Args};
use log::LevelFilter;
use ockam::LogFormat;

/// The options of every command.
#[derive(Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArguments {
    /// Log more: with -v what happens, with -vv each message; RUST_LOG, if set, decides instead.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// Log warnings and errors alone; what is printed to standard output stays.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Log lines for people (text), or a JSON object in each line (json).
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

impl LogArguments {
    /// Starts the logger of a command that logs `usual` and above.
    pub(crate) fn start(&self, usual: LevelFilter) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => usual.min(LevelFilter::Warn),
            (_, 0) => usual,
            (_, 1) => LevelFilter::Debug,
            (_, _) => LevelFilter::Trace,
        };
        ockam::start_logger_as(level, self.log_format);
    }
}
