//! `ockam run FILE` and `ockam check FILE`: hubs, outlets and inlets of one file, as a service.
//!
//! | idea | module |
//! |---|---|
//! | what a file says, with the line of each mistake | [`file`] |
//! | which files there are, and whether one has changed | [`files`], [`watch`] |
//! | which key was meant by a misspelt one | [`nearest`] |
//! | what two sections cannot both have | [`conflicts`] |
//! | one hub, outlet or inlet of it, by the options of the command line | [`section`] |
//! | one console for all of them | [`console`] |
//! | the sections that run, and what a changed file changes | [`services`] |
//! | what the manager of services is told | [`manager`] |

mod conflicts;
pub(crate) mod console;
pub(crate) mod file;
pub(crate) mod files;
pub(crate) mod manager;
mod nearest;
pub(crate) mod section;
pub(crate) mod services;
pub(crate) mod watch;

use std::{future::pending, path::PathBuf, thread};

use clap::Args;
use ockam::{Error, Result};
use tokio::{
    signal::unix::{signal, Signal, SignalKind},
    sync::oneshot,
};

use crate::command::{
    doubts::Doubts,
    output::{counted, say},
    service::{
        console::ConsoleSection,
        file::{Configuration, Reading, Settings},
        files::Files,
        section::Section,
        services::Services,
        watch::Watch,
    },
};

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

/// A file that can be run.
pub(crate) struct Runnable {
    configuration: Configuration,
    files: Files,
}

impl Arguments {
    /// Reads the file.
    ///
    /// # Errors
    /// If it has a mistake.
    pub(crate) fn read(self) -> Result<Runnable> {
        let Reading { configuration, files } = file::read(Files::of(self.config), &[]);
        Ok(Runnable { configuration: configuration?, files })
    }
}

/// Says that the file can be run, without starting anything: also what it names outside of itself.
/// What is missing there and may still come is printed, and no mistake.
pub(crate) fn check(Runnable { configuration, files }: Runnable) -> Result<()> {
    let Configuration { sections, console, .. } = configuration;
    for section in &sections {
        let mut doubts = Doubts::default();
        let probed = probe(section, &mut doubts);
        doubts.said.iter().for_each(|doubt| say!("warning: {section}: {doubt}"));
        probed?;
    }
    if let Some(console) = &console {
        let mut doubts = Doubts::default();
        doubts.clients(&console.listen)?;
        doubts.said.iter().for_each(|doubt| say!("warning: {console}: {doubt}"));
    }
    say!("{} can be run: {}", files.path().display(), counted(sections.len(), "section"));
    Ok(())
}

fn probe(section: &Section, doubts: &mut Doubts) -> Result<()> {
    let wrong = |error: Error| Error::Usage(format!("{section}: {}", error.one_line()));
    section.checked.probe(doubts).map_err(wrong)
}

/// Reads the files again, and looks at those that their new sections name: a vault that does not
/// open is a mistake of the file.
fn read_again(files: Files, runs: &[Section]) -> Reading {
    let Reading { configuration, files } = file::read(files, runs);
    let configuration = configuration.and_then(|read| {
        let mut doubts = Doubts { is_reload: true, ..Doubts::default() };
        let mut new = read.sections.iter().filter(|section| !runs.contains(section));
        new.try_for_each(|section| probe(section, &mut doubts))?;
        Ok(read)
    });
    Reading { configuration, files }
}

/// Runs these sections, with a console if there is to be one, until a signal ends them.
///
/// # Errors
/// If one contradicts another, or cannot start.
pub(crate) async fn run_all(sections: Vec<Section>, console: Option<ConsoleSection>) -> Result<()> {
    conflicts::check(&sections, console.as_ref())?;
    let mut interrupt = signal_of(SignalKind::interrupt())?;
    let mut terminate = signal_of(SignalKind::terminate())?;
    // It ends nothing, as everywhere.
    let _hangup = signal_of(SignalKind::hangup())?;
    let mut services = Services::new();
    services.replace(sections, Settings::default(), console).await;
    let ended = loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            started = services.all_started() => match started {
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
        biased;
        () = services.stop() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Runs the sections of the file until a signal ends them.
pub(crate) async fn run(Runnable { configuration, files }: Runnable) -> Result<()> {
    let mut interrupt = signal_of(SignalKind::interrupt())?;
    let mut terminate = signal_of(SignalKind::terminate())?;
    let mut hangup = signal_of(SignalKind::hangup())?;
    let mut watch = Watch::of(files);
    let mut services = Services::new();
    let Configuration { sections, settings, console } = configuration;
    services.replace(sections, settings, console).await;
    let mut reading = None;
    let ended = loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            started = services.all_started() => match started {
                // What is being read says so at its end.
                Ok(()) if reading.is_some() => {}
                Ok(()) => manager::notify("READY=1"),
                Err(error) => break Err(error),
            },
            read = finished(&mut reading) => {
                reading = None;
                apply(read, &mut services, &mut watch).await;
                manager::notify("READY=1");
            }
            _ = hangup.recv(), if reading.is_none() => {
                reading = Some(begin_reading(&services, &watch));
            }
            changed = watch.changed(), if reading.is_none() => match changed {
                Ok(()) => reading = Some(begin_reading(&services, &watch)),
                Err(error) => log::error!("cannot look for changes: {}", error.one_line()),
            },
        }
    };
    end(services, &mut interrupt, &mut terminate).await;
    ended
}

/// Has the files be read by a thread of its own, as a passphrase is slow on purpose, and who types
/// it, or writes a pipe, is slower: not even the end of the program waits for that.
fn begin_reading(services: &Services, watch: &Watch) -> oneshot::Receiver<Reading> {
    manager::notify("RELOADING=1");
    let (files, runs) = (watch.files(), services.sections());
    let (tell, told) = oneshot::channel();
    let read = move || drop(tell.send(read_again(files, &runs)));
    if let Err(error) = thread::Builder::new().name("configuration".into()).spawn(read) {
        log::error!("cannot start a thread that reads the files: {error}");
    }
    told
}

/// What was read, once it was; never if nothing is being read.
async fn finished(reading: &mut Option<oneshot::Receiver<Reading>>) -> Result<Reading> {
    match reading {
        Some(told) => told.await.map_err(|_| Error::Usage("the files were not read".into())),
        None => pending().await,
    }
}

/// Has what was read run, unless there is a mistake in it.
async fn apply(read: Result<Reading>, services: &mut Services, watch: &mut Watch) {
    let read = read.and_then(|Reading { configuration, files }| {
        let path = files.path().display().to_string();
        watch.follow(files);
        Ok((path, configuration?))
    });
    match read {
        Ok((path, Configuration { sections, settings, console })) => {
            log::info!("{path} was read again: {}", counted(sections.len(), "section"));
            services.replace(sections, settings, console).await;
        }
        Err(mistake) => log::error!("nothing is changed: {}", mistake.one_line()),
    }
}

fn signal_of(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|source| Error::transport("cannot wait for signals", source))
}
