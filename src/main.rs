//! The program `ockam`: the guide's nodes without writing code, and a demonstration in one process.

mod command;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{error::ContextKind, CommandFactory, FromArgMatches, Parser, Subcommand};
use command::{
    demo, hub, identity, inlet, invite, join, log_args, outlet, output::complete, reference,
    service, several, status, trace, variables, version,
};
use log::LevelFilter;
use ockam::conclude;

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
    if let Some(sections) = several::sections(&matches) {
        ockam_actix_runtime::process::raise_descriptor_limit();
        return conclude(
            actix_rt::System::new()
                .block_on(service::run_all(sections, several::console(&matches))),
        );
    }
    match command {
        Command::Demo(arguments) => ockam::run(|ctx| demo::run(ctx, arguments)),
        Command::Hub(arguments) => ockam::run(|ctx| hub::run(ctx, arguments)),
        Command::Outlet(arguments) => ockam::run(|ctx| outlet::run(ctx, arguments, 0)),
        Command::Inlet(arguments) => ockam::run(|ctx| inlet::run(ctx, arguments)),
        Command::Invite(arguments) => conclude(invite::run(&arguments).and_then(|()| complete())),
        Command::Join(arguments) => ockam::run(|ctx| join::run(ctx, arguments)),
        Command::Run(arguments) => ockam::run_system(|| service::run(arguments)),
        Command::Check(arguments) => conclude(service::check(&arguments).and_then(|()| complete())),
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
