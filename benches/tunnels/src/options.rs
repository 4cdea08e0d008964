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
/// Without one of --scale, --idle, --stall, --fairness, --flood, --first-byte and --channels it
/// compares speed, round trip, connections, CPU and memory.
#[derive(Debug, Parser)]
#[command(name = "tunnels", version)]
pub(crate) struct Options {
    /// Rounds over all tunnels; each figure is the median of its rounds.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// Measure only these tunnels, by name, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Run two rounds with a fifth of the data, to see that it works; do not quote the figures.
    #[arg(long)]
    quick: bool,

    /// Before each round, wait up to this many seconds for other work on the machine to end.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait_quiet: u64,

    /// Megabytes (10^6 bytes) that each throughput measurement carries, spread evenly over its
    /// streams.
    #[arg(long, value_name = "N")]
    megabytes: Option<u64>,

    /// Also write the report to this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Also write all figures to this file, as JSON; `benches/tunnels/plot.py` draws them.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Also measure another build, as the rows other01 to other04. DIR is its target/release, or
    /// its program ockam-actix-tunnels itself. Both builds are measured in turn, in one run.
    ///
    /// The environment variable OCKAM_BENCH_BIN_DIR does the same. Nodes run in copies of that
    /// program, as ours do in copies of this one: with ports that the system chooses, and with the
    /// allocator of the command.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,

    /// Measure throughput, memory and CPU with 1, 10, 100, 1,000 and 10,000 streams, and routing
    /// with more and more entries and hops.
    #[arg(long)]
    pub(crate) scale: bool,

    /// Measure what an idle connection costs, and whether closing it frees that.
    #[arg(long)]
    pub(crate) idle: bool,

    /// Measure readers that stop, beside others that go on: speed, memory, and whether all bytes
    /// arrive in the end.
    #[arg(long)]
    pub(crate) stall: bool,

    /// Measure how evenly 50 streams share one tunnel.
    #[arg(long)]
    pub(crate) fairness: bool,

    /// Measure honest clients beside floods of handshakes, and beside 2,000 slow clients.
    #[arg(long)]
    pub(crate) flood: bool,

    /// Measure the first byte to a new outlet: through its hub, and through another one of the
    /// cluster.
    #[arg(long)]
    pub(crate) first_byte: bool,

    /// Measure what idle secure channels cost the nodes at their ends, and the hub between.
    #[arg(long)]
    pub(crate) channels: bool,

    /// Maximum number of streams in --scale, and number of connections in --idle.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) streams: usize,

    /// Number of readers that stop in --stall.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) stalled: usize,

    /// Number of streams that go on beside them in --stall.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) live: u16,

    /// GiB offered to each reader that stops in --stall.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) offer: u64,

    /// The role of a copy that this program starts of itself.
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
            return Err(io::Error::other("give --programs DIR, the folder of the other build"));
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
