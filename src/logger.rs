//! The logger of programs that are a node.
//!
//! A separate thread writes lines to standard error, from a bounded queue: if nobody reads them, as
//! with a stopped terminal or a full pipe, the node goes on, and lines are dropped and counted.
//!
//! | idea | module |
//! |---|---|
//! | the directives in `RUST_LOG`, and mistakes in it | [`directives`] |
//! | how a record looks, as text and as JSON | [`mod@line`] |
//! | identifiers, shortened but still distinct | [`short`] |
//! | lines that wait to be written | [`queue`] |

mod directives;
mod line;
mod queue;
mod short;

use std::{
    env,
    io::{self, IsTerminal, Write},
    os::unix::fs::MetadataExt,
    sync::OnceLock,
    thread,
    time::{Duration, SystemTime},
};

use env_logger::{Builder, Target, WriteStyle};
use log::{Level, LevelFilter};

pub use crate::logger::line::LogFormat;
use crate::logger::{
    directives::Directives,
    line::{Line, Look},
    queue::LineQueue,
};

/// How long the end of a program waits for the lines that it logged last.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The queue of the process and how its lines look, once the logger has started.
static LOGGER: OnceLock<(LineQueue, Look)> = OnceLock::new();

/// Starts a logger that writes to standard error what `RUST_LOG` asks for, by default `level` and
/// above. A program that has installed a logger of its own keeps it.
pub(crate) fn start(level: LevelFilter, format: LogFormat) {
    let asked = env::var("RUST_LOG").unwrap_or_default();
    let given = Directives::of(&asked, level);
    let mut builder = Builder::new();
    builder.parse_filters(&given.accepted);
    if asked.is_empty() {
        // What matters of it is said once more, in this project's words and not at each attempt.
        builder.filter_module("async_nats", LevelFilter::Off);
    }
    builder.parse_write_style(&env::var("RUST_LOG_STYLE").unwrap_or_default());
    let has_colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    if has_colours && env::var_os("RUST_LOG_STYLE").is_none() {
        builder.write_style(WriteStyle::Always);
    }
    let (queue, waiting) = LineQueue::new();
    let is_journal = leads_to_journal();
    let look = Look { format, is_short: given.most < Level::Debug, is_journal };
    builder.target(Target::Pipe(Box::new(queue.clone()))).format(move |to, record| {
        let style = to.default_level_style(record.level());
        let line = Line {
            at: SystemTime::now(),
            level: record.level(),
            target: record.target(),
            message: &record.args().to_string(),
        };
        to.write_all(look.show(&line, style).as_bytes())
    });
    // The error says that there is a logger already.
    if builder.try_init().is_ok() && LOGGER.set((queue, look)).is_ok() {
        let lost = move |lines| {
            let text = format!("{lines} lines of the log were dropped: nobody read them");
            look.own(Level::Warn, &text)
        };
        // Without the thread there are no lines, which stops nothing else.
        let _ = thread::Builder::new()
            .name("log".into())
            .spawn(move || waiting.write_to(io::stderr(), lost));
        given.mistakes.iter().for_each(|mistake| own_line(Level::Warn, mistake));
    }
}

/// Waits until the lines so far are written, but not for long.
pub(crate) fn flush() {
    if let Some((queue, _)) = LOGGER.get() {
        queue.wait_for(LAST_LINES);
    }
}

/// Why the program ends, as its last line, where that is not for people at a terminal.
pub(crate) fn last_line(error: &str) -> Option<String> {
    let (_, look) = LOGGER.get()?;
    (look.format == LogFormat::Json || look.is_journal).then(|| look.own(Level::Error, error))
}

/// Whether standard error is what systemd says that it is: a stream that its journal reads, and not
/// a file that somebody has put in its place.
fn leads_to_journal() -> bool {
    let named = env::var("JOURNAL_STREAM").unwrap_or_default();
    let found = std::fs::metadata("/proc/self/fd/2");
    found.is_ok_and(|found| named == format!("{}:{}", found.dev(), found.ino()))
}

/// Logs a line of the logger itself, whatever is filtered.
fn own_line(level: Level, text: &str) {
    if let Some((queue, look)) = LOGGER.get() {
        // It is only put into the queue.
        let _ = queue.clone().write_all(look.own(level, text).as_bytes());
    }
}
