//! A file that says who is trusted, and that is followed while it changes.
//!
//! Its text is that of a [`TrustList`]. A thread of its own looks at it every [`LOOK_PAUSE`]: no
//! arbiter waits for a disk. What has stayed the same for one pause is read, so that a file that an
//! editor is writing is not taken for its first half. A file that is missing, damaged or not
//! safe to use changes nothing, and the log says so once; identities trusted before stay trusted.
//!
//! Programs that add a line do so under a lock, and replace the file as a whole.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use ockam_actix_runtime::{
    lock::{Lock, SharedLock},
    Identifier,
};

use crate::identity::{
    policy::{Decision, TrustContext, TrustPolicy},
    trust_list::{self, TrustList, TrustListError, MAX_TRUST_FILE},
    vault::file::{
        disk::{self, Readers},
        VaultFileError,
    },
};

/// The pause between two looks at the file. A change counts after two at most.
const LOOK_PAUSE: Duration = Duration::from_millis(400);

/// A trust file that was opened. Clones share it; it is followed until the last one is dropped.
///
/// ```no_run
/// # fn example(ctx: ockam_actix_runtime::Context) -> Result<(), Box<dyn std::error::Error>> {
/// use ockam_actix_workers::{identity::trust_file::TrustFile, Entity, SecureChannels, Vault};
///
/// let mut entity = Entity::create(&ctx, &Vault::create(&ctx)?)?;
/// // Never on an arbiter: it waits for the disk.
/// let trusted = TrustFile::open("/etc/ockam/trusted")?;
/// entity.follow(&trusted);
/// entity.create_secure_channel_listener("door", trusted.policy())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TrustFile(Arc<State>);

struct State {
    path: PathBuf,
    list: SharedLock<Arc<TrustList>>,
    followers: Lock<Followers>,
    looks: Lock<Looks>,
}

type Follower = Arc<dyn Fn(&TrustList) + Send + Sync>;

#[derive(Default)]
struct Followers {
    all: Vec<Follower>,
    thread_runs: bool,
}

/// Why a trust file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum TrustFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] VaultFileError),
    /// What is in it.
    #[error("{}, {source}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, and what is wrong with it.
        source: TrustListError,
    },
    /// It is not UTF-8.
    #[error("{} is no text: a trust file has a name and an identifier in each line", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It is not there.
    #[error("{} is missing; write it again, or restart this program", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
}

impl TrustFile {
    /// Reads the file, or creates one that trusts nobody. Its directory must exist. It waits for
    /// the disk: never call it on an arbiter.
    ///
    /// # Errors
    /// If the file cannot be read or created, others can change it, or a line of it is wrong.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TrustFileError> {
        let path = disk::resolve(path.as_ref())?;
        let looks = Looks { read: Some(stamp(&path)), last: None };
        let list = match read(&path) {
            Err(TrustFileError::Missing { .. }) => {
                disk::update_for(Readers::Anybody, &path, MAX_TRUST_FILE, |found| {
                    let text = trust_list::empty_text().as_bytes().to_vec();
                    Ok(found.is_none().then_some(text))
                })?;
                read(&path)?
            }
            read => read?,
        };
        let list = SharedLock::new(Arc::new(list));
        let (followers, looks) = (Lock::default(), Lock::new(looks));
        Ok(Self(Arc::new(State { path, list, followers, looks })))
    }

    /// The file, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Who is trusted at this moment.
    pub fn list(&self) -> Arc<TrustList> {
        self.0.list.read().clone()
    }

    /// Trusts who is in the file at the moment of the question. [`Entity::follow`] ends the
    /// sessions of whoever is taken out.
    ///
    /// [`Entity::follow`]: crate::Entity::follow
    pub fn policy(&self) -> TrustFilePolicy {
        TrustFilePolicy(self.clone())
    }

    /// Adds an identity at the end of the file, under this name or, if it is taken, one with a
    /// number. Returns its name, which is the old one if it is there already. It waits for the
    /// disk.
    ///
    /// # Errors
    /// If the file cannot be read or written, or something in it or the name is wrong.
    pub fn add(&self, name: &str, identifier: &Identifier) -> Result<String, TrustFileError> {
        let path = &self.0.path;
        let (mut added, mut failed) = (None, None);
        disk::update_for(Readers::Anybody, path, MAX_TRUST_FILE, |found| {
            let text = found.map(<[u8]>::to_vec);
            match add_line(path, text, name, identifier) {
                Ok((list, name, text)) => {
                    added = Some((list, name));
                    Ok(text.map(String::into_bytes))
                }
                Err(error) => {
                    failed = Some(error);
                    Ok(None)
                }
            }
        })?;
        match (added, failed) {
            (Some((list, name)), None) => {
                self.0.apply(list);
                Ok(name)
            }
            (_, Some(error)) => Err(error),
            (None, None) => Err(TrustFileError::Missing { path: path.clone() }),
        }
    }

    /// Calls `follower` with the list that counts, now and after each change of it.
    pub(crate) fn follow(&self, follower: impl Fn(&TrustList) + Send + Sync + 'static) {
        let follower: Follower = Arc::new(follower);
        follower(&self.list());
        let mut followers = self.0.followers.lock();
        followers.all.push(follower);
        if !std::mem::replace(&mut followers.thread_runs, true) {
            let state = Arc::downgrade(&self.0);
            let thread = thread::Builder::new().name("trust file".into());
            if let Err(error) = thread.spawn(move || keep_looking(&state)) {
                log::error!("{} is not followed: {error}", self.0.path.display());
            }
        }
    }

    /// Looks at the file once.
    #[cfg(test)]
    pub(crate) fn look(&self) {
        self.0.look();
    }
}

