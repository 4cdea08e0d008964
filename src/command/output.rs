//! The standard output of commands: a pipe that nobody reads any more, or a full disk, ends no
//! node.

pub(crate) mod quantity;
pub(crate) mod table;
pub(crate) mod wrapped;

use std::{
    fmt::{Arguments, Display},
    io::{self, Write},
    sync::OnceLock,
};

use ockam::Identifier;
use serde_json::Value;
use terminal_size::{terminal_size_of, Width};

/// Why the first line that was lost could not be written.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes a line, as `println!` does, which would end the program with a panic.
macro_rules! say {
    ($($text:tt)*) => { $crate::command::output::line(format_args!($($text)*)) };
}
pub(crate) use say;

/// See [`say`].
pub(crate) fn line(text: Arguments<'_>) {
    let mut to = io::stdout().lock();
    let written = writeln!(to, "{text}").and_then(|()| to.flush());
    if let Err(error) = written {
        if LOST.get().is_none() {
            log::warn!("cannot write to standard output: {error}");
            // The first one says why.
            let _ = LOST.set(error);
        }
    }
}

/// Columns of the terminal that is written to. Where there is none, nothing need be cut: a program
/// reads what is written, or a person scrolls.
pub(crate) fn terminal_width() -> Option<usize> {
    terminal_size_of(io::stdout()).map(|(Width(columns), _)| columns.into())
}

/// A number of things: `1 section`, `2 sections`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Prints what was done or asked for, as a text or as JSON.
pub(crate) fn tell(as_json: bool, text: impl Display, json: Value) {
    match as_json {
        true => say!("{json:#}"),
        false => say!("{text}"),
    }
}

/// An identity as JSON, with more about it.
pub(crate) fn with(identifier: &Identifier, more: &[(&str, Value)]) -> Value {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    std::iter::once(("identifier".to_owned(), identifier.to_string().into())).chain(more).collect()
}

/// The error of a command whose only purpose was what it has written.
pub(crate) fn complete() -> ockam::Result<()> {
    match LOST.get() {
        None => Ok(()),
        Some(error) => {
            Err(ockam::Error::transport("cannot write to standard output", error.kind().into()))
        }
    }
}
