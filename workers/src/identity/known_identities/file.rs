//! Known key histories in a file, so that they last over restarts.
//!
//! A thread of its own reads and writes the file: no arbiter waits for a disk. It writes what is
//! new, at most once in [`WRITE_PAUSE`], and looks every [`LOOK_PAUSE`] whether another program, or
//! the operator, has changed the file. An entry that is taken out of the file is forgotten here,
//! too. A program that meets only what is in the file writes nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
        Arc,
    },
    thread,
    time::{Duration, SystemTime},
};

use ockam_actix_runtime::Identifier;

use crate::identity::{
    key_history::KeyHistory,
    known_identities::{
        codec,
        shared::Shared,
        table::{KnownHistory, MetBy},
    },
    vault::file::{disk, VaultFileError},
    Identity,
};

/// The shortest time between two writes, so that strangers with made-up identities do not keep a
/// disk busy.
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// How soon a change of the file by others is noticed.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// A file of known key histories, as it was when it was opened.
///
/// ```no_run
/// # fn example(node: ockam_actix_runtime::Node) -> Result<(), Box<dyn std::error::Error>> {
/// use ockam_actix_workers::identity::known_identities::HistoryFile;
///
/// // Before anything of the node is reached from outside, and never on an arbiter.
/// HistoryFile::open("/var/lib/hub/known")?.keep_for(&node);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    entries: Vec<(KnownHistory, MetBy)>,
}

impl HistoryFile {
    /// Reads the file, which need not exist; its directory must. A damaged file is put aside, as
    /// `NAME.damaged`, and the log says so. It waits for the disk: never call it on an arbiter.
    ///
    /// # Errors
    /// If the file cannot be read, or others can access it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, VaultFileError> {
        let path = disk::resolve(path.as_ref())?;
        let entries = match disk::read(&path, codec::MAX_FILE)? {
            None => Vec::new(),
            Some(bytes) => codec::decode(&bytes).unwrap_or_else(|| {
                put_aside(&path);
                Vec::new()
            }),
        };
        let forked: Vec<_> = forked(&entries).map(|identifier| identifier.to_string()).collect();
        if !forked.is_empty() {
            log::error!(
                "{} identities are refused because {} has two key histories of each; \
                 \"ockam identity known\" resolves that: {}",
                forked.len(),
                path.display(),
                // A line of the log, not the whole file.
                forked.iter().take(8).cloned().collect::<Vec<_>>().join(", ")
            );
        }
        Ok(Self { path, entries })
    }

    /// Whether there is a file that is damaged, which [`open`](Self::open) would put aside. It
    /// waits for the disk.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn is_damaged(path: impl AsRef<Path>) -> Result<bool, VaultFileError> {
        let found = disk::read(&disk::resolve(path.as_ref())?, codec::MAX_FILE)?;
        Ok(found.is_some_and(|bytes| codec::decode(&bytes).is_none()))
    }

    /// The file beside a vault: its name with `.known` after it.
    pub fn path_beside(vault: &Path) -> PathBuf {
        let mut name = vault.as_os_str().to_owned();
        name.push(".known");
        name.into()
    }

    /// The file, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what it holds to what is known, which `is_kept` in this file.
    pub(super) fn add_to(&self, shared: &Shared, is_kept: bool) {
        shared.table.lock().add(self.entries.clone(), is_kept);
    }

    /// Starts the thread that keeps what is known in the file, until the returned sender is
    /// dropped.
    pub(super) fn start_keeping(&self, shared: Arc<Shared>) -> Wake {
        // One message at a time: more would say the same.
        let (wake, changes) = mpsc::sync_channel(1);
        let keeper = Keeper { path: self.path.clone(), shared, seen: None, failing: false };
        let thread = thread::Builder::new().name("known identities".into());
        if let Err(error) = thread.spawn(move || keeper.keep(&changes)) {
            log::error!("{} is not kept: {error}", self.path.display());
        }
        wake
    }

    /// What is in the file, the longest unused first.
    pub fn entries(&self) -> impl Iterator<Item = &KnownHistory> {
        self.entries.iter().map(|(known, _)| known)
    }

    /// Takes an identity out of the file at `path`: the next history that is met counts. Programs
    /// that use the file notice it within seconds. Returns whether it was there.
    ///
    /// # Errors
    /// If the file cannot be read or written, or others can access it.
    pub fn forget(path: impl AsRef<Path>, identifier: &Identifier) -> Result<bool, VaultFileError> {
        change(path.as_ref(), |entries| {
            let before = entries.len();
            entries.retain(|(known, _)| known.identifier() != *identifier);
            entries.len() != before
        })
    }

    /// Accepts the history of `identity` in the file at `path`, and whatever continues it, in place
    /// of everything that was met. Programs that use the file notice it within seconds.
    ///
    /// # Errors
    /// As [`HistoryFile::forget`].
    pub fn accept(path: impl AsRef<Path>, identity: &Identity) -> Result<(), VaultFileError> {
        let accepted = KnownHistory::Accepted(KeyHistory::of(identity));
        change(path.as_ref(), |entries| {
            entries.retain(|(known, _)| known.identifier() != identity.identifier());
            entries.push((accepted, MetBy::Name));
            true
        })
        .map(|_| ())
    }
}

