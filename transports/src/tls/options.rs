//! The authorities that a client trusts, and what certificates and clients have in common.

use std::{fmt, path::Path, sync::Arc};

use ockam_actix_runtime::{Error, Result};
use rustls::{
    crypto::ring,
    pki_types::{
        pem::{Error as PemError, PemObject},
        CertificateDer,
    },
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
};
use tokio::{sync::OnceCell, task::spawn_blocking};

/// What is spoken in TLS. A web server on the way must not choose HTTP/2, which has no WebSockets
/// of this kind.
pub(super) const PROTOCOL: &[u8] = b"http/1.1";

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

pub(super) fn safe<T: rustls::ConfigSide>(
    builder: Result<Builder<T>, rustls::Error>,
) -> Result<Builder<T>> {
    builder.map_err(|error| Error::Bug(error.to_string()))
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error| unreadable(path, "certificate", error);
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect();
    match found.map_err(unreadable)? {
        none if none.is_empty() => Err(unreadable(PemError::NoItemsFound)),
        found => Ok(found),
    }
}

pub(super) fn unreadable(path: &Path, what: &str, error: PemError) -> Error {
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
