//! The file `TRUSTFILE.invitations`, and the thread by which a running outlet follows it.
//!
//! Only the trust file's user may read it. A program that writes it holds its lock, and replaces it
//! as a whole. No arbiter waits for it: a handshake that shows an invitation is refused while a
//! thread writes down whose it is, and the initiator tries again.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender},
        Arc, Weak,
    },
    thread,
    time::Duration,
};

use ockam_actix_runtime::{clock::since_1970, lock::SharedLock, Identifier};
use ring::rand::SystemRandom;

use crate::{
    identity::{
        address_secret::{AddressSecret, TAG_LENGTH},
        policy::{Decision, TrustContext, TrustPolicy},
        trust_file::{TrustFile, TrustFileError},
        trust_list::is_peer_name,
        vault::file::{disk, VaultFileError},
    },
    invitation::{
        ledger::{Claim, InvitingOutlet, Ledger, LedgerError},
        text::{Invitation, InvitationSecret},
        LONGEST_VALIDITY,
    },
};

/// The pause between two looks at the file: an invitation is good this long after it was printed.
const LOOK_PAUSE: Duration = Duration::from_millis(300);

/// Claims that wait for the disk. Beyond that, initiators try again.
const WAITING_CLAIMS: usize = 16;

/// Bytes of the longest file: all that fits, with its outlets.
const MAX_FILE: usize = 64 * 1024;

/// Why nobody was invited, or no invitation is known.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] VaultFileError),
    /// What is in it.
    #[error("{}: {source}", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LedgerError,
    },
    /// The trust file could not be written.
    #[error(transparent)]
    TrustFile(#[from] TrustFileError),
    /// The name that the identity would get.
    #[error("{0:?} cannot name a peer in the trust file")]
    Name(String),
    /// How long it would be good.
    #[error("an invitation is good for a second to a week")]
    Validity,
    /// No secret can be made.
    #[error("the system gave no randomness")]
    Randomness,
}

/// The file beside a trust file.
#[derive(Clone, Debug)]
pub struct InvitationFile {
    path: PathBuf,
}

impl InvitationFile {
    /// That of the trust file at `path`.
    ///
    /// # Errors
    /// If there is no such directory.
    pub fn beside(path: impl AsRef<Path>) -> Result<Self, InvitationError> {
        let mut path = disk::resolve(path.as_ref())?.into_os_string();
        path.push(".invitations");
        Ok(Self { path: path.into() })
    }

    /// The outlet of `service`, or the only one, that people can be invited to. It waits for the
    /// disk.
    ///
    /// # Errors
    /// If no outlet or several are known, or the file cannot be read.
    pub fn outlet(&self, service: Option<&str>) -> Result<InvitingOutlet, InvitationError> {
        self.read()?.outlet(service).cloned().map_err(|source| self.failed(source))
    }

    /// Adds an invitation to `outlet` that is good `lasting` from now on. Whoever takes it is
    /// trusted under `name`. It waits for the disk.
    ///
    /// `outlet` is one that [`InvitationFile::outlet`] has returned; where others reach it at
    /// another [place](crate::invitation::Place::at), with that.
    ///
    /// # Errors
    /// If too many are open, or the file cannot be written.
    pub fn invite(
        &self,
        outlet: InvitingOutlet,
        name: &str,
        lasting: Duration,
    ) -> Result<Invitation, InvitationError> {
        if !is_peer_name(name) {
            return Err(InvitationError::Name(name.to_owned()));
        }
        if lasting < Duration::from_secs(1) || lasting > LONGEST_VALIDITY {
            return Err(InvitationError::Validity);
        }
        let secret = InvitationSecret::random(&SystemRandom::new());
        let secret = secret.ok_or(InvitationError::Randomness)?;
        let expires = u32::try_from(now() + lasting.as_secs());
        let expires = expires.map_err(|_| InvitationError::Validity)?;
        self.change(|ledger| ledger.invite(secret.clone(), expires.into(), name, now()))?;
        let InvitingOutlet { service, place, clients } = outlet;
        Ok(Invitation { service, place, clients, expires, secret })
    }

