//! What a configuration says. Each mistake names its file, its line, and what is expected there.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Arg;
use ockam::{Error, Result};
use toml::{
    de::{DeTable, DeValue},
    Spanned,
};

use crate::command::{
    console_args::{address, checked, PORT},
    resume_args::duration,
    route_args::STANDARD_INPUT,
    service::{
        conflicts,
        console::ConsoleSection,
        files::Files,
        nearest::nearest,
        section::{is_switch, key_of, Kind, Misfit, Place, Section},
    },
};

/// Keys of `[node]`.
const NODE_KEYS: [&str; 2] = ["arbiters", "drain_timeout"];

/// Keys of `[node]` that are the defaults of the sections that have an identity.
const DEFAULTS: [&str; 3] = ["vault", "key_file", "passphrase_fd"];

/// Keys of `[console]`.
const CONSOLE_KEYS: [&str; 2] = ["listen", "host"];

/// Keys beside the sections.
const TOP_KEYS: [&str; 6] = ["include", "node", "console", "hub", "outlet", "inlet"];

/// What was read: right or not, it is known what to look at for a change.
pub(crate) struct Reading {
    pub(crate) configuration: Result<Configuration>,
    pub(crate) files: Files,
}

/// A file, and those that it includes.
pub(crate) struct Configuration {
    pub(crate) sections: Vec<Section>,
    pub(crate) settings: Settings,
    pub(crate) console: Option<ConsoleSection>,
}

/// What the node of each section is started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) arbiters: Option<usize>,
    pub(crate) drain_timeout: Option<Duration>,
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

/// Reads a file, and those that it includes. Of what `runs` already, nothing is checked again.
pub(crate) fn read(mut files: Files, runs: &[Section]) -> Reading {
    // Before they are read: what changes meanwhile is read again.
    files.look();
    let path = files.path().to_owned();
    let configuration = text_of(&path).and_then(|text| {
        let file = Source { path: &path, text: &text, runs };
        let root = file.parse()?;
        let patterns = root.get("include").map(|value| file.patterns(value));
        files.include(patterns.unwrap_or_else(|| Ok(Vec::new()))?);
        file.configuration(&root, &files)
    });
    Reading { configuration, files }
}

fn text_of(path: &Path) -> Result<String> {
    let failed = |source| Error::transport(format!("cannot read {}", path.display()), source);
    fs::read_to_string(path).map_err(failed)
}

/// A file that is being read.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    runs: &'a [Section],
}

impl<'a> Source<'a> {
    /// Reads the file, which includes others.
    fn configuration(&self, root: &DeTable<'a>, files: &Files) -> Result<Configuration> {
        let (mut settings, mut console) = (Settings::default(), None);
        let (mut sections, mut defaults) = (Vec::new(), Vec::new());
        for (key, value) in root.iter() {
            match key.get_ref().as_ref() {
                "node" => defaults = self.node(value, &mut settings)?,
                "console" => console = Some(self.console(value)?),
                known if TOP_KEYS.contains(&known) => {}
                _ => return Err(self.unknown(key, TOP_KEYS.into_iter())),
            }
        }
        self.sections(root, &defaults, &mut sections)?;
        for path in files.included() {
            let text = text_of(path)?;
            let file = Source { path, text: &text, runs: self.runs };
            let root = file.parse()?;
            let known = Kind::ALL.map(Kind::name);
            if let Some((key, _)) =
                root.iter().find(|(key, _)| !known.contains(&key.get_ref().as_ref()))
            {
                return Err(file.unknown(key, known.into_iter()));
            }
            file.sections(&root, &defaults, &mut sections)?;
        }
        conflicts::check(&sections, console.as_ref())?;
        Ok(Configuration { sections, settings, console })
    }

    fn place(&self, at: usize) -> Place {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Place::File { path: self.path.to_owned(), line }
    }

    fn mistake(&self, at: usize, what: impl std::fmt::Display) -> Error {
        Error::Usage(format!("{}: {what}", self.place(at)))
    }

