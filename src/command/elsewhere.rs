//! How other machines reach what listens on all addresses of this one.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ockam_actix_runtime::process::host_name;
use tokio::{net::lookup_host, time::timeout};

use crate::command::{node_address::NodeAddress, output::say};

/// Stands for the name of this machine, where that is unknown.
const PLACEHOLDER: &str = "YOUR-HOST";

/// How long to look for this machine's name: a name server that hangs delays no start for longer.
const LOOKUP: Duration = Duration::from_secs(2);

/// What to do about it.
const EXPLANATION: &str =
    "YOUR-HOST stands for a name or an address of this machine that others know.";

/// This machine, as others call it.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    host: Option<String>,
}

impl Elsewhere {
    /// By the machine's name, if that stands for an address that others may reach.
    pub(crate) async fn find() -> Self {
        let name = host_name();
        let found = timeout(LOOKUP, lookup_host((name.as_str(), 0))).await;
        let addresses = found.into_iter().flatten().flatten();
        let is_known = addresses.map(|one| one.ip()).any(is_of_others);
        let host = is_known.then_some(name);
        Self { host }
    }

    /// How others reach what is bound to an address: with the machine's name, if it is bound to all
    /// of its addresses.
    pub(crate) fn address(&self, bound: &NodeAddress) -> NodeAddress {
        let NodeAddress { transport, text } = bound;
        let port = ["0.0.0.0:", "[::]:"].iter().find_map(|all| text.strip_prefix(all));
        let host = self.host.as_deref().unwrap_or(PLACEHOLDER);
        let text = port.map_or_else(|| text.clone(), |port| format!("{host}:{port}"));
        NodeAddress { transport: *transport, text }
    }

    /// Prints what the placeholder in `text` stands for, if there is one.
    pub(crate) fn explain(text: &str) {
        if text.contains(PLACEHOLDER) {
            say!("{EXPLANATION}");
        }
    }

    /// Prints how others reach what is bound to an address, if it does not say so itself: `what`,
    /// and the address.
    pub(crate) async fn print(what: &str, bound: &NodeAddress) {
        let reached = Self::find().await.address(bound);
        if reached != *bound {
            say!("{what} {reached}");
            Self::explain(&reached.text);
        }
    }
}

/// Whether an address has the placeholder in it.
pub(crate) fn is_placeholder(address: &str) -> bool {
    address.contains(PLACEHOLDER)
}

/// Whether an address may be that of this machine for another one.
fn is_of_others(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !ip.is_loopback() && !ip.is_unspecified()
}

impl From<SocketAddr> for NodeAddress {
    fn from(bound: SocketAddr) -> Self {
        Self { transport: ockam::TCP, text: bound.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_become_the_name() {
        let named = Elsewhere { host: Some("here.example.org".into()) };
        let nameless = Elsewhere { host: None };
        for (bound, with_name, without) in [
            ("0.0.0.0:4000", "here.example.org:4000", "YOUR-HOST:4000"),
            ("[::]:4000", "here.example.org:4000", "YOUR-HOST:4000"),
            ("10.0.0.1:4000", "10.0.0.1:4000", "10.0.0.1:4000"),
            ("unix:/0.0.0.0:1", "unix:/0.0.0.0:1", "unix:/0.0.0.0:1"),
        ] {
            let bound: NodeAddress = bound.parse().unwrap();
            assert_eq!(named.address(&bound).to_string(), with_name);
            assert_eq!(nameless.address(&bound).to_string(), without);
        }
    }
}
