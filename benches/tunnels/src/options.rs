//! The command line.

use clap::Parser;
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// What this program is called.
pub(crate) const PROGRAM: &str = "ockam-actix-tunnels";

/// Measures TCP tunnels side by side: ours, ssh, stunnel, haproxy and socat where they are
/// installed, and a floor.
///
/// Without one of --scale, --idle, --stall, --fairness and --flood it compares speed, round trip,
/// connections, CPU and memory.
#[derive(Debug, Parser)]
#[command(name = "tunnels", version)]
pub(crate) struct Options {
    /// Rounds over all tunnels; each figure is the median of its rounds.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// Only these tunnels, by name, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Two rounds and a fifth of the data: to see that it works, not to quote.
    #[arg(long)]
    quick: bool,

    /// Before each round, wait up to so many seconds until other work leaves the machine alone.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait_quiet: u64,

    /// Megabytes (10^6 bytes) each throughput measurement carries, shared evenly by its streams.
    #[arg(long, value_name = "N")]
    megabytes: Option<u64>,

    /// Write the report here as Markdown, too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write all figures here as JSON, too; `benches/tunnels/plot.py` draws them.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Take the rows other01 to other04 from another build: its target/release, or its program
    /// ockam-actix-tunnels itself. Both builds are then measured in turn, in one run.
    ///
    /// OCKAM_BENCH_BIN_DIR says the same. Nodes run in copies of that program, as ours do in copies
    /// of this one: with ports that the system chooses, and with the allocator of the command.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,

    /// Throughput, memory and CPU with 1, 10, 100, 1,000 and 10,000 streams; routing with more
    /// entries and hops.
    #[arg(long)]
    pub(crate) scale: bool,

    /// What an idle connection costs, and whether closing gives it back.
    #[arg(long)]
    pub(crate) idle: bool,

    /// Readers that stop, beside others that go on: speed, memory, and whether all bytes arrive in
    /// the end.
    #[arg(long)]
    pub(crate) stall: bool,

    /// How evenly 50 streams share one tunnel.
    #[arg(long)]
    pub(crate) fairness: bool,

    /// Floods of handshakes, and 2,000 slow clients, beside honest ones.
    #[arg(long)]
    pub(crate) flood: bool,

    /// The most streams of --scale, and the connections of --idle.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) streams: usize,

    /// Readers that stop in --stall.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) stalled: usize,

    /// Streams that go on beside them in --stall.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) live: u16,

    /// GiB offered to each reader that stopped in --stall.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) offer: u64,

    /// What a copy that this program starts of itself shall be.
    #[arg(long, hide = true)]
    pub(crate) role: Option<String>,

    /// The role's arguments.
    #[arg(hide = true, requires = "role")]
    pub(crate) arguments: Vec<String>,
}

impl Options {
    /// Rounds over all tunnels.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 }).max(1)
    }

    /// Bytes in one throughput measurement.
    pub(crate) fn bytes(&self) -> u64 {
        self.megabytes.unwrap_or(if self.quick { 200 } else { 1000 }) * 1_000_000
    }

    /// Round trips in one measurement.
    pub(crate) fn round_trips(&self) -> usize {
        if self.quick {
            1_000
        } else {
            5_000
        }
    }

    /// How long connections are opened and closed to count them.
    pub(crate) fn connecting(&self) -> Duration {
        Duration::from_millis(if self.quick { 300 } else { 1_000 })
    }

    /// How long to wait for a quiet machine before each round.
    pub(crate) fn wait_quiet(&self) -> Duration {
        Duration::from_secs(self.wait_quiet)
    }

    /// Writes the report where `--markdown` says.
    pub(crate) fn save_markdown(&self, text: &str) -> io::Result<()> {
        save(self.markdown.as_deref(), text)
    }

    /// Writes the figures where `--json` says.
    pub(crate) fn save_json(&self, text: &str) -> io::Result<()> {
        save(self.json.as_deref(), text)
    }

    /// Whether there is another build to compare with.
    pub(crate) fn has_other(&self) -> bool {
        self.programs().is_some()
    }

    /// The program of the other build.
    pub(crate) fn other(&self) -> io::Result<PathBuf> {
        let Some(named) = self.programs() else {
            return Err(io::Error::other("--programs does not say where another build is"));
        };
        let program = if named.is_dir() { named.join(PROGRAM) } else { named };
        match program.is_file() {
            true => Ok(program),
            false => Err(io::Error::other(format!(
                "there is no {}; run `cargo build --release -p {PROGRAM}` for that build first",
                program.display()
            ))),
        }
    }

    fn programs(&self) -> Option<PathBuf> {
        self.programs.clone().or_else(|| env::var_os("OCKAM_BENCH_BIN_DIR").map(PathBuf::from))
    }
}

fn save(path: Option<&Path>, text: &str) -> io::Result<()> {
    let Some(path) = path else { return Ok(()) };
    fs::write(path, text)
        .map_err(|error| io::Error::other(format!("cannot write {}: {error}", path.display())))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