    /// Withdraws the open invitations; returns their number. It waits for the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn withdraw(&self) -> Result<usize, InvitationError> {
        self.change(|ledger| Ok(ledger.withdraw()))
    }

    fn read(&self) -> Result<Ledger, InvitationError> {
        let bytes = disk::read(&self.path, MAX_FILE)?.unwrap_or_default();
        self.parse(&bytes)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Ledger, InvitationError> {
        // What is no text has no line that is one of ours.
        let parsed = Ledger::parse(&String::from_utf8_lossy(bytes));
        parsed.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: LedgerError) -> InvitationError {
        InvitationError::Ledger { path: self.path.clone(), source }
    }

    /// Changes the ledger under its lock.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, InvitationError> {
        let mut changed = None;
        disk::update(&self.path, MAX_FILE, |found| {
            let done = self.parse(found.unwrap_or_default()).and_then(|mut ledger| {
                let before = ledger.clone();
                let result = change(&mut ledger).map_err(|source| self.failed(source))?;
                Ok((result, (before != ledger).then(|| ledger.to_string().into_bytes())))
            });
            let (result, bytes) = match done {
                Ok((result, bytes)) => (Ok(result), bytes),
                Err(error) => (Err(error), None),
            };
            changed = Some(result);
            Ok(bytes)
        })?;
        // It was called, or there was an error.
        changed.unwrap_or_else(|| Err(self.failed(LedgerError::NoOutlet)))
    }

    fn stamp(&self) -> Stamp {
        let found = fs::metadata(&self.path).ok()?;
        Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
    }
}

/// What tells whether the file is still the same.
type Stamp = Option<(u64, i64, i64, u64)>;

/// The invitations to an outlet that runs, for its listeners. Clones share them.
///
/// ```no_run
/// # fn example(ctx: ockam_actix_runtime::Context) -> Result<(), Box<dyn std::error::Error>> {
/// use ockam_actix_workers::{
///     identity::trust_file::TrustFile, invitation::Invitations,
///     secure_channel::SecureChannelListenerOptions, Entity, SecureChannels, Vault,
/// };
///
/// let mut entity = Entity::create(&ctx, &Vault::create(&ctx)?)?;
/// // Never on an arbiter: both wait for the disk.
/// let trusted = TrustFile::open("/etc/ockam/trusted")?;
/// let invitations = Invitations::beside(&trusted)?;
/// let options = SecureChannelListenerOptions::at("door").invitations(invitations);
/// entity.create_secure_channel_listener(options, trusted.policy())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Invitations(Arc<State>);

struct State {
    file: InvitationFile,
    trusted: TrustFile,
    ledger: SharedLock<Arc<Ledger>>,
    claims: SyncSender<(InvitationSecret, Identifier)>,
}

/// The invitation that a handshake shows.
pub(crate) enum Shown {
    Good(InvitationSecret, AddressSecret),
    Expired,
}

impl Invitations {
    /// Those beside a trust file, which are followed until the last clone is dropped. It waits for
    /// the disk: never call it on an arbiter.
    ///
    /// # Errors
    /// If the file cannot be read, others can, or a line of it is wrong.
    pub fn beside(trusted: &TrustFile) -> Result<Self, InvitationError> {
        let file = InvitationFile::beside(trusted.path())?;
        let seen = file.stamp();
        let ledger = SharedLock::new(Arc::new(file.read()?));
        let (claims, waiting) = sync_channel(WAITING_CLAIMS);
        let state = Arc::new(State { file, trusted: trusted.clone(), ledger, claims });
        let follower = Follower { state: Arc::downgrade(&state), waiting, seen };
        let spawned = thread::Builder::new().name("invitations".into());
        if let Err(error) = spawned.spawn(move || follower.run()) {
            log::error!("invitations are not followed: {error}");
        }
        Ok(Self(state))
    }

