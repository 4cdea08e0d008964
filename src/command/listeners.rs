//! Where a command listens for nodes, with what `wss://` needs for that.

use ockam::{Result, WSS};

use crate::command::{doubts::Doubts, node_address::NodeAddress, tls_args::CertificateArguments};

/// Addresses to listen on for nodes, and the certificate for those that need one.
pub(crate) struct Listeners {
    pub(crate) addresses: Vec<NodeAddress>,
    pub(crate) certificate: CertificateArguments,
}

impl Listeners {
    /// On these addresses.
    ///
    /// # Errors
    /// If one of them needs a certificate, and none was given.
    pub(crate) fn new(
        addresses: Vec<NodeAddress>,
        certificate: CertificateArguments,
    ) -> Result<Self> {
        if addresses.iter().any(|address| address.transport == WSS) {
            certificate.check_given()?;
        }
        Ok(Self { addresses, certificate })
    }

    /// Looks for the hosts and folders, and reads the certificate.
    ///
    /// # Errors
    /// If they cannot be used.
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        doubts.listeners(&self.addresses)?;
        self.certificate.probe()
    }

    /// As the options of a command take them.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> + '_ {
        self.addresses.iter().map(NodeAddress::to_string)
    }
}
