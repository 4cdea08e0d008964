//! `ockam outlet` with several `--to`: an outlet each, as sections of a file are, in one process.

use clap::{parser::ValueSource, Arg, ArgAction, ArgMatches, Command};
use ockam::{Error, Result};

use crate::command::service::{
    console::ConsoleSection,
    section::{is_switch, Kind, Misfit, Place, Section},
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
///
/// # Errors
/// If the options are none of a section.
pub(crate) fn sections(matches: &ArgMatches) -> Result<Option<Vec<Section>>> {
    let given = matches.subcommand_matches(OUTLET);
    let given = given.and_then(|given| Some((given, given.get_many::<String>("to")?)));
    let Some((given, to)) = given else { return Ok(None) };
    let targets: Vec<_> = to.map(|to| named(to)).collect();
    if let [(None, _)] = targets[..] {
        return Ok(None);
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
        let option = format!("--to {named}{target}");
        let place = Place::CommandLine(option.clone());
        Section::new(Kind::Outlet, place, options).map_err(|misfit| {
            let Misfit { option: of, text } = misfit;
            let of = of.map_or_else(String::new, |of| format!("--{}: ", of.replace('_', "-")));
            Error::Usage(format!("{option}: {of}{text}"))
        })
    };
    targets.iter().map(section).collect::<Result<_>>().map(Some)
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

    fn sections_of(line: &str) -> Option<Vec<Section>> {
        let outlet = outlet::Arguments::augment_args(Command::new(OUTLET));
        let whole = with_several(Command::new("ockam").subcommand(outlet));
        sections(&whole.try_get_matches_from(line.split(' ')).unwrap()).unwrap()
    }

    #[test]
    fn each_target_has_its_section() {
        assert!(sections_of("ockam outlet --to a:1 --via h:1").is_none());
        assert!(sections_of("ockam outlet --to unix:/a=b --via h:1").is_none());
        let all = sections_of("ockam outlet --to web=a:1 --via h:1,i:1 --to b:1 --hub-channel");
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let shared = ["--via=h:1", "--via=i:1", "--hub-channel"];
        let web = words(&[&shared[..], &["--to=a:1", "--service=web"]].concat());
        let other = words(&[&shared[..], &["--to=b:1"]].concat());
        let all = all.unwrap();
        assert!(all[0].has_words(Kind::Outlet, &web) && all[1].has_words(Kind::Outlet, &other));
        let named = sections_of("ockam outlet --to web=a:1 --via h:1").unwrap();
        let web = words(&["--via=h:1", "--to=a:1", "--service=web"]);
        assert!(named.len() == 1 && named[0].has_words(Kind::Outlet, &web));
    }
}
