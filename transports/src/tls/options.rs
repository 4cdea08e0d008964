//! Certificates: those that a server shows, and those that a client trusts.

use std::{fmt, path::Path, sync::Arc};

use ockam_actix_runtime::{Error, Result};
use rustls::{
    crypto::ring,
    pki_types::{
        pem::{Error as PemError, PemObject},
        CertificateDer, PrivateKeyDer,
    },
    ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier,
};
use tokio::{sync::OnceCell, task::spawn_blocking};

/// What is spoken in TLS. A web server on the way must not choose HTTP/2, which has no WebSockets
/// of this kind.
const PROTOCOL: &[u8] = b"http/1.1";

/// The certificate that a listener shows, with its key.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Reads a chain of certificates, the server's own first, and its private key from PEM files,
    /// such as `fullchain.pem` and `privkey.pem`. It is not read again when they change.
    ///
    /// # Errors
    /// If a file cannot be read, or has something else in it, or the key is another one's.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self> {
        let (chain_path, key_path) = (chain.as_ref(), key.as_ref());
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
        Ok(Self { config: config.into() })
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

impl fmt::Debug for ServerTls {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// The authorities whose certificates a node that dials takes for valid.
#[derive(Clone)]
pub struct ClientTls {
    /// Made of the system's authorities when it is first needed: reading them takes a while.
    config: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl ClientTls {
    /// Trusts the authorities that the system trusts, or those that `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` in the environment name. They are read when they are first needed.
    pub fn system() -> Self {
        Self { config: Arc::default() }
    }

    fn of_system() -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        // Systems have old ones among them that nothing can read.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(Error::Usage(format!(
                "the system trusts no certificate authority{why}: install its list, which is \
                 mostly called ca-certificates, or give a file"
            )));
        }
        Self::trusting(roots)
    }

    /// Trusts only the authorities whose certificates are in a PEM file.
    ///
    /// # Errors
    /// If the file cannot be read, or has no such certificate in it.
    pub fn with_ca_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| {
                let path = path.display();
                Error::Usage(format!("{path} has a certificate that cannot be used: {error}"))
            })?;
        }
        Ok(Self { config: Arc::new(Self::trusting(roots)?.into()) })
    }

    fn trusting(roots: RootCertStore) -> Result<Arc<ClientConfig>> {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = safe(builder.with_safe_default_protocol_versions())?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.into()];
        Ok(config.into())
    }

    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>> {
        // The disk is not waited for on an arbiter.
        let load = || async {
            let loading = spawn_blocking(Self::of_system).await;
            loading.map_err(|error| Error::Bug(error.to_string()))?
        };
        self.config.get_or_try_init(load).await.cloned()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

type Builder<T> = ConfigBuilder<T, WantsVerifier>;

fn safe<T: rustls::ConfigSide>(builder: Result<Builder<T>, rustls::Error>) -> Result<Builder<T>> {
    builder.map_err(|error| Error::Bug(error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error| unreadable(path, "certificate", error);
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect();
    match found.map_err(unreadable)? {
        none if none.is_empty() => Err(unreadable(PemError::NoItemsFound)),
        found => Ok(found),
    }
}

fn unreadable(path: &Path, what: &str, error: PemError) -> Error {
    match error {
        PemError::Io(source) => {
            Error::transport(format!("cannot read the {what} in {}", path.display()), source)
        }
        error => Error::Usage(format!(
            "{} has no {what} that can be read: expected a PEM file ({error})",
            path.display()
        )),
    }
}
