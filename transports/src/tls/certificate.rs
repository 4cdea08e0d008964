//! The certificate of a listener, which follows its files: authorities sign for months, listeners
//! run for longer.
//!
//! Files are looked at when a client connects, at most once in [`CERTIFICATE_LOOK`]. New handshakes
//! use the certificate that the files have then; open connections are not touched. A certificate
//! that cannot be used is logged once, and the one before it stays in use: so nothing is lost while
//! one of two files has been replaced and the other not yet.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ockam_actix_runtime::{clock::Instant, lock::Lock, Error, Result};
use rustls::{
    crypto::ring,
    pki_types::{pem::PemObject, PrivateKeyDer},
    ServerConfig,
};
use tokio::task::spawn_blocking;

use crate::{
    limits::CERTIFICATE_LOOK,
    tls::options::{certificates, safe, unreadable, PROTOCOL},
};

/// The certificate that a listener shows, with its key.
#[derive(Clone)]
pub struct ServerTls {
    files: Arc<CertificateFiles>,
}

impl ServerTls {
    /// Reads a chain of certificates, the server's own first, and its private key from PEM files,
    /// such as `fullchain.pem` and `privkey.pem`. When they change, connections that begin a
    /// second later or more get the new certificate, and open ones go on; if the new one cannot be
    /// used, the log says why, and the old one stays.
    ///
    /// # Errors
    /// If a file cannot be read, or has something else in it, or the key is another one's.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self> {
        let files = CertificateFiles::read(chain.as_ref(), key.as_ref())?;
        Ok(Self { files: files.into() })
    }

    pub(super) async fn config(&self) -> Arc<ServerConfig> {
        self.files.clone().config().await
    }
}

impl fmt::Debug for ServerTls {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// Two files, and what was in them when they could be used last.
struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    current: Lock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// Of the files as they were read last, whether they could be used or not.
    stamps: [Stamp; 2],
    looked: Instant,
}

/// When a file was changed last, in seconds and nanoseconds, its length, and which one it is.
type Stamp = Option<(i64, i64, u64, u64)>;

impl CertificateFiles {
    /// Reads them.
    ///
    /// # Errors
    /// If a file cannot be read, or has something else in it, or the key is another one's.
    fn read(chain: &Path, key: &Path) -> Result<Self> {
        // Before they are read, so that what comes in between is found.
        let stamps = [chain, key].map(stamp);
        let config = load(chain, key)?;
        let current = Current { config, stamps, looked: Instant::now() };
        Ok(Self { chain: chain.into(), key: key.into(), current: Lock::new(current) })
    }

    /// What a handshake that begins now is made with.
    async fn config(self: Arc<Self>) -> Arc<ServerConfig> {
        let (config, is_due) = {
            let mut current = self.current.lock();
            let is_due = current.looked.elapsed() >= CERTIFICATE_LOOK;
            if is_due {
                current.looked = Instant::now();
            }
            (current.config.clone(), is_due)
        };
        if !is_due {
            return config;
        }
        // The disk is not waited for on an arbiter. A failure says that the node is stopping.
        spawn_blocking(move || self.look()).await.unwrap_or(config)
    }

    fn look(&self) -> Arc<ServerConfig> {
        let stamps = [&self.chain, &self.key].map(|path| stamp(path));
        let mut current = self.current.lock();
        if current.stamps == stamps {
            return current.config.clone();
        }
        current.stamps = stamps;
        drop(current);
        let loaded = load(&self.chain, &self.key);
        let mut current = self.current.lock();
        match loaded {
            Ok(config) => {
                log::info!("TLS uses the new certificate in {}", self.chain.display());
                current.config = config;
            }
            Err(error) => log::error!("TLS goes on with the certificate that it had: {error}"),
        }
        current.config.clone()
    }
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.mtime(), file.mtime_nsec(), file.len(), file.ino()))
}

fn load(chain_path: &Path, key_path: &Path) -> Result<Arc<ServerConfig>> {
    let chain = certificates(chain_path)?;
    let key = PrivateKeyDer::from_pem_file(key_path)
        .map_err(|error| unreadable(key_path, "private key", error))?;
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
    let builder = safe(builder.with_safe_default_protocol_versions())?;
    let config = builder.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|error| {
        let (chain, key) = (chain_path.display(), key_path.display());
        Error::Usage(format!(
            "the certificate in {chain} and the key in {key} cannot be used: {error}"
        ))
    })?;
    config.alpn_protocols = vec![PROTOCOL.into()];
    Ok(config.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    /// A certificate and its key, as PEM.
    fn made() -> [String; 2] {
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        [made.cert.pem(), made.signing_key.serialize_pem()]
    }

    /// Puts another file in place of the one that is there.
    fn put(path: &Path, content: &str) {
        let beside = path.with_extension("new");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, path).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_can_be_used_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
        let ([old_chain, old_key], [new_chain, new_key]) = (made(), made());
        put(&chain, &old_chain);
        put(&key, &old_key);
        let files = Arc::new(CertificateFiles::read(&chain, &key).unwrap());
        let old = files.clone().config().await;
        for (path, content, is_new) in [
            (&chain, "nothing", false),
            (&chain, &new_chain, false),
            (&key, &new_key, true),
            (&key, "nothing", true),
        ] {
            let before = files.clone().config().await;
            put(path, content);
            advance(CERTIFICATE_LOOK - Duration::from_millis(1)).await;
            assert!(Arc::ptr_eq(&before, &files.clone().config().await), "it is not looked at yet");
            advance(Duration::from_millis(1)).await;
            let after = files.clone().config().await;
            assert_eq!(!Arc::ptr_eq(&old, &after), is_new, "{content}");
        }
    }
}
