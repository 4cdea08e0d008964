//! Reading and replacing small files that a node relies on.
//!
//! Another user who can replace a file can put an older one, or one of their own, in its place. So
//! a file is used only if it belongs to this user, is private, and lies in directories that nobody
//! else can write. A [public](Readers::Anybody) one may be read by others, and belong to root.
//! Writers take turns by a lock on a file beside it.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::geteuid;

use crate::identity::vault::file::error::VaultFileError;

/// How long another program may hold the lock: it writes one small file meanwhile.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The pause between two attempts to get the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Opens neither what a symbolic link leads to, nor waits for the other end of a pipe.
const NEVER_ELSEWHERE: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// This user alone: there are secrets in it, or what others are not to know.
    Owner,
    /// Anybody: what counts is who can change it.
    Anybody,
}

/// The path without symbolic links, so that a replacement does not put a file where a link was.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, VaultFileError> {
    let failed = |source| VaultFileError::NoDirectory { path: path.to_owned(), source };
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other.map_err(failed),
    }
    let directory = fs::canonicalize(directory_of(path)).map_err(failed)?;
    let name = path.file_name().ok_or_else(|| failed(ErrorKind::InvalidInput.into()))?;
    Ok(directory.join(name))
}

/// The bytes of the file at a [resolved](resolve) path, or `None` when there is no such file. One
/// that others can access or replace, or that is longer than `most`, is an error.
pub(crate) fn read(path: &Path, most: usize) -> Result<Option<Vec<u8>>, VaultFileError> {
    read_for(Readers::Owner, path, most)
}

/// As [`read`], of a file with these readers.
pub(crate) fn read_for(
    readers: Readers,
    path: &Path,
    most: usize,
) -> Result<Option<Vec<u8>>, VaultFileError> {
    let failed = |source| VaultFileError::NotRead { path: path.to_owned(), source };
    check_directories(path)?;
    let file = match OpenOptions::new().read(true).custom_flags(NEVER_ELSEWHERE).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    check_file(readers, path, &file.metadata().map_err(failed)?)?;
    let mut bytes = Vec::with_capacity(most.min(4096));
    // One byte more than allowed is enough to notice.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(failed(io::Error::new(
            ErrorKind::FileTooLarge,
            "the file is larger than any of its kind",
        )));
    }
    Ok(Some(bytes))
}

/// Changes a file of at most `most` bytes that several programs add to: under the lock, `next` is
/// shown what is there now and returns what is to be there, or `None` for the same.
pub(crate) fn update(
    path: &Path,
    most: usize,
    next: impl FnOnce(Option<&[u8]>) -> Result<Option<Vec<u8>>, VaultFileError>,
) -> Result<(), VaultFileError> {
    update_for(Readers::Owner, path, most, next)
}

/// As [`update`], of a file with these readers; whoever could read it still can.
pub(crate) fn update_for(
    readers: Readers,
    path: &Path,
    most: usize,
    next: impl FnOnce(Option<&[u8]>) -> Result<Option<Vec<u8>>, VaultFileError>,
) -> Result<(), VaultFileError> {
    let lock = WriteLock::take(path)?;
    let now = read_for(readers, path, most)?;
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Anybody => fs::metadata(path).map_or(0o644, |found| found.mode() & 0o644),
    };
    match next(now.as_deref())? {
        Some(bytes) => lock.replace_as(&bytes, mode),
        None => Ok(()),
    }
}

/// The right to replace a file, until it is dropped.
#[derive(Debug)]
pub(super) struct WriteLock {
    path: PathBuf,
    _lock: File,
}

impl WriteLock {
    /// Waits for other writers of the file at a [resolved](resolve) path, but not for ever.
    pub(super) fn take(path: &Path) -> Result<Self, VaultFileError> {
        Self::take_within(path, LOCK_WAIT)
    }

    /// The empty lock file stays: removing it would let two writers hold two different locks.
    pub(super) fn take_within(path: &Path, wait: Duration) -> Result<Self, VaultFileError> {
        let lock = sibling(path, "lock");
        let failed = |source| VaultFileError::NotLocked {
            path: path.to_owned(),
            lock: lock.clone(),
            source,
        };
        check_directories(path)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o600).custom_flags(NEVER_ELSEWHERE);
        let file = options.open(&lock).map_err(failed)?;
        check_file(Readers::Owner, &lock, &file.metadata().map_err(failed)?)?;
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), _lock: file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    // Whoever changes a vault waits for the disk anyway.
                    #[allow(clippy::disallowed_methods)]
                    thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let (path, seconds) = (path.to_owned(), wait.as_secs());
                    return Err(VaultFileError::LockHeld { path, lock, seconds });
                }
            }
        }
    }

    /// What is there now, of at most `most` bytes.
    pub(super) fn read(&self, most: usize) -> Result<Option<Vec<u8>>, VaultFileError> {
        read(&self.path, most)
    }

    /// Replaces the file with `bytes`: complete and on disk, or not at all.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), VaultFileError> {
        self.replace_as(bytes, 0o600)
    }

    fn replace_as(&self, bytes: &[u8], mode: u32) -> Result<(), VaultFileError> {
        let path = &self.path;
        let temporary = sibling(path, "tmp");
        let renamed =
            write_new(&temporary, bytes, mode).and_then(|()| fs::rename(&temporary, path));
        if let Err(source) = renamed {
            // The first error is the one to report; a leftover is removed by the next write.
            let _ = fs::remove_file(&temporary);
            return Err(VaultFileError::NotWritten { path: path.clone(), source });
        }
        let synced = File::open(directory_of(path)).and_then(|directory| directory.sync_all());
        synced.map_err(|source| VaultFileError::NotSynced { path: path.clone(), source })
    }
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Refuses a file that others can change, or read although it is for this user alone.
fn check_file(readers: Readers, path: &Path, metadata: &Metadata) -> Result<(), VaultFileError> {
    let (path, mode) = (path.to_owned(), metadata.mode() & 0o777);
    let is_public = readers == Readers::Anybody;
    if !metadata.is_file() {
        return Err(VaultFileError::NotAFile { path });
    }
    let owner = metadata.uid();
    if owner != geteuid().as_raw() && !(is_public && owner == 0) {
        return Err(VaultFileError::ForeignOwner { path, owner });
    }
    match is_public {
        true if mode & 0o022 != 0 => Err(VaultFileError::LooseDirectory { path, mode }),
        false if mode & 0o077 != 0 => Err(VaultFileError::LoosePermissions { path, mode }),
        _ => Ok(()),
    }
}

/// Refuses a file if somebody else than this user and root could put another one in its place, in
/// its directory or in one above. In a directory such as `/tmp`, whose sticky bit is set, others
/// can only replace what is theirs.
fn check_directories(path: &Path) -> Result<(), VaultFileError> {
    for directory in path.ancestors().skip(1) {
        let metadata = fs::metadata(directory)
            .map_err(|source| VaultFileError::NoDirectory { path: path.to_owned(), source })?;
        let (path, mode) = (directory.to_owned(), metadata.mode() & 0o7777);
        if ![0, geteuid().as_raw()].contains(&metadata.uid()) {
            return Err(VaultFileError::ForeignOwner { path, owner: metadata.uid() });
        }
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            return Err(VaultFileError::LooseDirectory { path, mode });
        }
    }
    Ok(())
}

/// `.NAME.tmp` or `.NAME.lock` beside `NAME`.
fn sibling(path: &Path, kind: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(kind);
    path.with_file_name(name)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
