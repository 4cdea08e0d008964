//! What happens to a download whose hub is killed, told line by line while it happens.

use std::{
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
    output::say,
};

/// How long the hub is away.
pub(crate) const HUB_AWAY: Duration = Duration::from_secs(1);

/// After which time without a byte the download counts as waiting.
const QUIET: Duration = Duration::from_millis(300);

/// How often a terminal shows how much has come.
const REFRESH: Duration = Duration::from_millis(100);

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
        let (length, id) = (grouped(self.page.len()), hub.id());
        self.line(&format!("the page begins: {length} bytes; the hub is process {id}"));
        while self.received.len() < self.page.len() / 3 {
            let chunk = self.next().await?;
            self.take(chunk)?;
        }
        hub.kill();
        let killed = Instant::now();
        self.line(&format!("the hub is killed: kill -9 {id}"));
        self.take_until(killed + QUIET).await?;
        self.line("both ends wait for another path");
        self.take_until(killed + HUB_AWAY).await?;
        *hub = HubProcess::start(hub.address()).await?;
        let away = killed.elapsed().as_millis();
        self.line(&format!("the hub is back after {away} ms, as process {}", hub.id()));

        let waiting_since = self.last_arrival;
        let chunk = self.next().await?;
        let stalled = chunk.as_ref().map_or(Duration::ZERO, |chunk| chunk.at - waiting_since);
        self.line(&format!("the stream goes on after a stall of {} ms", stalled.as_millis()));
        self.take(chunk)?;
        while self.received.len() < self.page.len() {
            let chunk = self.next().await?;
            self.take(chunk)?;
        }
        let more = self.next().await?;
        self.compare(more.is_some())?;
        let taken = self.last_arrival - self.begun;
        self.line("the page is complete and byte-equal");
        Ok((String::from_utf8_lossy(&self.received).into_owned(), taken))
    }

    /// One line: when, how much has come, and what happens. It takes the place of the progress.
    fn line(&self, what: &str) {
        let back = if self.shown.is_some() { "\r" } else { "" };
        say!("{back}{}  {what}", self.state());
    }

    fn state(&self) -> String {
        let (when, bytes) = (self.begun.elapsed().as_secs_f64(), grouped(self.received.len()));
        format!("  {when:6.2} s {bytes:>11} bytes")
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
        self.line("the download breaks off");
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
