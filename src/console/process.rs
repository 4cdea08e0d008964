//! The resources that the process uses, from `/proc`; nothing where there is none.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::console::api::Process;

/// Ticks of a second in `/proc`, the same on all machines that Linux runs on today.
const TICKS: u64 = 100;

/// Bytes of a kilobyte there.
const KILOBYTE: u64 = 1_024;

impl Process {
    /// The figures now.
    pub(super) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let stat = Stat::read().unwrap_or_default();
        Self {
            pid: std::process::id(),
            resident_bytes: field(&status, "VmRSS:").map(|kilobytes| kilobytes * KILOBYTE),
            cpu_seconds: stat.cpu.map(|cpu| cpu.as_secs_f64()),
            // One of them is that of the listing.
            open_descriptors: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|open| (open.count() as u64).saturating_sub(1)),
            most_descriptors: field(&limits, "Max open files"),
            threads: field(&status, "Threads:"),
            began: stat.began.and_then(since_1970),
        }
    }
}

/// The first number after a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[derive(Default)]
struct Stat {
    cpu: Option<Duration>,
    /// Since the machine was started.
    began: Option<Duration>,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        Some(Self::parse(&text))
    }

    /// The fields after the name, which is in brackets and may have spaces, are numbered from 3.
    fn parse(text: &str) -> Self {
        let after = text.rsplit_once(')').map_or("", |(_, after)| after);
        let fields: Vec<_> = after.split_whitespace().collect();
        let ticks = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / TICKS);
        let cpu = ticks(14).zip(ticks(15)).map(|(user, system)| time(user + system));
        Self { cpu, began: ticks(22).map(time) }
    }
}

fn since_1970(began: Duration) -> Option<f64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.as_secs_f64() - uptime + began.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_are_no_fields() {
        let numbers: Vec<_> = (4..=30).map(|number| (number * 100).to_string()).collect();
        let stat = Stat::parse(&format!("1 (a) b) S {}", numbers.join(" ")));
        assert_eq!(stat.cpu, Some(Duration::from_secs(14 + 15)));
        assert_eq!(stat.began, Some(Duration::from_secs(22)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_figures() {
        let process = Process::now();
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{process:?}");
        assert!(process.open_descriptors.is_some_and(|open| open >= 3), "{process:?}");
        assert!(process.most_descriptors > process.open_descriptors, "{process:?}");
        assert!(process.threads >= Some(1) && process.cpu_seconds.is_some(), "{process:?}");
        assert!(process.began.is_some_and(|began| began > 1e9), "{process:?}");
    }
}