    fn parse(&self) -> Result<DeTable<'a>> {
        let parsed = DeTable::parse(self.text).map_err(|error| {
            self.mistake(error.span().map_or(0, |span| span.start), error.message())
        })?;
        Ok(parsed.into_inner())
    }

    fn unknown<'k>(&self, key: &Key<'_>, known: impl Iterator<Item = &'k str>) -> Error {
        let (name, known) = (key.get_ref(), known.collect::<Vec<_>>());
        let hint = match nearest(name, &known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("expected one of {}", known.join(", ")),
        };
        self.mistake(key.span().start, format_args!("there is no key \"{name}\": {hint}"))
    }

    /// Reads `[node]`; returns what it says for the sections.
    fn node(
        &self,
        value: &Spanned<DeValue<'a>>,
        settings: &mut Settings,
    ) -> Result<Vec<(String, String)>> {
        let at = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.mistake(at, "\"node\" is a section: write [node]"));
        };
        let mut defaults = Vec::new();
        for (key, value) in table.iter() {
            let at = value.span().start;
            let name = key.get_ref().as_ref();
            let text = || self.text_of(name, value);
            match name {
                "arbiters" => {
                    let parsed = text()?.parse().ok().filter(|count| (1..=1024).contains(count));
                    let expected = || self.mistake(at, "arbiters: expected 1 to 1024 threads");
                    settings.arbiters = Some(parsed.ok_or_else(expected)?);
                }
                "drain_timeout" => {
                    let parsed = duration(&text()?);
                    let wrong = |error| self.mistake(at, format_args!("drain_timeout: {error}"));
                    settings.drain_timeout = Some(parsed.map_err(wrong)?);
                }
                _ if DEFAULTS.contains(&name) => {
                    let mut text = text()?;
                    if name != "passphrase_fd" {
                        text = self.resolve(&text);
                    }
                    defaults.push((name.to_owned(), text));
                }
                _ => return Err(self.unknown(key, NODE_KEYS.into_iter().chain(DEFAULTS))),
            }
        }
        Ok(defaults)
    }

    fn console(&self, value: &Spanned<DeValue<'a>>) -> Result<ConsoleSection> {
        let place = self.place(value.span().start);
        let at = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.mistake(at, "\"console\" is a section: write [console]"));
        };
        let (mut listen, mut hosts) = (address(&PORT.to_string()), Vec::new());
        for (key, value) in table.iter() {
            let text = |value: &Spanned<DeValue<'a>>| self.text_of(key.get_ref(), value);
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("listen", _) => {
                    let wrong = |what| self.mistake(value.span().start, what);
                    listen = checked(&text(value)?).map_err(wrong)?;
                }
                ("host", DeValue::Array(names)) => {
                    hosts = names.iter().map(text).collect::<Result<_>>()?;
                }
                ("host", _) => hosts.push(text(value)?),
                _ => return Err(self.unknown(key, CONSOLE_KEYS.into_iter())),
            }
        }
        Ok(ConsoleSection { place, listen, hosts })
    }

    fn patterns(&self, value: &Spanned<DeValue<'a>>) -> Result<Vec<String>> {
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        let pattern = |value: &Spanned<DeValue<'a>>| {
            let pattern = self.resolve(&self.text_of("include", value)?);
            let wrong = |error| self.mistake(value.span().start, format_args!("include: {error}"));
            glob::Pattern::new(&pattern).map_err(wrong)?;
            Ok(pattern)
        };
        values.into_iter().map(pattern).collect()
    }

    fn sections(
        &self,
        root: &DeTable<'a>,
        defaults: &[(String, String)],
        into: &mut Vec<Section>,
    ) -> Result<()> {
        for kind in Kind::ALL {
            let Some(value) = root.get(kind.name()) else { continue };
            let DeValue::Array(tables) = value.get_ref() else {
                let name = kind.name();
                return Err(self.mistake(value.span().start, format_args!("write [[{name}]]")));
            };
            for table in tables.iter() {
                into.push(self.section(kind, table, defaults)?);
            }
        }
        Ok(())
    }

    fn section(
        &self,
        kind: Kind,
        value: &Spanned<DeValue<'a>>,
        defaults: &[(String, String)],
    ) -> Result<Section> {
        let at = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.mistake(at, format_args!("write [[{}]]", kind.name())));
        };
        let command = kind.command();
        let (mut options, mut positional) = (Vec::new(), Vec::new());
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            let Some(argument) = command.get_arguments().find(|one| key_of(one) == name) else {
                let known: Vec<_> = command.get_arguments().map(key_of).collect();
                return Err(self.unknown(key, known.iter().map(String::as_str)));
            };
            match argument.get_long() {
                Some(long) => options.extend(self.option(long, name, argument, value)?),
                None => positional.extend(self.values(name, argument, value)?),
            }
        }
        if options.iter().any(|option| option.starts_with("--identity=")) {
            for (key, text) in defaults {
                let is_given = table.keys().any(|given| given.get_ref().as_ref() == key);
                if !is_given {
                    options.push(format!("--{}={text}", key.replace('_', "-")));
                }
            }
        }
        if !positional.is_empty() {
            options.push("--".into());
            options.extend(positional);
        }
        let place = self.place(at);
        if let Some(same) = self.runs.iter().find(|one| one.has_words(kind, &options)) {
            return Ok(same.moved_to(place));
        }
        Section::new(kind, place, options).map_err(|Misfit { option, text }| {
            let named =
                table.iter().find(|(key, _)| Some(key.get_ref().as_ref()) == option.as_deref());
            match named {
                Some((key, value)) => {
                    self.mistake(value.span().start, format_args!("{}: {text}", key.get_ref()))
                }
                None => self.mistake(at, format_args!("[[{}]]: {text}", kind.name())),
            }
        })
    }

    /// The words of a command line for one key.
    fn option(
        &self,
        long: &str,
        name: &str,
        argument: &Arg,
        value: &Spanned<DeValue<'a>>,
    ) -> Result<Vec<String>> {
        let needs_none = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
        match value.get_ref() {
            DeValue::Boolean(true) if is_switch(argument) || needs_none => {
                Ok(vec![format!("--{long}")])
            }
            DeValue::Boolean(false) if is_switch(argument) || needs_none => Ok(Vec::new()),
            _ if is_switch(argument) => {
                Err(self
                    .mistake(value.span().start, format_args!("{name}: expected true or false")))
            }
            _ => {
                let values = self.values(name, argument, value)?;
                Ok(values.into_iter().map(|text| format!("--{long}={text}")).collect())
            }
        }
    }

    fn values(
        &self,
        name: &str,
        argument: &Arg,
        value: &Spanned<DeValue<'a>>,
    ) -> Result<Vec<String>> {
        let is_list = matches!(argument.get_action(), clap::ArgAction::Append);
        let is_path = argument.get_value_parser().type_id() == std::any::TypeId::of::<PathBuf>();
        let values = match value.get_ref() {
            DeValue::Array(values) if is_list => values.iter().collect(),
            _ => vec![value],
        };
        let text = |value: &Spanned<DeValue<'a>>| {
            let text = self.text_of(name, value)?;
            Ok(if is_path && text != STANDARD_INPUT { self.resolve(&text) } else { text })
        };
        values.into_iter().map(text).collect()
    }

    fn text_of(&self, name: &str, value: &Spanned<DeValue<'a>>) -> Result<String> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) => Ok(number.to_string()),
            _ => {
                let what = format_args!("{name}: expected a text in quotes").to_string();
                Err(self.mistake(value.span().start, what))
            }
        }
    }

    /// A path as seen from the file that names it.
    fn resolve(&self, path: &str) -> String {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(path).to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Configuration> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.toml");
        fs::write(&path, text).unwrap();
        read(Files::of(path), &[]).configuration
    }

    #[test]
    fn mistakes_name_line_key_and_remedy() {
        for (text, line, said) in [
            ("[[hub]]\nlisen = 'a:1'", 2, "did you mean \"listen\"?"),
            ("[[outlet]]\nname = 'a'", 2, "did you mean \"service\"?"),
            ("\n[[outlte]]\n", 2, "did you mean \"outlet\"?"),
            ("[outlet]\nto = 'a:1'", 1, "write [[outlet]]"),
            ("[[outlet]]\nto = 'a:1'\nlisten = 'a'", 3, "listen: "),
            ("[[outlet]]\nto = 'a:1'\nlisten = 'a:1'\nvia = 'a:1'", 0, "via"),
            ("[[outlet]]\nlisten = 'a:1'\n", 1, "--to"),
            ("[[outlet]]\nto = 'a:1'\nlisten = 'a:1'\nplain = 1", 4, "true or false"),
            ("[[inlet]]\nlisten = 'a:1'\nroute = 'x'\nresume_for = 'x'", 4, "such as 30s"),
            ("[node]\narbiters = 0", 2, "1 to 1024"),
            ("[[hub]]\nlisten = [", 2, ""),
            ("[console]\nlisen = 4090", 2, "did you mean \"listen\"?"),
            ("console = 4090", 1, "write [console]"),
        ] {
            let error = read_text(text).err().unwrap().one_line().to_string();
            let place = if line == 0 { "file.toml:".into() } else { format!("file.toml:{line}: ") };
            assert!(error.contains(&place) && error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn the_page_has_a_row_for_every_key() {
        let page = include_str!("../../../docs/configuration.md");
        for kind in Kind::ALL {
            let section = page.split(&format!("## `[[{}]]`\n", kind.name())).nth(1).unwrap();
            let section = section.split("\n## ").next().unwrap();
            for key in kind.command().get_arguments().map(key_of) {
                let (name, row) = (kind.name(), format!("\n| `{key}` |"));
                assert!(section.contains(&row), "{name} lacks the key {key}");
            }
        }
        let of_console = page.split("## `[console]`\n").nth(1).unwrap();
        for (page, key) in NODE_KEYS
            .into_iter()
            .chain(DEFAULTS)
            .map(|key| (page, key))
            .chain(CONSOLE_KEYS.map(|key| (of_console.split("\n## ").next().unwrap(), key)))
        {
            assert!(page.contains(&format!("\n| `{key}` |")), "no row for {key}");
        }
    }

    #[test]
    fn order_of_keys_and_place_make_no_difference() {
        let one = read_text("[[hub]]\nlisten = ['a:1', 'b:1']\ndrain_seconds = 1").unwrap();
        let other = read_text("\n[[hub]]\ndrain_seconds = 1\nlisten = ['a:1', 'b:1']").unwrap();
        assert!(one.sections == other.sections);
        assert!(other.sections[0].to_string().ends_with("file.toml:2: [[hub]]"));
    }
}
