//! `ockam outlet` with several `--to`: an outlet each, as sections of a file are, in one process.

use clap::{parser::ValueSource, Arg, ArgAction, ArgMatches, Command};

use crate::command::service::{
    console::ConsoleSection,
    section::{is_switch, Kind, Place, Section},
};

/// The command whose option `--to` may be given several times, each with a name for the service.
const OUTLET: &str = "outlet";

/// The options of the console, which all outlets of the process share.
const CONSOLE: [&str; 2] = ["console", "console_host"];

/// Has the command line take several targets.
pub(crate) fn with_several(command: Command) -> Command {
    let several = |to: Arg| to.action(ArgAction::Append);
    command.mut_subcommand(OUTLET, |outlet| outlet.mut_arg("to", several))
}

/// A section for each target, if there are several, or one with a name.
pub(crate) fn sections(matches: &ArgMatches) -> Option<Vec<Section>> {
    let given = matches.subcommand_matches(OUTLET)?;
    let targets: Vec<_> = given.get_many::<String>("to")?.map(|to| named(to)).collect();
    if let [(None, _)] = targets[..] {
        return None;
    }
    let shared: Vec<_> = Kind::Outlet
        .command()
        .get_arguments()
        .filter(|argument| {
            argument.get_id() != "to" && !CONSOLE.contains(&argument.get_id().as_str())
        })
        .flat_map(|argument| options(argument, given))
        .collect();
    let section = |(name, target): &(Option<&str>, &str)| {
        let mut options = shared.clone();
        options.push(format!("--to={target}"));
        options.extend(name.map(|name| format!("--service={name}")));
        let named = name.map_or_else(String::new, |name| format!("{name}="));
        let place = Place::CommandLine(format!("--to {named}{target}"));
        Section { kind: Kind::Outlet, place, options }
    };
    Some(targets.iter().map(section).collect())
}

/// The console of all of them, if there is to be one.
pub(crate) fn console(matches: &ArgMatches) -> Option<ConsoleSection> {
    let given = matches.subcommand_matches(OUTLET)?;
    let listen = given.get_one::<String>(CONSOLE[0])?.clone();
    let hosts = given.get_many::<String>(CONSOLE[1]).into_iter().flatten().cloned().collect();
    let place = Place::CommandLine("--console".into());
    Some(ConsoleSection { place, listen, hosts })
}

/// The words of a command line for an option, if it was given there or by its variable.
fn options(argument: &Arg, given: &ArgMatches) -> Vec<String> {
    let id = argument.get_id().as_str();
    let is_given =
        matches!(given.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
    let Some(long) = argument.get_long().filter(|_| is_given) else { return Vec::new() };
    let values: Vec<_> = given.get_raw(id).into_iter().flatten().collect();
    match is_switch(argument) {
        true if given.get_flag(id) => vec![format!("--{long}")],
        true => Vec::new(),
        // An option whose value may be left out.
        false if values.is_empty() => vec![format!("--{long}")],
        false => {
            let option = |value: &&std::ffi::OsStr| format!("--{long}={}", value.to_string_lossy());
            values.iter().map(option).collect()
        }
    }
}

/// The name and the target of `name=target`.
fn named(to: &str) -> (Option<&str>, &str) {
    let is_name = |text: &str| {
        let mut all = text.bytes();
        !text.is_empty() && all.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    match to.split_once('=') {
        Some((name, target)) if is_name(name) => (Some(name), target),
        _ => (None, to),
    }
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;
    use crate::command::outlet;

    fn options_of(line: &str) -> Option<Vec<Vec<String>>> {
        let outlet = outlet::Arguments::augment_args(Command::new(OUTLET));
        let whole = with_several(Command::new("ockam").subcommand(outlet));
        let matches = whole.try_get_matches_from(line.split(' ')).unwrap();
        Some(sections(&matches)?.into_iter().map(|section| section.options).collect())
    }

    #[test]
    fn each_target_has_its_section() {
        assert_eq!(options_of("ockam outlet --to a:1 --via h:1"), None);
        assert_eq!(options_of("ockam outlet --to unix:/a=b --via h:1"), None);
        let all = options_of("ockam outlet --to web=a:1 --via h:1,i:1 --to b:1 --hub-channel");
        let shared = ["--via=h:1", "--via=i:1", "--hub-channel"];
        let web = [&shared[..], &["--to=a:1", "--service=web"]].concat();
        let other = [&shared[..], &["--to=b:1"]].concat();
        assert_eq!(all.unwrap(), [web, other]);
        let named = options_of("ockam outlet --to web=a:1 --via h:1").unwrap();
        assert_eq!(named, [["--via=h:1", "--to=a:1", "--service=web"]]);
    }
}
