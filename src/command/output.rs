//! What commands write to standard output, where a pipe that nobody reads any more, or a full disk,
//! ends no node.

use std::{
    fmt::Arguments,
    io::{self, Write},
    sync::OnceLock,
};

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

/// The error of a command whose only purpose was what it has written.
pub(crate) fn complete() -> ockam::Result<()> {
    match LOST.get() {
        None => Ok(()),
        Some(error) => {
            Err(ockam::Error::transport("cannot write to standard output", error.kind().into()))
        }
    }
}
