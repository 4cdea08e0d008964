//! `[console]`: one console for all nodes of a file.

use std::fmt;

use actix_web::dev::ServerHandle;
use ockam::{
    console::{Console, Nodes},
    Error, Result,
};

use crate::command::{console_args, service::section::Place};

/// What the section says.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleSection {
    pub(crate) place: Place,
    pub(crate) listen: String,
    pub(crate) hosts: Vec<String>,
}

/// Wherever it stands.
impl PartialEq for ConsoleSection {
    fn eq(&self, other: &Self) -> bool {
        self.listen == other.listen && self.hosts == other.hosts
    }
}

impl fmt::Display for ConsoleSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { .. } => write!(f, "{}: [console]", self.place),
            Place::CommandLine(option) => f.write_str(option),
        }
    }
}

/// The console that runs, if one does.
#[derive(Default)]
pub(crate) struct SharedConsole {
    pub(crate) nodes: Nodes,
    running: Option<(ConsoleSection, ServerHandle)>,
}

impl SharedConsole {
    /// Has this console run and no other.
    ///
    /// # Errors
    /// If its address cannot be bound; then none runs.
    pub(crate) async fn replace(&mut self, wanted: Option<ConsoleSection>) -> Result<()> {
        if self.running.as_ref().map(|(section, _)| section) == wanted.as_ref() {
            return Ok(());
        }
        if let Some((section, server)) = self.running.take() {
            log::info!("{section} stops");
            server.stop(false).await;
        }
        let Some(wanted) = wanted else { return Ok(()) };
        let started = console_args::start(Console::of(&self.nodes), &wanted.listen, &wanted.hosts);
        let named = |error: Error| Error::Usage(format!("{wanted}: {}", error.one_line()));
        let server = started.map_err(named)?;
        self.running = Some((wanted, server));
        Ok(())
    }
}
