//! `ockam completions` and `ockam man`: made of the definition of the options themselves.

use std::{fs, io, path::PathBuf};

use clap::{Args, Command};
use clap_complete::{generate, Shell};
use clap_mangen::{generate_to, Man};
use ockam::{Error, Result};

/// Print the completions of this command for a shell.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam completions bash > /etc/bash_completion.d/ockam
  ockam completions zsh > ~/.zfunc/_ockam
  ockam completions fish > ~/.config/fish/completions/ockam.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Print the manual page of this command, or write those of all commands to a directory.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam man | man -l -
  ockam man /usr/local/share/man/man1")]
pub(crate) struct Manual {
    /// Directory for the pages: ockam.1, ockam-inlet.1 and so on.
    directory: Option<PathBuf>,
}

/// Writes the completions for `command`.
pub(crate) fn completions(arguments: &Completions, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "ockam", &mut script);
    write(&script)
}

/// Writes the manual of `command`.
pub(crate) fn manual(arguments: &Manual, command: Command) -> Result<()> {
    let Some(directory) = &arguments.directory else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        return write(&page);
    };
    let failed =
        |source| Error::transport(format!("cannot write pages to {}", directory.display()), source);
    fs::create_dir_all(directory).map_err(failed)?;
    generate_to(command, directory).map_err(failed)
}

fn write(text: &[u8]) -> Result<()> {
    let written = io::Write::write_all(&mut io::stdout(), text);
    written.map_err(|source| Error::transport("cannot write to standard output", source))
}
