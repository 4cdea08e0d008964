//! The processor time and memory of processes and their descendants, read from Linux's `/proc`.

use std::{fmt::Display, fs, io, time::Duration};

/// Linux counts the times in `/proc/PID/stat` in hundredths of a second, whatever the kernel's own
/// clock does.
const TICK: Duration = Duration::from_millis(10);

/// One process; `born` tells it apart from a later one that was given the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The id that `/proc` lists it under.
    listed: u32,
    parent: u32,
    born: u64,
    ticks: u64,
}

impl Member {
    /// Its id, to send it a signal; `None` when it has ended.
    pub fn id(&self) -> Option<u32> {
        own_ids(self.listed)?.last().copied()
    }

    /// Whether this very process still runs.
    pub fn lives(&self) -> bool {
        Self::read(self.listed).is_some_and(|now| now.born == self.born)
    }

    /// Reads `/proc/PID/stat`. The name, in parentheses, may hold anything, so fields are counted
    /// after it: it is field 2, and the first after it is field 3 of proc(5).
    fn read(listed: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{listed}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        // utime, stime, and the same of children that have ended and were waited for.
        let ticks = field(14)? + field(15)? + field(16)? + field(17)?;
        Some(Self { listed, parent: u32::try_from(field(4)?).ok()?, born: field(22)?, ticks })
    }
}

/// The number that `/proc` lists one of this namespace's processes under. It differs from the
/// process's id where `/proc` is that of a namespace around this one ([`crate::network`]).
fn listed(id: u32) -> Option<u32> {
    if own_ids("self")?.len() == 1 {
        return Some(id);
    }
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/pid")).ok();
    let own = namespace("self")?;
    all_listed().find(|listed| {
        own_ids(listed).is_some_and(|ids| ids.last() == Some(&id))
            && namespace(&listed.to_string()).is_some_and(|namespace| namespace == own)
    })
}

/// The ids of a process in each namespace that it is in, from that of `/proc` to the innermost.
fn own_ids(listed: impl Display) -> Option<Vec<u32>> {
    let status = fs::read_to_string(format!("/proc/{listed}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_whitespace().map(|id| id.parse().ok()).collect()
}

fn all_listed() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A process, first, and all its descendants; empty when it has ended.
pub fn family(root: u32) -> Vec<Member> {
    let Some(first) = listed(root).and_then(Member::read) else {
        return Vec::new();
    };
    let all: Vec<Member> = all_listed().filter_map(Member::read).collect();
    let mut family = vec![first];
    let mut next = 0;
    while let Some(parent) = family.get(next).map(|member| member.listed) {
        family.extend(all.iter().filter(|member| member.parent == parent));
        next += 1;
    }
    family
}

/// Processor time of a process and its descendants, also of those that have ended and were waited
/// for.
pub fn processor_time(root: u32) -> Duration {
    let ticks: u64 = family(root).iter().map(|member| member.ticks).sum();
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// The most memory, in bytes, that each living member of the family ever had resident, added up.
/// Pages that they share count for each of them, which is to the disadvantage of programs that
/// fork.
pub fn peak_memory(root: u32) -> u64 {
    memory(root, "VmHWM:")
}

/// The memory, in bytes, that the family has resident now.
pub fn memory_now(root: u32) -> u64 {
    memory(root, "VmRSS:")
}

fn memory(root: u32, line: &str) -> u64 {
    family(root).iter().filter_map(|member| status_kib(member.listed, line)).sum::<u64>() * 1024
}

fn status_kib(listed: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{listed}/status")).ok()?;
    status
        .lines()
        .find_map(|found| found.strip_prefix(line))?
        .trim()
        .strip_suffix(" kB")?
        .parse()
        .ok()
}

/// The part of all processors that was busy during this time: other work, if nothing of ours runs.
pub fn machine_busy(during: Duration) -> f64 {
    let before = machine_ticks();
    // No arbiter runs in a program that measures this.
    #[allow(clippy::disallowed_methods)]
    std::thread::sleep(during);
    let after = machine_ticks();
    (after.0 - before.0) / (after.1 - before.1).max(1.0)
}

/// Ticks of all processors together since the machine started: busy ones, and all.
fn machine_ticks() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in the first
    // two already.
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    (all - idle, all)
}

/// How many files the family has open: as many as before once all connections are closed.
pub fn open_files(root: u32) -> io::Result<usize> {
    family(root)
        .iter()
        .map(|member| Ok(fs::read_dir(format!("/proc/{}/fd", member.listed))?.count()))
        .sum()
}
