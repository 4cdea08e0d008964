//! One hub, outlet or inlet: its options are those of the command of the same name, so that each
//! has one name and one meaning.

use std::{fmt, path::PathBuf};

use clap::{error::ContextKind, ArgAction, Args, Command, FromArgMatches};
use ockam::{Context, Error, Result};

use crate::command::{doubts::Doubts, hub, inlet, outlet};

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hub,
    Outlet,
    Inlet,
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A line of a file, from 1.
    File { path: PathBuf, line: usize },
    /// An option of the command line, with its value as far as it tells it from others.
    CommandLine(String),
}

/// A section with its options. Two are equal if they do the same, wherever they stand.
#[derive(Clone)]
pub(crate) struct Section {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// As on the command line, in a fixed order.
    pub(crate) options: Vec<String>,
}

impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.options == other.options
    }
}

/// Options that were understood.
enum Parsed {
    Hub(hub::Arguments),
    Outlet(outlet::Arguments),
    Inlet(inlet::Arguments),
}

/// Why options were not understood: the option, if it is one alone, and what is wrong.
pub(crate) struct Misfit {
    pub(crate) option: Option<String>,
    pub(crate) text: String,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Hub, Self::Outlet, Self::Inlet];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Outlet => "outlet",
            Self::Inlet => "inlet",
        }
    }

    /// The command with the options that a section may have.
    pub(crate) fn command(self) -> Command {
        let command = Command::new(self.name()).no_binary_name(true).disable_help_flag(true);
        match self {
            Self::Hub => hub::Arguments::augment_args(command),
            Self::Outlet => outlet::Arguments::augment_args(command),
            Self::Inlet => inlet::Arguments::augment_args(command),
        }
    }

    fn parse(self, options: &[String]) -> std::result::Result<Parsed, clap::Error> {
        let matches = self.command().try_get_matches_from(options)?;
        Ok(match self {
            Self::Hub => Parsed::Hub(hub::Arguments::from_arg_matches(&matches)?),
            Self::Outlet => Parsed::Outlet(outlet::Arguments::from_arg_matches(&matches)?),
            Self::Inlet => Parsed::Inlet(inlet::Arguments::from_arg_matches(&matches)?),
        })
    }
}

/// The key in a file for an option.
pub(crate) fn key_of(argument: &clap::Arg) -> String {
    argument.get_long().unwrap_or(argument.get_id().as_str()).replace('-', "_")
}

/// Whether an option is there or not, and has no value.
pub(crate) fn is_switch(argument: &clap::Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

impl Section {
    /// Checks the options without starting anything.
    pub(crate) fn check(&self) -> std::result::Result<(), Misfit> {
        let parsed = self.kind.parse(&self.options).map_err(|error| misfit(&error))?;
        let checked = match &parsed {
            Parsed::Hub(arguments) => arguments.check(),
            Parsed::Outlet(arguments) => arguments.check(),
            Parsed::Inlet(arguments) => arguments.check(),
        };
        checked.map_err(|error| Misfit { option: None, text: error.one_line().to_string() })
    }

    /// Looks at what it names outside of the file.
    ///
    /// # Errors
    /// If the section cannot start with that.
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        match self.kind.parse(&self.options).map_err(|error| Error::Bug(misfit(&error).text))? {
            Parsed::Hub(arguments) => arguments.probe(doubts),
            Parsed::Outlet(arguments) => arguments.probe(doubts),
            Parsed::Inlet(arguments) => arguments.probe(doubts),
        }
    }

    /// What tells it from the others of a file, for people.
    pub(crate) fn name(&self) -> String {
        let value = |key: &str| {
            let of_key =
                |option: &String| Some(option.strip_prefix(key)?.strip_prefix('=')?.to_owned());
            self.options.iter().find_map(of_key).filter(|value| !value.is_empty())
        };
        let positional = || self.options.iter().skip_while(|one| *one != "--").nth(1).cloned();
        let own = match self.kind {
            Kind::Hub => positional(),
            Kind::Outlet => value("--service").or_else(|| value("--to")),
            Kind::Inlet => value("--listen"),
        };
        own.map_or_else(|| self.kind.name().into(), |own| format!("{} {own}", self.kind.name()))
    }

    /// Whether it may take long until it has started, and others need not wait for it.
    pub(crate) fn waits_for_others(&self) -> bool {
        let is_via = |option: &String| option.starts_with("--via=");
        self.kind == Kind::Outlet && self.options.iter().any(is_via)
    }

    /// Starts it on a node of its own, as the one with this number, from 0, of its process.
    pub(crate) async fn start(&self, ctx: Context, number: u16) -> Result<()> {
        let parsed = self.kind.parse(&self.options);
        match parsed.map_err(|error| Error::Bug(misfit(&error).text))? {
            Parsed::Hub(arguments) => hub::run(ctx, arguments).await,
            Parsed::Outlet(arguments) => outlet::run(ctx, arguments, number).await,
            Parsed::Inlet(arguments) => inlet::run(ctx, arguments).await,
        }
    }
}

/// What clap says, in the words of a file. The value is not shown: it may be secret.
fn misfit(error: &clap::Error) -> Misfit {
    let option = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let key = |text: &str| {
        let words = text.trim_start_matches("--").split([' ', '=', '[']).next().unwrap_or("");
        words.replace('-', "_")
    };
    let prior = error.get(ContextKind::PriorArg).map(|prior| key(&prior.to_string()));
    let text = match (std::error::Error::source(error), prior) {
        (Some(source), _) => source.to_string(),
        (None, Some(prior)) => format!("it cannot be used with \"{prior}\""),
        (None, None) => {
            let said = error.kind().as_str().unwrap_or("it was not understood");
            let missing = option.as_deref().map(|option| format!(": {option}"));
            return Misfit { option: None, text: format!("{said}{}", missing.unwrap_or_default()) };
        }
    };
    Misfit { option: option.map(|option| key(&option)), text }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::CommandLine(option) => f.write_str(option),
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { .. } => write!(f, "{}: [[{}]]", self.place, self.kind.name()),
            Place::CommandLine(option) => f.write_str(option),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_section_does() {
        for (kind, options, name) in [
            (Kind::Hub, &["--", "0.0.0.0:4000", "quic://0.0.0.0:4000"][..], "hub 0.0.0.0:4000"),
            (Kind::Hub, &[], "hub"),
            (Kind::Outlet, &["--to=a:1", "--service=web"], "outlet web"),
            (Kind::Outlet, &["--service=", "--to=a:1"], "outlet a:1"),
            (Kind::Inlet, &["--listen-mode=600", "--listen=unix:/a"], "inlet unix:/a"),
        ] {
            let options = options.iter().map(|one| (*one).to_owned()).collect();
            let place = Place::CommandLine("--option".into());
            assert_eq!(Section { kind, place, options }.name(), name);
        }
    }
}
