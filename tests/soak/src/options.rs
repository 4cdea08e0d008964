//! The command line.

use clap::Parser;
use std::{fs, io, path::PathBuf, time::Duration};

/// Run the guide's step 04 as real programs under load, kill them at random, and check every byte
/// and every end.
///
/// First connections are opened and closed by the thousand, then readers stop, then hub, outlet,
/// inlet and target are killed with SIGKILL and started again until the time is over. The report is
/// a table in Markdown; the first violation ends the run with exit code 1. The same seed makes the
/// same choices, though not at the same moments.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak", version)]
#[command(after_help = "Examples:
  cargo run --release -p ockam-actix-soak -- --quick
  cargo run --release -p ockam-actix-soak -- --minutes 10
  cargo run --release -p ockam-actix-soak -- --kills 100 --seed 7
  cargo run --release -p ockam-actix-soak -- --hub-kills 50 --hubs 2")]
pub(crate) struct Options {
    /// Duration of the whole run, in minutes.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,

    /// Seed of all choices; by default another one each time.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Do nothing but kill: each program this many times, each time as soon as the tunnel has
    /// recovered from the last kill.
    #[arg(long, value_name = "N", conflicts_with_all = ["minutes", "quick"])]
    pub(crate) kills: Option<usize>,

    /// Do nothing but kill a hub this many times, under connections that must not notice: a
    /// download, an upload, an echo, ssh, psql in a COPY, and MQTT, as far as they are installed.
    #[arg(long, value_name = "N", conflicts_with_all = ["minutes", "quick", "kills"])]
    pub(crate) hub_kills: Option<usize>,

    /// With --hub-kills: the number of hubs, which are killed in turn.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "hub_kills")]
    pub(crate) hubs: usize,

    /// Run about 20 seconds: few connections, little data, two kills of each program; to see that
    /// it works, not to quote.
    #[arg(long, conflicts_with = "minutes")]
    pub(crate) quick: bool,

    /// Number of connections that are opened and closed first.
    #[arg(long, value_name = "N")]
    connections: Option<u64>,

    /// MiB offered to all readers that stop, together.
    #[arg(long, value_name = "N")]
    offer: Option<u64>,

    /// Also write the report to this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// The role of a copy that this program starts of itself.
    #[arg(long, hide = true)]
    pub(crate) role: Option<String>,

    /// The role's arguments.
    #[arg(hide = true, requires = "role")]
    pub(crate) arguments: Vec<String>,
}

impl Options {
    /// What the command line says.
    pub(crate) fn of_command_line() -> Self {
        Self::parse()
    }

    /// The quick form; `None` if `cargo test` was asked for other tests.
    ///
    /// `cargo test` passes this program the arguments that choose among tests.
    pub(crate) fn of_test() -> Option<Self> {
        let said: Vec<String> = std::env::args().skip(1).collect();
        if said.iter().any(|argument| argument == "--role") {
            return Some(Self::parse());
        }
        let others =
            |argument: &String| argument.starts_with("--") || !"soak".contains(&**argument);
        let chosen = !said.iter().any(others);
        chosen.then(|| Self::parse_from(["soak", "--quick", "--seed", "1"]))
    }

    /// The seed of all choices.
    pub(crate) fn seed(&self) -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        self.seed.unwrap_or_else(|| now.map_or(0, |now| now.as_secs()))
    }

    /// How long it takes in all.
    pub(crate) fn time(&self) -> Duration {
        Duration::try_from_secs_f64(self.minutes * 60.0).unwrap_or_default()
    }

    /// Kills of each program; `None` if the time decides.
    pub(crate) fn kills_of_each(&self) -> Option<usize> {
        self.kills.or(self.quick.then_some(2))
    }

    /// Connections that are opened and closed first.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.unwrap_or(if self.quick { 1_000 } else { 20_000 })
    }

    /// Bytes offered to all readers that stop.
    pub(crate) fn offer(&self) -> u64 {
        self.offer.unwrap_or(if self.quick { 128 } else { 4096 }) << 20
    }

    /// Bytes that each live stream beside them carries in one measurement.
    pub(crate) fn live(&self) -> u64 {
        if self.quick {
            8 << 20
        } else {
            64 << 20
        }
    }

    /// Writes the report where `--markdown` says.
    pub(crate) fn save_markdown(&self, text: &str) -> io::Result<()> {
        let Some(path) = &self.markdown else { return Ok(()) };
        fs::write(path, text)
            .map_err(|error| io::Error::other(format!("cannot write {}: {error}", path.display())))
    }
}
