//! The program `ockam`: the guide's nodes without writing code, and a demonstration in one process.

mod command;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{error::ContextKind, CommandFactory, FromArgMatches, Parser, Subcommand};
use command::{
    demo, hub, identity, inlet, invite, join, log_args, outlet, output::complete, reference,
    service, several, startable::Startable, status, trace, variables, version,
};
use log::LevelFilter;
use ockam::{conclude, Result};

/// Tunnel any TCP protocol through end-to-end encrypted, mutually authenticated channels.
#[derive(Parser)]
#[command(name = "ockam", version, long_version = version::LONG, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    log: log_args::LogArguments,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Hub(hub::Arguments),
    Outlet(outlet::Arguments),
    Inlet(inlet::Arguments),
    Invite(invite::Arguments),
    Join(join::Arguments),
    Run(service::Arguments),
    /// Say whether a file is one that `ockam run` can use, and if not, where the mistake is.
    Check(service::Arguments),
    Trace(trace::Arguments),
    Status(status::Arguments),
    Identity(identity::Arguments),
    Completions(reference::Completions),
    Man(reference::Manual),
}

/// The system's allocator would keep the memory that a crowd of clients needed, even when all have
/// left.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let given: Vec<_> = std::env::args_os().map(|one| one.to_string_lossy().into()).collect();
    let definition = several::with_several(Arguments::command());
    let matches = variables::with_variables(definition, &given).try_get_matches();
    let matches = matches.unwrap_or_else(|error| explain(&error, &given));
    let parsed = Arguments::from_arg_matches(&matches);
    let Arguments { log, command } = parsed.unwrap_or_else(|error| explain(&error, &given));
    log.start(match command {
        // It draws its own picture.
        Command::Demo(_) => LevelFilter::Error,
        // It says itself what fails.
        Command::Trace(_) => LevelFilter::Off,
        _ => LevelFilter::Info,
    });
    if let Err(error) = ockam_actix_runtime::process::forbid_core_dumps() {
        log::warn!("a crash may write the keys of this program to a core dump: {error}");
    }
    match several::sections(&matches) {
        Ok(Some(sections)) => {
            let console = several::console(&matches);
            return ockam::run_system(|| service::run_all(sections, console));
        }
        Ok(None) => {}
        Err(error) => return conclude(Err(error)),
    }
    match command {
        Command::Demo(arguments) => ockam::run(|ctx| demo::run(ctx, arguments)),
        Command::Hub(arguments) => start(arguments.check()),
        Command::Outlet(arguments) => start(arguments.check()),
        Command::Inlet(arguments) => start(arguments.check()),
        Command::Invite(arguments) => conclude(invite::run(&arguments).and_then(|()| complete())),
        Command::Join(arguments) => ockam::run(|ctx| join::run(ctx, arguments)),
        Command::Run(arguments) => match arguments.read() {
            Ok(file) => ockam::run_system(|| service::run(file)),
            Err(error) => conclude(Err(error)),
        },
        Command::Check(arguments) => {
            conclude(arguments.read().and_then(service::check).and_then(|()| complete()))
        }
        Command::Trace(arguments) => ockam::run(|ctx| trace::run(ctx, arguments)),
        Command::Completions(wanted) => {
            conclude(reference::completions(&wanted, Arguments::command()))
        }
        Command::Man(wanted) => conclude(reference::manual(&wanted, Arguments::command())),
        Command::Identity(arguments) => {
            conclude(identity::run(&arguments).and_then(|()| complete()))
        }
        Command::Status(arguments) => conclude(status::run(&arguments).and_then(|()| complete())),
    }
}

/// Runs a node, if its options are right: they are looked at before it begins to wait for signals,
/// as a route may be read from a terminal.
fn start(checked: Result<impl Startable>) -> ExitCode {
    match checked {
        Ok(checked) => ockam::run(|ctx| async move { checked.start(ctx, 0).await }),
        Err(error) => conclude(Err(error)),
    }
}

/// Ends the program with clap's error, and a hint where a shell has taken a route apart.
fn explain(error: &clap::Error, given: &[String]) -> ! {
    // Where nobody reads it, the exit code is all that is left.
    let _ = error.print();
    if error.use_stderr() && given.iter().any(|one| one == "=" || one == "=>") {
        let _ = writeln!(
            io::stderr(),
            "\nhint: put the route in quotes, --route 'tcp#host:4000 => ADDRESS', or write two \
             commas for the arrow, --route tcp#host:4000,,ADDRESS; without quotes, the shell has \
             written to a file named ADDRESS"
        );
    }
    let is_unknown = |option: &str| {
        let context = error.get(ContextKind::InvalidArg);
        context.is_some_and(|one| one.to_string() == option)
    };
    if given.get(1).is_some_and(|one| one == "hub") && is_unknown("--listen") {
        let _ =
            writeln!(io::stderr(), "\nhint: its addresses need no option: ockam hub 0.0.0.0:4000");
    }
    std::process::exit(error.exit_code())
}
