//! What `wss://` needs: a certificate to listen with, and authorities to dial with.

use std::path::{Path, PathBuf};

use clap::Args;
use ockam::{ClientTls, Result, ServerTls};

/// The options of a command that listens for nodes.
#[derive(Args)]
#[command(next_help_heading = "Connections with other nodes")]
pub(crate) struct CertificateArguments {
    /// PEM file with the certificate for wss:// addresses to listen on, and those of its issuers.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// PEM file with the private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl CertificateArguments {
    /// Checks that a certificate was given, without reading it.
    ///
    /// # Errors
    /// If none was.
    pub(crate) fn check_given(&self) -> Result<()> {
        self.files().map(drop)
    }

    /// Reads the files, if any are given.
    ///
    /// # Errors
    /// Those of [`certificate`](Self::certificate).
    pub(crate) fn probe(&self) -> Result<()> {
        self.tls_cert.as_ref().map_or(Ok(()), |_| self.certificate().map(drop))
    }

    /// The certificate.
    ///
    /// # Errors
    /// If none was given, or the files have none.
    pub(crate) fn certificate(&self) -> Result<ServerTls> {
        let (chain, key) = self.files()?;
        ServerTls::from_pem_files(chain, key)
    }

    fn files(&self) -> Result<(&Path, &Path)> {
        let files = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        files.ok_or_else(|| "to listen on wss://, give --tls-cert and --tls-key".into())
    }
}

/// The options of a command that dials nodes.
#[derive(Args)]
#[command(next_help_heading = "Connections with other nodes")]
pub(crate) struct AuthorityArguments {
    /// PEM file with the only authorities that wss:// servers may have their certificates of.
    ///
    /// Without this option, those that the system trusts.
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

impl AuthorityArguments {
    /// The words of a command line that say the same.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        let path = self.tls_ca.as_ref().map(|path| path.display().to_string());
        path.into_iter().flat_map(|path| ["--tls-ca".to_owned(), path])
    }

    /// The authorities.
    ///
    /// # Errors
    /// If the file has none.
    pub(crate) fn authorities(&self) -> Result<ClientTls> {
        self.tls_ca.as_ref().map_or_else(|| Ok(ClientTls::system()), ClientTls::with_ca_file)
    }
}
