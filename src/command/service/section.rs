//! One hub, outlet or inlet: its options are those of the command of the same name, so that each
//! has one name and one meaning.

use std::{fmt, path::PathBuf, sync::Arc};

use clap::{error::ContextKind, ArgAction, Args, Command, FromArgMatches};

use crate::command::{hub, inlet, outlet, startable::Startable};

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

/// A section whose options are right. Two are equal if they do the same, wherever they stand.
#[derive(Clone)]
pub(crate) struct Section {
    pub(crate) kind: Kind,
    place: Place,
    /// As on the command line, in a fixed order.
    words: Vec<String>,
    /// What they mean. It is read once: a file or a variable that they name need not last.
    pub(crate) checked: Arc<dyn Startable>,
}

impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        self.has_words(other.kind, &other.words)
    }
}

/// Why options were not understood: the option, if it is one alone, and what is wrong.
#[derive(Debug)]
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

    fn check(self, words: &[String]) -> std::result::Result<Arc<dyn Startable>, Misfit> {
        let mut command = self.command();
        let parsed = command.try_get_matches_from_mut(words).and_then(|matches| {
            Ok(match self {
                Self::Hub => hub::Arguments::from_arg_matches(&matches)?.check().map(shared),
                Self::Outlet => outlet::Arguments::from_arg_matches(&matches)?.check().map(shared),
                Self::Inlet => inlet::Arguments::from_arg_matches(&matches)?.check().map(shared),
            })
        });
        let checked = parsed.map_err(|error| misfit(&error, &command))?;
        checked.map_err(|error| Misfit { option: None, text: error.one_line() })
    }
}

fn shared(checked: impl Startable + 'static) -> Arc<dyn Startable> {
    Arc::new(checked)
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
    /// The section with these words of a command line.
    ///
    /// # Errors
    /// If they are not understood.
    pub(crate) fn new(
        kind: Kind,
        place: Place,
        words: Vec<String>,
    ) -> std::result::Result<Self, Misfit> {
        let checked = kind.check(&words)?;
        Ok(Self { kind, place, words, checked })
    }

    /// The same section at another place.
    pub(crate) fn moved_to(&self, place: Place) -> Self {
        Self { place, ..self.clone() }
    }

    /// Whether it is of this kind, with these words.
    pub(crate) fn has_words(&self, kind: Kind, words: &[String]) -> bool {
        self.kind == kind && self.words == words
    }

    /// What tells it from the others of a file, for people.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.kind.name(), self.checked.name())
    }
}

/// What clap says, in the words of a file. The value is not shown: it may be secret.
fn misfit(error: &clap::Error, command: &Command) -> Misfit {
    let named = |context| error.get(context).map(ToString::to_string);
    let key = |name: &String| {
        let mut all = command.get_arguments();
        all.find(|argument| argument.to_string() == *name).map_or_else(|| name.clone(), key_of)
    };
    let (option, prior) = (named(ContextKind::InvalidArg), named(ContextKind::PriorArg));
    let text = match (std::error::Error::source(error), prior) {
        (Some(source), _) => source.to_string(),
        (None, Some(prior)) => format!("it cannot be used with \"{}\"", key(&prior)),
        (None, None) => {
            let said = error.kind().as_str().unwrap_or("it was not understood");
            let missing = option.as_deref().map(|option| format!(": {option}"));
            return Misfit { option: None, text: format!("{said}{}", missing.unwrap_or_default()) };
        }
    };
    Misfit { option: option.as_ref().map(key), text }
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
pub(super) mod tests {
    use super::*;

    /// A section of line `line`.
    pub(crate) fn section(kind: Kind, line: usize, words: &[&str]) -> Section {
        let words = words.iter().map(|one| (*one).to_owned()).collect();
        let place = Place::File { path: "file".into(), line };
        Section::new(kind, place, words).unwrap_or_else(|Misfit { text, .. }| panic!("{text}"))
    }

    #[test]
    fn names_say_what_a_section_does() {
        for (kind, words, name) in [
            (Kind::Hub, &["--", "0.0.0.0:4000", "quic://0.0.0.0:4000"][..], "hub 0.0.0.0:4000"),
            (Kind::Hub, &[], "hub 127.0.0.1:4000"),
            (Kind::Outlet, &["--to=a:1", "--service=web", "--via=h:1"], "outlet web"),
            (Kind::Outlet, &["--service=", "--to=a:1", "--via=h:1"], "outlet a:1"),
            (Kind::Inlet, &["--listen=unix:/a", "--route=tcp#h:1,,x"], "inlet unix:/a"),
        ] {
            assert_eq!(section(kind, 1, words).name(), name);
        }
    }

    #[test]
    fn outlets_at_hubs_wait_for_them() {
        let waits = |words: &[&str]| section(Kind::Outlet, 1, words).checked.waits_for_others();
        assert!(waits(&["--to=a:1", "--via=h:1"]));
        assert!(!waits(&["--to=a:1", "--listen=127.0.0.1:1"]));
    }
}
