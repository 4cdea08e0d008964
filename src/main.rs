//! The program `ockam`: the guide's nodes without writing code, and a demonstration in one process.

mod command;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use command::{
    demo, hub, identity, inlet, invite, join, outlet, output::complete, reference, service, status,
    trace, variables,
};
use log::LevelFilter;

/// Tunnel any TCP protocol through end-to-end encrypted, mutually authenticated channels.
#[derive(Parser)]
#[command(name = "ockam", version, arg_required_else_help = true)]
struct Arguments {
    /// Log more: with -v what happens, with -vv each message; RUST_LOG, if set, decides instead.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

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
    let matches = variables::with_variables(Arguments::command(), &given).try_get_matches();
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    let Arguments { verbose, command } = parsed.unwrap_or_else(|error| explain(&error, &given));
    log_from(verbose, &command);
    if let Err(error) = ockam_actix_runtime::process::forbid_core_dumps() {
        log::warn!("a crash may write the keys of this program to a core dump: {error}");
    }
    match command {
        Command::Demo(arguments) => ockam::run(|ctx| demo::run(ctx, arguments)),
        Command::Hub(arguments) => ockam::run(|ctx| hub::run(ctx, arguments)),
        Command::Outlet(arguments) => ockam::run(|ctx| outlet::run(ctx, arguments)),
        Command::Inlet(arguments) => ockam::run(|ctx| inlet::run(ctx, arguments)),
        Command::Invite(arguments) => report(invite::run(&arguments).and_then(|()| complete())),
        Command::Join(arguments) => ockam::run(|ctx| join::run(ctx, arguments)),
        Command::Run(arguments) => {
            ockam_actix_runtime::process::raise_descriptor_limit();
            report(actix_rt::System::new().block_on(service::run(arguments)))
        }
        Command::Check(arguments) => report(service::check(&arguments).and_then(|()| complete())),
        Command::Trace(arguments) => ockam::run(|ctx| trace::run(ctx, arguments)),
        Command::Completions(wanted) => {
            report(reference::completions(&wanted, Arguments::command()))
        }
        Command::Man(wanted) => report(reference::manual(&wanted, Arguments::command())),
        Command::Identity(arguments) => report(identity::run(&arguments).and_then(|()| complete())),
        Command::Status(arguments) => report(status::run(&arguments).and_then(|()| complete())),
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
    std::process::exit(error.exit_code())
}

/// Ends a command without a node as [`ockam::run`] ends one with a node.
fn report(result: ockam::Result<()>) -> ExitCode {
    ockam::flush_logger();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed, the exit code is all that is left.
            let _ = writeln!(io::stderr(), "error: {}", error.one_line());
            ExitCode::FAILURE
        }
    }
}

fn log_from(verbose: u8, command: &Command) {
    ockam::start_logger_at(match (verbose, command) {
        // It draws its own picture.
        (0, Command::Demo(_)) => LevelFilter::Error,
        // It says itself what fails.
        (0, Command::Trace(_)) => LevelFilter::Off,
        (0, _) => LevelFilter::Info,
        (1, _) => LevelFilter::Debug,
        (_, _) => LevelFilter::Trace,
    });
}
