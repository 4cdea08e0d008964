//! `ockam run FILE` and `ockam check FILE`: hubs, outlets and inlets of one file, as a service.
//!
//! | idea | module |
//! |---|---|
//! | what a file says, with the line of each mistake | [`file`] |
//! | which key was meant by a misspelt one | [`nearest`] |
//! | what two sections cannot both have | [`conflicts`] |
//! | one hub, outlet or inlet of it, by the options of the command line | [`section`] |
//! | one console for all of them | [`console`] |
//! | the sections that run, and what a changed file changes | [`services`] |
//! | what the manager of services is told | [`manager`] |

mod conflicts;
pub(crate) mod console;
pub(crate) mod file;
pub(crate) mod manager;
mod nearest;
pub(crate) mod section;
pub(crate) mod services;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use ockam::{Error, Result};
use tokio::{
    signal::unix::{signal, Signal, SignalKind},
    time::interval,
};

use crate::command::{
    console_args,
    doubts::Doubts,
    output::{counted, say},
    service::{
        console::ConsoleSection,
        file::{Configuration, Settings},
        section::{Misfit, Section},
        services::Services,
    },
};

/// How often to look whether the file has changed; a change counts when it has lasted as long.
const LOOK: Duration = Duration::from_millis(500);

/// Run the hubs, outlets and inlets of a file.
///
/// The file is read again when it changes, and on SIGHUP: what did not change keeps its streams,
/// what was removed lets them finish, and a file with a mistake changes nothing.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam run /etc/ockam/tunnel.toml
  ockam check /etc/ockam/tunnel.toml")]
pub(crate) struct Arguments {
    /// File in TOML with the sections [node], [console], [[hub]], [[outlet]] and [[inlet]]; the
    /// keys of the last three are the options of these commands.
    #[arg(value_name = "FILE")]
    config: PathBuf,
}

/// Says whether the file could be run, without starting anything: also what it names outside of
/// itself. What is missing there and may still come is printed, and no mistake.
pub(crate) fn check(arguments: &Arguments) -> Result<()> {
    let read = file::read(&arguments.config)?;
    for section in &read.sections {
        let mut doubts = Doubts::default();
        let probed = probe(section, &mut doubts);
        doubts.said.iter().for_each(|doubt| say!("warning: {section}: {doubt}"));
        probed?;
    }
    if let Some(console) = &read.console {
        let mut doubts = Doubts::default();
        doubts.clients(&console_args::address(&console.listen));
        doubts.said.iter().for_each(|doubt| say!("warning: {console}: {doubt}"));
    }
    let sections = counted(read.sections.len(), "section");
    say!("{} can be run: {sections}", arguments.config.display());
    Ok(())
}

fn probe(section: &Section, doubts: &mut Doubts) -> Result<()> {
    let wrong = |error: Error| Error::Usage(format!("{section}: {}", error.one_line()));
    section.probe(doubts).map_err(wrong)
}

/// Reads the file again, and looks at the files that its new sections name: a vault that does not
/// open is a mistake of the file.
async fn read_again(file: &Path, services: &Services) -> Result<Configuration> {
    let read = file::read(file)?;
    let new = services.new_among(&read.sections);
    // A passphrase is slow on purpose.
    let probing = actix_rt::task::spawn_blocking(move || {
        let mut doubts = Doubts { is_reload: true, ..Doubts::default() };
        new.iter().try_for_each(|section| probe(section, &mut doubts))
    });
    probing.await.map_err(|error| Error::Bug(error.to_string()))??;
    Ok(read)
}

/// Runs these sections, with a console if there is to be one, until a signal ends them.
///
/// # Errors
/// If one has a mistake, contradicts another, or cannot start.
pub(crate) async fn run_all(sections: Vec<Section>, console: Option<ConsoleSection>) -> Result<()> {
    for section in &sections {
        let wrong = |Misfit { option, text }: Misfit| {
            let option = option.map_or_else(String::new, |option| format!("--{option}: "));
            Error::Usage(format!("{section}: {option}{text}"))
        };
        section.check().map_err(wrong)?;
    }
    conflicts::check(&sections, console.as_ref())?;
    let mut interrupt = signal_of(SignalKind::interrupt())?;
    let mut terminate = signal_of(SignalKind::terminate())?;
    // It ends nothing, as everywhere.
    let _hangup = signal_of(SignalKind::hangup())?;
    let mut services = Services::new();
    services.replace(sections, Settings::default(), console).await;
    let ended = loop {
        tokio::select! {
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            event = services.next_event() => match event {
                Ok(()) => manager::notify("READY=1"),
                Err(error) => break Err(error),
            },
        }
    };
    end(services, &mut interrupt, &mut terminate).await;
    ended
}

/// Stops all, unless a second signal does not want to wait for that.
async fn end(mut services: Services, interrupt: &mut Signal, terminate: &mut Signal) {
    manager::notify("STOPPING=1");
    tokio::select! {
        () = services.stop() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Runs the sections of the file until a signal ends them.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let mut interrupt = signal_of(SignalKind::interrupt())?;
    let mut terminate = signal_of(SignalKind::terminate())?;
    let mut hangup = signal_of(SignalKind::hangup())?;
    let file = arguments.config;
    let mut read = file::read(&file)?;
    let mut seen = file::stamp(&file, &read.included);
    let mut before = seen.clone();
    let mut services = Services::new();
    services.replace(read.sections, read.settings, read.console).await;
    let mut look = interval(LOOK);
    let ended = loop {
        let is_asked = tokio::select! {
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            event = services.next_event() => match event {
                Ok(()) => {
                    manager::notify("READY=1");
                    continue;
                }
                Err(error) => break Err(error),
            },
            _ = hangup.recv() => true,
            _ = look.tick() => false,
        };
        let now = file::stamp(&file, &read.included);
        let has_settled = now == before && now != seen;
        before.clone_from(&now);
        if !is_asked && !has_settled {
            continue;
        }
        seen = now;
        manager::notify("RELOADING=1");
        match read_again(&file, &services).await {
            Ok(again) => {
                read.included = again.included;
                let count = again.sections.len();
                log::info!("{} was read again: {}", file.display(), counted(count, "section"));
                services.replace(again.sections, again.settings, again.console).await;
            }
            Err(mistake) => {
                log::error!("nothing is changed: {}", mistake.one_line());
            }
        }
        manager::notify("READY=1");
    };
    end(services, &mut interrupt, &mut terminate).await;
    ended
}

fn signal_of(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|source| Error::transport("cannot wait for signals", source))
}
