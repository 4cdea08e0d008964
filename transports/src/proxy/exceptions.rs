//! The peers that are connected to without a proxy.

use std::net::IpAddr;

use ipnet::IpNet;
use ockam_actix_runtime::socket::host_port::{is_name, is_within, HostPort};

/// A list as in `NO_PROXY`.
#[derive(Clone, Debug, Default)]
pub(super) struct Exceptions(Vec<Exception>);

#[derive(Clone, Debug)]
struct Exception {
    hosts: Hosts,
    /// Only this port, or all.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    Network(IpNet),
    /// A name and all below it.
    Domain(String),
}

impl Exceptions {
    /// Reads a list with commas, or spaces, between its entries.
    ///
    /// # Errors
    /// Which entry is none, and what is expected.
    pub(super) fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(|sign: char| sign == ',' || sign.is_whitespace());
        let parse = |entry: &str| {
            Exception::parse(entry).ok_or_else(|| {
                format!(
                    "\"{entry}\" stands for no peer; expected example.org for it and all below \
                     it, an address, a network such as 10.0.0.0/8, or * for all"
                )
            })
        };
        entries.filter(|entry| !entry.is_empty()).map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `peer` is one of them. Names are not looked up: they are in no network.
    pub(super) fn contain(&self, peer: &HostPort<'_>) -> bool {
        let ip = peer.ip().map(|ip| ip.to_canonical());
        self.0.iter().any(|Exception { hosts, port }| {
            let is_host = match (hosts, ip) {
                (Hosts::All, _) => true,
                (Hosts::Network(network), Some(ip)) => network.contains(&ip),
                (Hosts::Domain(domain), None) => is_within(peer.host, domain),
                _ => false,
            };
            is_host && port.is_none_or(|port| port == peer.port)
        })
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let hosts = Hosts::parse(entry);
        if let Some(hosts) = hosts {
            return Some(Self { hosts, port: None });
        }
        let (hosts, port) = entry.rsplit_once(':')?;
        Some(Self { hosts: Hosts::parse(hosts)?, port: Some(port.parse().ok()?) })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if text.contains('/') {
            return text.parse().ok().map(Self::Network);
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Some(Self::Network(ip.to_canonical().into()));
        }
        let domain = text.strip_prefix('*').unwrap_or(text);
        let domain = domain.trim_start_matches('.').trim_end_matches('.');
        is_name(domain).then(|| Self::Domain(domain.to_owned()))
    }
}
