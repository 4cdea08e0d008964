//! Where a WebSocket is: the text after the `#` of an address.

use ockam_actix_runtime::{Error, Result};

use crate::tcp;

/// A host, a port, and mostly no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    pub(super) host_and_port: &'a str,
    /// With its slash.
    pub(super) path: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    /// Takes the text of an address of `transport` apart.
    pub(super) fn parse(transport: &str, text: &'a str) -> Result<Self> {
        let (host_and_port, path) = match text.find('/') {
            Some(slash) => (&text[..slash], Some(&text[slash..])),
            None => (text, None),
        };
        // What ends a path, or is not to be seen, has no place in it.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"#?,\"<>\\^`{|}".contains(&byte);
        let well_formed = path.is_none_or(|path| path.bytes().all(is_plain));
        if well_formed && tcp::check_peer(host_and_port).is_ok() {
            return Ok(Self { host_and_port, path });
        }
        Err(Error::Usage(format!(
            "\"{text}\" is not an address of the transport {transport}: expected host:port or \
             host:port/path, such as example.org:443/node"
        )))
    }

    /// The name of the host, or its address without brackets.
    #[cfg(feature = "tls")]
    pub(super) fn host(&self) -> &'a str {
        let host = self.host_and_port.rsplit_once(':').map_or(self.host_and_port, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_follow_the_port() {
        let parsed = |text| Endpoint::parse("ws", text).unwrap();
        let with = |host_and_port, path| Endpoint { host_and_port, path };
        assert_eq!(parsed("a.example:80"), with("a.example:80", None));
        assert_eq!(parsed("[::1]:80/"), with("[::1]:80", Some("/")));
        assert_eq!(parsed("a:80/b/c%20d"), with("a:80", Some("/b/c%20d")));
        for text in ["a", "a/b", "a:80b", "a:80/b c", "a:80/b?c", "ws://a:80", "a:80/ä", "a:80/b\n"]
        {
            let error = Endpoint::parse("ws", text).unwrap_err().to_string();
            assert!(error.contains("host:port/path"), "{error}");
        }
    }
}