fn keep_looking(state: &Weak<State>) {
    loop {
        thread::park_timeout(LOOK_PAUSE);
        match state.upgrade() {
            Some(state) => state.look(),
            None => return,
        }
    }
}

impl State {
    /// Reads the file if it is another one and nobody is writing it.
    fn look(&self) {
        if !self.looks.lock().is_due(stamp(&self.path)) {
            return;
        }
        match read(&self.path) {
            Ok(list) => self.apply(list),
            Err(error) => log::error!("who is trusted does not change: {error}"),
        }
    }

    fn apply(&self, list: TrustList) {
        let list = Arc::new(list);
        let before = std::mem::replace(&mut *self.list.write(), list.clone());
        if before == list {
            return;
        }
        let ending = if list.len() == 1 { "y" } else { "ies" };
        log::info!("{} names {} trusted identit{ending} now", self.path.display(), list.len());
        // No lock is held: a follower asks policies, which read the list.
        let followers = self.followers.lock().all.clone();
        followers.iter().for_each(|follower| follower(&list));
    }
}

/// What tells whether a file is still the same: its inode, the second and the nanosecond when it
/// was written, and its length.
type Stamp = Option<(u64, (i64, i64), u64)>;

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), (found.mtime(), found.mtime_nsec()), found.len()))
}

/// What was seen of a file.
#[derive(Debug, Default)]
struct Looks {
    /// When it was read last.
    read: Option<Stamp>,
    /// At the last look.
    last: Option<Stamp>,
}

impl Looks {
    /// Whether a file is to be read: it is not the one that was, and the same as at the last look.
    fn is_due(&mut self, now: Stamp) -> bool {
        let has_settled = self.last.replace(now) == Some(now);
        has_settled && self.read.replace(now) != Some(now)
    }
}

fn read(path: &Path) -> Result<TrustList, TrustFileError> {
    let found = disk::read_for(Readers::Anybody, path, MAX_TRUST_FILE)?;
    let bytes = found.ok_or_else(|| TrustFileError::Missing { path: path.to_owned() })?;
    parse(path, &text_of(path, bytes)?)
}

fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, TrustFileError> {
    String::from_utf8(bytes).map_err(|_| TrustFileError::NotText { path: path.to_owned() })
}

fn parse(path: &Path, text: &str) -> Result<TrustList, TrustFileError> {
    let failed = |source| TrustFileError::Text { path: path.to_owned(), source };
    TrustList::parse(text).map_err(failed)
}

