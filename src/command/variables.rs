//! The variables of the environment that stand for options: `OCKAM_RESUME_FOR` for `--resume-for`.

use clap::{builder::BoolishValueParser, parser::ValueSource, Arg, ArgAction, ArgMatches, Command};

/// The commands that only write a text.
const WITHOUT: [&str; 2] = ["completions", "man"];

/// Options whose variables are looked up elsewhere: `OCKAM_HUB`, `OCKAM_ROUTE` and `OCKAM_VAULT`.
const OTHERS: [&str; 3] = ["via", "route", "vault"];

/// Gives each option its variable, which `--help` shows. One that contradicts what is `given` on
/// the command line is not looked at.
pub(crate) fn with_variables(command: Command, given: &[String]) -> Command {
    // What is wrong with the line is said when all of it is read.
    let matches = command.clone().ignore_errors(true).try_get_matches_from(given).ok();
    of_options(command, matches.as_ref(), |_| true).mut_subcommands(|one| {
        let matches = matches.as_ref().and_then(|all| all.subcommand_matches(one.get_name()));
        let of_inner = |inner: Command| {
            let matches = matches.and_then(|all| all.subcommand_matches(inner.get_name()));
            // No identity is deleted because a variable has its name.
            of_options(inner, matches, |argument| !argument.is_positional())
        };
        match WITHOUT.contains(&one.get_name()) {
            true => one,
            false => of_options(one, matches, |_| true).mut_subcommands(of_inner),
        }
    })
}

fn of_options(
    command: Command,
    matches: Option<&ArgMatches>,
    may_have: impl Fn(&Arg) -> bool,
) -> Command {
    let with = command.clone();
    let is_given = |argument: &&Arg| {
        let source = matches.and_then(|all| all.value_source(argument.get_id().as_str()));
        source == Some(ValueSource::CommandLine)
    };
    let rivals: Vec<_> = with.get_arguments().filter(is_given).collect();
    command.mut_args(|argument| {
        let conflicts = |one: &Arg, other: &Arg| {
            let all = with.get_arg_conflicts_with(one);
            all.iter().any(|conflict| conflict.get_id() == other.get_id())
        };
        let is_out = |given: &&Arg| conflicts(given, &argument) || conflicts(&argument, given);
        match variable_of(&argument).filter(|_| may_have(&argument)) {
            Some(_) if rivals.iter().any(is_out) => argument,
            // Who writes a variable means 1 as well as true.
            Some(variable) if matches!(argument.get_action(), ArgAction::SetTrue) => {
                let argument = argument.env(variable).hide_env_values(true);
                argument.value_parser(BoolishValueParser::new())
            }
            // What it is now may be secret.
            Some(variable) => argument.env(variable).hide_env_values(true),
            None => argument,
        }
    })
}

fn variable_of(argument: &Arg) -> Option<String> {
    let name = argument.get_long().unwrap_or(argument.get_id().as_str());
    let has_own = OTHERS.contains(&name) || matches!(name, "help" | "version");
    (!has_own).then(|| format!("OCKAM_{}", name.replace('-', "_").to_uppercase()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn whole(given: &[&str]) -> Command {
        let given: Vec<_> = ["ockam"].iter().chain(given).map(|one| (*one).to_owned()).collect();
        with_variables(crate::Arguments::command(), &given)
    }

    fn variable(given: &[&str], name: &str) -> Option<String> {
        let whole = whole(given);
        let command = whole.find_subcommand(given[0]).unwrap();
        let found = command.get_arguments().find(|one| {
            one.get_long() == Some(name) || one.is_positional() && one.get_id() == name
        });
        found.unwrap().get_env().map(|name| name.to_string_lossy().into_owned())
    }

    #[test]
    fn options_have_variables_unless_they_contradict() {
        let has = |given: &[&str], option, name: Option<&str>| {
            assert_eq!(variable(given, option).as_deref(), name, "{given:?} {option}");
        };
        has(&["outlet"], "resume-for", Some("OCKAM_RESUME_FOR"));
        has(&["outlet"], "listen", Some("OCKAM_LISTEN"));
        has(&["outlet", "--via=a:1"], "listen", None);
        has(&["outlet", "--via", "a:1"], "to", Some("OCKAM_TO"));
        has(&["trace"], "route-file", Some("OCKAM_ROUTE_FILE"));
        has(&["trace", "tcp#a:1 => b"], "route-file", None);
        has(&["trace", "-v", "--no-target", "tcp#a:1 => b"], "target", None);
        has(&["run"], "config", Some("OCKAM_CONFIG"));
        has(&["status"], "console", Some("OCKAM_CONSOLE"));
    }

    #[test]
    fn every_option_has_a_variable() {
        let whole = whole(&[]);
        let commands = whole.get_subcommands().filter(|one| !WITHOUT.contains(&one.get_name()));
        let all = commands.flat_map(|one| std::iter::once(one).chain(one.get_subcommands()));
        let mut count = 0;
        for (command, argument) in all.flat_map(|one| one.get_opts().map(move |two| (one, two))) {
            let name = argument.get_long().unwrap();
            let is_there = argument.get_env().is_some() || OTHERS.contains(&name);
            assert!(is_there, "{} --{name}", command.get_name());
            count += 1;
        }
        assert!(count > 100, "{count}");
    }
}
