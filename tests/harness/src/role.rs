//! The contract between a program and the copies that it starts of itself, each in a role.
//!
//! A role says `ready ADDRESS` in one line on its standard output as soon as it can be used, and
//! ends when its standard input does. The input is a pipe that only the parent holds, so no role
//! outlives a run that was killed.

use std::{
    fmt::Display,
    io::{self, Read, Write},
    process,
};

/// The beginning of that line.
pub(crate) const READY: &str = "ready ";

/// Tells the parent that the role can be used, and under which address.
pub fn ready(address: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{READY}{address}")?;
    out.flush()
}

/// Ends this process when the parent does; to be called on a thread of its own.
pub fn end_with_the_parent() {
    let mut nothing = [0; 64];
    while matches!(io::stdin().read(&mut nothing), Ok(count) if count > 0) {}
    process::exit(0);
}