/// The list with one more identity, its name in it, and the new text if there is one.
fn add_line(
    path: &Path,
    found: Option<Vec<u8>>,
    name: &str,
    identifier: &Identifier,
) -> Result<(TrustList, String, Option<String>), TrustFileError> {
    let text = found.map(|bytes| text_of(path, bytes)).transpose()?;
    let mut list = parse(path, text.as_deref().unwrap_or_default())?;
    if let Some(name) = list.name_of(identifier).map(str::to_owned) {
        return Ok((list, name, None));
    }
    let name = list.free_name(name);
    let text = trust_list::with_line(text.as_deref(), &name, identifier);
    let line = text.lines().count();
    let wrong = |what| TrustFileError::Text {
        path: path.to_owned(),
        source: TrustListError { line, what },
    };
    list.insert(&name, *identifier).map_err(wrong)?;
    Ok((list, name, Some(text)))
}

/// Made by [`TrustFile::policy`].
#[derive(Clone, Debug)]
pub struct TrustFilePolicy(TrustFile);

impl TrustPolicy for TrustFilePolicy {
    fn precheck(&self, context: &TrustContext) -> Decision {
        self.check(context)
    }

    fn check(&self, context: &TrustContext) -> Decision {
        let list = self.0.list();
        match list.contains(&context.peer) {
            true => Decision::Trusted,
            false => Decision::reject(format!(
                "{} is none of the {} trusted identities in {}",
                context.peer,
                list.len(),
                self.0.path().display()
            )),
        }
    }
}

impl fmt::Debug for TrustFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustFile({}, {} identities)", self.0.path.display(), self.list().len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ALICE: Identifier = Identifier::from_bytes([1; 32]);
    const BOB: Identifier = Identifier::from_bytes([2; 32]);

    fn made() -> (tempfile::TempDir, PathBuf, TrustFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trusted");
        let file = TrustFile::open(&path).unwrap();
        (directory, path, file)
    }

    fn trusts(file: &TrustFile, peer: Identifier) -> bool {
        file.policy().check(&TrustContext::new(ALICE, peer)).is_trusted()
    }

    /// Two looks: what has changed at the first counts at the second.
    fn look_twice(file: &TrustFile) {
        file.look();
        file.look();
    }

    #[test]
    fn a_new_file_trusts_nobody() {
        let (_directory, path, file) = made();
        assert!(file.list().is_empty() && !trusts(&file, ALICE));
        assert!(fs::read_to_string(&path).unwrap().starts_with('#'));
    }

    #[test]
    fn added_identities_count_at_once() {
        let (_directory, path, file) = made();
        assert_eq!(file.add("web", &ALICE).unwrap(), "web");
        assert_eq!(file.add("other", &ALICE).unwrap(), "web");
        assert_eq!(file.add("web", &BOB).unwrap(), "web-2");
        assert!(trusts(&file, ALICE) && trusts(&file, BOB));
        assert_eq!(TrustFile::open(&path).unwrap().list(), file.list());
        assert!(matches!(
            file.add("a b", &Identifier::from_bytes([3; 32])),
            Err(TrustFileError::Text { .. })
        ));
    }

    #[test]
    fn changes_count_once_they_have_settled() {
        let (_directory, path, file) = made();
        let told = Arc::new(Lock::new(Vec::new()));
        let telling = told.clone();
        file.follow(move |list| telling.lock().push(list.len()));
        fs::write(&path, format!("alice {ALICE}")).unwrap();
        file.look();
        fs::write(&path, format!("alice {ALICE}\nbob {BOB}\n")).unwrap();
        look_twice(&file);
        assert!(trusts(&file, BOB));
        fs::write(&path, format!("bob {BOB}\n")).unwrap();
        look_twice(&file);
        assert!(!trusts(&file, ALICE) && trusts(&file, BOB));
        let told = told.lock();
        assert_eq!((told[0], *told.last().unwrap()), (0, 1));
    }

    #[test]
    fn a_broken_file_changes_nothing() {
        let (_directory, path, file) = made();
        file.add("alice", &ALICE).unwrap();
        for broken in [&b"alice"[..], b"\xff\xff"] {
            fs::write(&path, broken).unwrap();
            look_twice(&file);
            assert!(trusts(&file, ALICE));
            assert!(file.add("bob", &BOB).is_err());
        }
        fs::remove_file(&path).unwrap();
        look_twice(&file);
        assert!(trusts(&file, ALICE));
    }

    #[test]
    fn others_may_read_it_but_not_write() {
        let (_directory, path, file) = made();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        file.add("alice", &ALICE).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(TrustFile::open(&path).is_ok());
        mode(0o664);
        let error = TrustFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
    }
}
