//! The variables of the environment that stand for options: `OCKAM_RESUME_FOR` for `--resume-for`.

use clap::{builder::BoolishValueParser, Arg, ArgAction, Command};

/// The commands whose options have variables. The others are not started by a service.
const COMMANDS: [&str; 6] = ["hub", "outlet", "inlet", "invite", "join", "identity"];

/// Options whose variables are looked up elsewhere: `OCKAM_HUB`, `OCKAM_ROUTE` and `OCKAM_VAULT`.
const OTHERS: [&str; 3] = ["via", "route", "vault"];

/// Gives each option its variable, which `--help` shows. One that contradicts what is `given` on
/// the command line is not looked at.
pub(crate) fn with_variables(command: Command, given: &[String]) -> Command {
    let command = of_options(command, given);
    let with = |command: Command, name| command.mut_subcommand(name, |one| of_options(one, given));
    COMMANDS.into_iter().fold(command, with)
}

fn of_options(command: Command, given: &[String]) -> Command {
    let is_given = |argument: &&Arg| given.iter().any(|text| names(text, argument));
    let with = command.clone();
    let rivals: Vec<_> = with.get_arguments().filter(is_given).collect();
    command.mut_args(|argument| {
        let conflicts = |one: &Arg, other: &Arg| {
            let all = with.get_arg_conflicts_with(one);
            all.iter().any(|conflict| conflict.get_id() == other.get_id())
        };
        let is_out = |given: &&&Arg| conflicts(given, &argument) || conflicts(&argument, given);
        match variable_of(&argument) {
            Some(_) if rivals.iter().any(|given| is_out(&given)) => argument,
            // Who writes a variable means 1 as well as true.
            Some(variable) if matches!(argument.get_action(), ArgAction::SetTrue) => {
                argument.env(variable).value_parser(BoolishValueParser::new())
            }
            Some(variable) => argument.env(variable),
            None => argument,
        }
    })
}

/// Whether a word of the command line is this option.
fn names(word: &str, argument: &Arg) -> bool {
    match (word.strip_prefix("--"), word.strip_prefix('-')) {
        (Some(long), _) => long.split('=').next() == argument.get_long(),
        (None, Some(short)) => argument.get_short().is_some_and(|one| short.contains(one)),
        (None, None) => false,
    }
}

fn variable_of(argument: &Arg) -> Option<String> {
    let name = argument.get_long().unwrap_or(argument.get_id().as_str());
    let has_own = OTHERS.contains(&name) || matches!(name, "help" | "version");
    (!has_own).then(|| format!("OCKAM_{}", name.replace('-', "_").to_uppercase()))
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;
    use crate::command::outlet;

    #[test]
    fn options_have_variables_unless_they_contradict() {
        let outlet = outlet::Arguments::augment_args(Command::new("outlet"));
        let others = ["hub", "inlet", "invite", "join", "identity"].map(Command::new);
        let whole = Command::new("ockam").subcommand(outlet).subcommands(others);
        let variable = |given: &[&str], option: &str| {
            let given: Vec<_> = given.iter().map(|given| (*given).to_owned()).collect();
            let whole = with_variables(whole.clone(), &given);
            let outlet = whole.find_subcommand("outlet").unwrap();
            let mut all = outlet.get_arguments();
            let found = all.find(|one| one.get_long() == Some(option)).unwrap().get_env();
            found.map(|name| name.to_string_lossy().into_owned())
        };
        assert_eq!(variable(&[], "resume-for").as_deref(), Some("OCKAM_RESUME_FOR"));
        assert_eq!(variable(&[], "listen").as_deref(), Some("OCKAM_LISTEN"));
        assert_eq!(variable(&["--via=a:1"], "listen"), None);
        assert_eq!(variable(&["--via", "a:1"], "to").as_deref(), Some("OCKAM_TO"));
    }

    #[test]
    fn options_are_given_in_any_form() {
        let option = Arg::new("verbose").long("verbose").short('v');
        for (word, is_it) in [
            ("--verbose", true),
            ("--verbose=2", true),
            ("-vv", true),
            ("-qv", true),
            ("--verb", false),
            ("-q", false),
            ("verbose", false),
        ] {
            assert_eq!(names(word, &option), is_it, "{word}");
        }
    }
}
