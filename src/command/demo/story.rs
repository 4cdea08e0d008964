//! What happens to a download whose hub is killed, told line by line while it happens.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use ockam::{Error, Result};
use tokio::time::timeout_at;

use crate::command::{
    demo::{
        download::{Chunk, Download},
        grouped::grouped,
        hub_process::HubProcess,
    },
    output::{say, terminal_width, wrapped::wrapped},
};

/// How long the hub is away.
pub(crate) const HUB_AWAY: Duration = Duration::from_secs(1);

/// After which time without a byte the download counts as waiting.
const QUIET: Duration = Duration::from_millis(300);

/// How often a terminal shows how much has come.
const REFRESH: Duration = Duration::from_millis(100);

/// Columns in which each line is complete.
const COLUMNS: usize = 80;

/// A download, and what has come of it.
pub(crate) struct Story<'a> {
    download: Download,
    page: &'a str,
    begun: Instant,
    received: Vec<u8>,
    last_arrival: Instant,
    /// When progress was shown last, on a terminal.
    shown: Option<Instant>,
}

impl<'a> Story<'a> {
    /// Begins to fetch `page` from `url`.
    pub(crate) fn begin(url: String, page: &'a str) -> Self {
        let begun = Instant::now();
        let download = Download::begin(url);
        let shown = io::stdout().is_terminal().then_some(begun);
        Self { download, page, begun, received: Vec::new(), last_arrival: begun, shown }
    }

    /// Kills `hub` after a third of the page, starts another one a second later, and waits for the
    /// rest; returns the page and how long it took.
    ///
    /// # Errors
    /// If what arrives is not the page, byte for byte, or no hub can be started.
    pub(crate) async fn tell(mut self, hub: &mut HubProcess) -> Result<(String, Duration)> {
        self.line(Turn::Begins { length: self.page.len() });
        self.line(Turn::HubIs { process: hub.id() });
        while self.received.len() < self.page.len() / 3 {
            let chunk = self.next().await?;
            self.take(chunk)?;
        }
        hub.kill();
        let killed = Instant::now();
        self.line(Turn::HubIsKilled { process: hub.id() });
        self.take_until(killed + QUIET).await?;
        self.line(Turn::BothEndsWait);
        self.take_until(killed + HUB_AWAY).await?;
        *hub = HubProcess::start(hub.address()).await?;
        self.line(Turn::HubIsBack { away: killed.elapsed(), process: hub.id() });

        let waiting_since = self.last_arrival;
        let chunk = self.next().await?;
        let stalled = chunk.as_ref().map_or(Duration::ZERO, |chunk| chunk.at - waiting_since);
        self.line(Turn::GoesOn { stalled });
        self.take(chunk)?;
        while self.received.len() < self.page.len() {
            let chunk = self.next().await?;
            self.take(chunk)?;
        }
        let more = self.next().await?;
        self.compare(more.is_some())?;
        let taken = self.last_arrival - self.begun;
        self.line(Turn::IsComplete);
        Ok((String::from_utf8_lossy(&self.received).into_owned(), taken))
    }

    /// One line: when, how much has come, and what happens. It takes the place of the progress.
    fn line(&self, turn: Turn) {
        let back = if self.shown.is_some() { "\r" } else { "" };
        let columns = terminal_width().unwrap_or(COLUMNS);
        say!("{back}{}", told(&self.state(), turn, columns));
    }

    fn state(&self) -> String {
        state(self.begun.elapsed(), self.received.len())
    }

    /// Shows on a terminal how much has come; elsewhere the lines are enough.
    fn show_progress(&mut self) {
        let Some(shown) = &mut self.shown else { return };
        if shown.elapsed() >= REFRESH {
            *shown = Instant::now();
            let mut to = io::stdout();
            // Where it cannot be shown, the lines cannot either, and say so.
            let _ = write!(to, "\r{}", self.state()).and_then(|()| to.flush());
        }
    }

    /// Takes what arrives up to a moment.
    async fn take_until(&mut self, moment: Instant) -> Result<()> {
        while let Ok(chunk) = timeout_at(moment.into(), self.next()).await {
            self.take(chunk?)?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Chunk>> {
        self.download.next().await.map_err(|error| self.broke_off(error))
    }

    fn take(&mut self, chunk: Option<Chunk>) -> Result<()> {
        let chunk = chunk.ok_or_else(|| self.broke_off(io::ErrorKind::UnexpectedEof.into()))?;
        self.received.extend(chunk.bytes);
        self.last_arrival = chunk.at;
        self.show_progress();
        Ok(())
    }

    fn broke_off(&self, error: io::Error) -> Error {
        self.line(Turn::BreaksOff);
        let (received, length) = (grouped(self.received.len()), grouped(self.page.len()));
        Error::transport(format!("the page broke off after {received} of {length} bytes"), error)
    }

    fn compare(&self, has_more: bool) -> Result<()> {
        let pairs = self.received.iter().zip(self.page.as_bytes());
        let wrong = match pairs.clone().position(|(received, sent)| received != sent) {
            None if has_more => Some(pairs.len()),
            wrong => wrong,
        };
        match wrong {
            None => Ok(()),
            Some(offset) => Err(Error::Bug(format!("byte {offset} of the page is wrong"))),
        }
    }
}

/// What happens.
#[derive(Clone, Copy)]
enum Turn {
    Begins { length: usize },
    HubIs { process: u32 },
    HubIsKilled { process: u32 },
    BothEndsWait,
    HubIsBack { away: Duration, process: u32 },
    GoesOn { stalled: Duration },
    IsComplete,
    BreaksOff,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins { length } => write!(f, "the page begins: {} bytes", grouped(*length)),
            Self::HubIs { process } => write!(f, "the hub is process {process}"),
            Self::HubIsKilled { process } => write!(f, "the hub is killed: kill -9 {process}"),
            Self::BothEndsWait => f.write_str("both ends wait for another path"),
            Self::HubIsBack { away, process } => {
                write!(f, "the hub is back after {} ms, as process {process}", away.as_millis())
            }
            Self::GoesOn { stalled } => {
                write!(f, "the stream goes on after a stall of {} ms", stalled.as_millis())
            }
            Self::IsComplete => f.write_str("the page is complete and byte-equal"),
            Self::BreaksOff => f.write_str("the download breaks off"),
        }
    }
}

/// When it is, and how much has come.
fn state(when: Duration, received: usize) -> String {
    format!("  {:6.2} s {:>11} bytes", when.as_secs_f64(), grouped(received))
}

/// A turn beside the state at which it comes, in lines of so many columns.
fn told(state: &str, turn: Turn, columns: usize) -> String {
    wrapped(&format!("{state}  {turn}"), state.len() + 2, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_fits_80_columns() {
        let (process, length) = (4_194_304, 11_948_932);
        let (away, stalled) = (Duration::from_millis(9_999), Duration::from_millis(99_999));
        for turn in [
            Turn::Begins { length },
            Turn::HubIs { process },
            Turn::HubIsKilled { process },
            Turn::BothEndsWait,
            Turn::HubIsBack { away, process },
            Turn::GoesOn { stalled },
            Turn::IsComplete,
            Turn::BreaksOff,
        ] {
            let state = state(Duration::from_secs(100), length);
            let whole = told(&state, turn, COLUMNS);
            assert!(!whole.contains('\n') && whole.len() <= COLUMNS, "{whole}");
            for line in told(&state, turn, 50).lines() {
                assert!(line.len() <= 50 && line.starts_with("  "), "{line}");
            }
        }
    }
}