    /// Has people be invited to an outlet. It waits for the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn note(&self, outlet: &InvitingOutlet) -> Result<(), InvitationError> {
        self.0.file.change(|ledger| Ok(ledger.note(outlet))).map(drop)
    }

    /// The invitation with whose secret `tag` was made for a message 1.
    pub(crate) fn shown_by(&self, tag: &[u8; TAG_LENGTH], noise: &[u8]) -> Option<Shown> {
        let ledger = self.0.ledger();
        let (secret, key, is_expired) = ledger.find(now(), |key| key.has_made(tag, noise))?;
        Some(match is_expired {
            true => Shown::Expired,
            false => Shown::Good(secret.clone(), key.clone()),
        })
    }

    /// `policy`, for a handshake that shows an invitation.
    pub(crate) fn policy(
        &self,
        secret: InvitationSecret,
        policy: impl TrustPolicy,
    ) -> impl TrustPolicy {
        Invited { policy, invitations: self.clone(), secret }
    }
}

/// Trusts whom `policy` trusts, and has others added to those if the invitation is theirs.
struct Invited<P> {
    policy: P,
    invitations: Invitations,
    secret: InvitationSecret,
}

impl<P: TrustPolicy> TrustPolicy for Invited<P> {
    fn check(&self, context: &TrustContext) -> Decision {
        let Decision::Rejected(why) = self.policy.check(context) else { return Decision::Trusted };
        let (state, peer) = (&self.invitations.0, context.peer);
        match state.ledger().standing(&self.secret, &peer, now()) {
            Claim::Granted(_) => {
                // Where there is no room, it is for the next attempt.
                let _ = state.claims.try_send((self.secret.clone(), peer));
                Decision::admit(format!("{peer} has shown an invitation; it is being written down"))
            }
            Claim::Taken(other) => {
                Decision::reject(format!("{peer} has shown the invitation that {other} has taken"))
            }
            Claim::WasAdmitted => Decision::reject(format!("{why}; its invitation was good once")),
            Claim::Expired | Claim::Unknown => Decision::Rejected(why),
        }
    }
}

impl State {
    fn ledger(&self) -> Arc<Ledger> {
        self.ledger.read().clone()
    }

    /// Writes down whose invitation it is, then that the identity is trusted, then that this is
    /// done. Each step is on disk before the next, so an identity that has seen the second is
    /// trusted, whatever happens.
    fn admit(&self, secret: &InvitationSecret, by: &Identifier) -> Result<(), InvitationError> {
        let claimed = self.file.change(|ledger| Ok(ledger.claim(secret, by, now())))?;
        if let Claim::Granted(name) = claimed {
            let name = self.trusted.add(&name, by)?;
            self.file.change(|ledger| {
                ledger.admitted(secret, by);
                Ok(())
            })?;
            log::info!("{name} ({by}) has taken an invitation, and is trusted from now on");
        }
        Ok(())
    }
}

/// The thread.
struct Follower {
    state: Weak<State>,
    waiting: Receiver<(InvitationSecret, Identifier)>,
    seen: Stamp,
}

impl Follower {
    fn run(mut self) {
        loop {
            let claim = match self.waiting.recv_timeout(LOOK_PAUSE) {
                Ok(claim) => Some(claim),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let Some(state) = self.state.upgrade() else { return };
            if let Some((secret, by)) = claim {
                if let Err(error) = state.admit(&secret, &by) {
                    log::error!("{by} has shown an invitation, but is not trusted: {error}");
                }
            }
            self.look(&state);
        }
    }

    /// Reads the file if it is another one.
    fn look(&mut self, state: &State) {
        let stamp = state.file.stamp();
        if std::mem::replace(&mut self.seen, stamp) == stamp {
            return;
        }
        match state.file.read() {
            Ok(ledger) => *state.ledger.write() = Arc::new(ledger),
            Err(error) => log::error!("no new invitation is known: {error}"),
        }
    }
}

/// Seconds since the beginning of 1970.
fn now() -> u64 {
    since_1970().as_secs()
}

impl Invitation {
    /// Whether it is good no longer, by this machine's clock.
    pub fn has_expired(&self) -> bool {
        self.is_expired(now())
    }
}

impl fmt::Debug for Invitations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitations({})", self.0.file.path.display())
    }
}

#[cfg(test)]
mod tests;