fn forked(entries: &[(KnownHistory, MetBy)]) -> impl Iterator<Item = Identifier> + '_ {
    let forked = entries.iter().filter(|(known, _)| matches!(known, KnownHistory::Forked(..)));
    forked.map(|(known, _)| known.identifier())
}

fn change(
    path: &Path,
    change: impl FnOnce(&mut Vec<(KnownHistory, MetBy)>) -> bool,
) -> Result<bool, VaultFileError> {
    let path = disk::resolve(path)?;
    let mut has_changed = false;
    disk::update(&path, codec::MAX_FILE, |found| {
        let mut entries = match found {
            None => Vec::new(),
            Some(bytes) => codec::decode(bytes).ok_or_else(|| VaultFileError::Damaged {
                path: path.clone(),
                what: "it is no file of known identities, or its hash does not fit",
            })?,
        };
        has_changed = change(&mut entries);
        Ok(has_changed.then(|| codec::encode(&entries)))
    })?;
    Ok(has_changed)
}

/// Renames a damaged file, so that a person can look at it.
fn put_aside(path: &Path) {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    let renamed = match fs::rename(path, &aside) {
        Ok(()) => format!("it is now {}", Path::new(&aside).display()),
        Err(error) => format!("and cannot be renamed: {error}"),
    };
    log::error!(
        "{} is damaged, {renamed}; what was known of replaced keys is learned again: restore the \
         file from a backup if you can",
        path.display()
    );
}

/// What tells whether a file is still the same.
type Stamp = Option<(SystemTime, u64)>;

/// The thread's work.
struct Keeper {
    path: PathBuf,
    shared: Arc<Shared>,
    /// The file as it was last read.
    seen: Option<Stamp>,
    /// Whether the last attempt failed, which is logged once.
    failing: bool,
}

impl Keeper {
    fn keep(mut self, changes: &Receiver<()>) {
        loop {
            let waited = changes.recv_timeout(LOOK_PAUSE);
            let failed_before = std::mem::take(&mut self.failing);
            match self.sync() {
                Ok(()) if failed_before => log::info!("{} is kept again", self.path.display()),
                Ok(()) => {}
                Err(error) => {
                    self.failing = true;
                    if !failed_before {
                        log::error!("what is known of key histories is not kept: {error}");
                    }
                }
            }
            match waited {
                Ok(()) => thread::park_timeout(WRITE_PAUSE),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn sync(&mut self) -> Result<(), VaultFileError> {
        // Taken before it is read: what others change meanwhile is then another file.
        let now = stamp(&self.path);
        if self.seen == Some(now) && !self.shared.table.lock().is_unwritten() {
            return Ok(());
        }
        let (mut until, mut news) = (None, Vec::new());
        disk::update(&self.path, codec::MAX_FILE, |found| {
            let mut table = self.shared.table.lock();
            match found.map(codec::decode) {
                Some(Some(entries)) => news = table.catch_up(entries),
                Some(None) => {
                    put_aside(&self.path);
                    table.forget_the_file();
                }
                // Somebody else may have put it aside.
                None => table.forget_the_file(),
            }
            if !table.is_unwritten() {
                return Ok(None);
            }
            let (entries, clock) = table.snapshot();
            drop(table);
            until = Some(clock);
            Ok(Some(codec::encode(&entries)))
        })?;
        if let Some(clock) = until {
            self.shared.table.lock().written(clock);
        }
        // Others may have changed what was written here, so it is read once more.
        self.seen = until.is_none().then_some(now);
        news.iter().for_each(|identifier| self.shared.tell(identifier));
        Ok(())
    }
}

fn stamp(path: &Path) -> Stamp {
    let read =
        |metadata: fs::Metadata| -> io::Result<_> { Ok((metadata.modified()?, metadata.len())) };
    fs::metadata(path).and_then(read).ok()
}

/// Tells the thread that there is something to write; its end ends the thread.
pub(super) type Wake = SyncSender<()>;
