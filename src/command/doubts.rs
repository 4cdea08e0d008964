//! What a configuration names outside of itself and may still come: it is said, and no mistake.

use std::{net::ToSocketAddrs, path::Path};

use ockam::UNIX;

use crate::command::node_address::NodeAddress;

/// The doubts so far, each a text for a person.
#[derive(Default)]
pub(crate) struct Doubts(pub(crate) Vec<String>);

impl Doubts {
    /// Looks for the nodes that are to be connected to.
    pub(crate) fn nodes(&mut self, all: &[NodeAddress]) {
        for NodeAddress { transport, text } in all {
            match *transport == UNIX {
                true => self.socket(text),
                false => self.host(text.split('/').next().unwrap_or_default()),
            }
        }
    }

    /// Looks for the target of an outlet; patterns permit what is not known before.
    pub(crate) fn target(&mut self, target: &str) {
        let has_patterns = target.contains(['*', ',']) || target.matches('/').count() == 1;
        match target.strip_prefix("unix:") {
            Some(path) => self.socket(path),
            None if has_patterns => {}
            None => self.host(target.trim_start_matches("udp://")),
        }
    }

    fn socket(&mut self, path: &str) {
        if !Path::new(path).exists() {
            self.0.push(format!("there is no socket {path} yet"));
        }
    }

    fn host(&mut self, address: &str) {
        if let Err(error) = address.to_socket_addrs() {
            self.0.push(format!("{address} does not resolve here: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_doubted() {
        let mut doubts = Doubts::default();
        for target in ["127.0.0.1:1", "udp://[::1]:2", "*.web.internal:443", "10.1.0.0/16:*"] {
            doubts.target(target);
        }
        assert_eq!(doubts.0, [""; 0]);
        doubts.target("unix:/no/such/socket");
        doubts.target("name.invalid:80");
        assert_eq!(doubts.0.len(), 2);
    }
}
