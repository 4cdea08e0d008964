//! Descriptors, which the process has a limited number of, and core dumps, which it leaves none of.
//!
//! Each connection and each stream takes a descriptor. When none is left, a program can neither
//! accept, nor dial, nor look up a name. So the descriptors that others make it take are counted,
//! for the whole process, as the system's limit is.

use std::{
    fs, io,
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit, Signal};
use tokio::signal::unix::{signal, SignalKind};

use crate::limits::{MIN_RESERVED_DESCRIPTORS, RESERVED_DESCRIPTORS};

/// What is tried where the hard limit is more than the system grants, as on macOS.
const DESCRIPTOR_LIMITS: [u64; 2] = [65_536, 10_240];

/// Descriptors that connections and streams of this process hold.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// One descriptor, counted until this is dropped.
#[derive(Debug)]
pub struct DescriptorSlot(());

impl DescriptorSlot {
    /// Counts one more, unless `most` are held.
    pub fn take(most: usize) -> Option<Self> {
        let slot = || {
            HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                (held < most).then_some(held + 1)
            })
        };
        slot().ok().map(|_| Self(()))
    }
}

impl Drop for DescriptorSlot {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Raises the soft limit of descriptors to the hard one, as programs that serve many should at
/// their start. What cannot be raised stays as it is.
pub fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    for wanted in [maximum].into_iter().chain(DESCRIPTOR_LIMITS.map(Some)) {
        let raises = match (current, wanted) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(current), Some(wanted)) => wanted > current,
        };
        if raises && setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum }).is_ok() {
            return;
        }
    }
}

/// The name of this machine, as it knows itself.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Keeps the system from writing the memory of the process, with the keys in it, to a file when the
/// process crashes.
///
/// # Errors
/// If the system refuses, which it has no reason to.
pub fn forbid_core_dumps() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum })?)
}

/// Has a write fail where a file may not grow any more (`RLIMIT_FSIZE`): the signal that comes with
/// that, SIGXFSZ, would end the process. To be called within a runtime of tokio.
///
/// # Errors
/// If the system refuses to handle the signal.
pub fn survive_file_size_limit() -> io::Result<()> {
    // A handler stays when the stream of its signals is dropped.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// Descriptors that connections and streams may take together: those that the process may have,
/// without those that are in use otherwise, and without a reserve for listeners, dialling, names
/// and files.
pub(crate) fn usable_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let open = fs::read_dir("/dev/fd").map_or(0, Iterator::count);
    let others = open.saturating_sub(HELD.load(Ordering::Relaxed));
    let reserve = (limit / RESERVED_DESCRIPTORS).max(MIN_RESERVED_DESCRIPTORS);
    let usable = limit.saturating_sub(others).saturating_sub(reserve);
    log::debug!("{usable} of {limit} descriptors are for connections and streams");
    usable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_until_they_are_dropped() {
        // Other tests of this process may hold some.
        let taken: Vec<_> = (0..10).map(|_| DescriptorSlot::take(usize::MAX).unwrap()).collect();
        assert!(DescriptorSlot::take(10).is_none());
        drop(taken);
        let most = HELD.load(Ordering::Relaxed) + 1_000;
        assert!(DescriptorSlot::take(most).is_some());
    }

    #[test]
    fn usable_descriptors_leave_a_reserve() {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) as usize;
        let usable = usable_descriptors();
        assert!(usable <= limit - limit / RESERVED_DESCRIPTORS, "{usable} of {limit}");
        assert!(usable >= limit / 2, "{usable} of {limit}");
    }
}
