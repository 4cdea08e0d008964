//! The first bytes to a target that is to know where its client comes from, as the
//! [PROXY protocol](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt) has them.

use std::str::FromStr;

use ockam_actix_runtime::Error;
use proxy_header::{ProxiedAddress, ProxyHeader};

use crate::portal::protocol::introduction::ClientAddresses;

/// A version of the PROXY protocol, in which an outlet tells its target of each client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Bytes.
    V2,
}

impl ProxyProtocol {
    /// What the target is told first: `UNKNOWN`, or `LOCAL`, of a client without addresses.
    pub(crate) fn header(self, client: Option<ClientAddresses>) -> Vec<u8> {
        let header = match client {
            Some(ClientAddresses { client, server }) => {
                ProxyHeader::with_address(ProxiedAddress::stream(client, server))
            }
            None => ProxyHeader::with_local(),
        };
        let mut bytes = Vec::new();
        let encoded = match self {
            Self::V1 => header.encode_v1(&mut bytes),
            Self::V2 => header.encode_v2(&mut bytes),
        };
        encoded.expect("a vector grows, and both addresses are of one family");
        bytes
    }
}

impl FromStr for ProxyProtocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err(Error::Usage(format!("\"{text}\" is neither v1 nor v2"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: ProxyProtocol, ends: [&str; 2]) -> Vec<u8> {
        let [client, server] = ends.map(|end| end.parse().unwrap());
        version.header(Some(ClientAddresses { client, server }))
    }

    /// The examples of the specification, sections 2.1 and 2.2.
    #[test]
    fn headers_are_as_specified() {
        let [v4, v6] = [["192.168.0.1:56324", "192.168.0.11:443"], ["[2001:db8::1]:1", "[::1]:2"]];
        assert_eq!(
            header(ProxyProtocol::V1, v4),
            b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
        );
        assert_eq!(header(ProxyProtocol::V1, v6), b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n");
        assert_eq!(ProxyProtocol::V1.header(None), b"PROXY UNKNOWN\r\n");
        let signature = b"\r\n\r\n\0\r\nQUIT\n";
        let addresses = [192, 168, 0, 1, 192, 168, 0, 11, 0xdc, 0x04, 1, 187];
        let expected = [&signature[..], &[0x21, 0x11, 0, 12], &addresses].concat();
        assert_eq!(header(ProxyProtocol::V2, v4), expected);
        assert_eq!(header(ProxyProtocol::V2, v6)[12..16], [0x21, 0x21, 0, 36]);
        let local = ProxyProtocol::V2.header(None);
        assert_eq!((local[..12].to_vec(), local[12]), (signature.to_vec(), 0x20));
        assert_eq!(local.len(), 16 + usize::from(u16::from_be_bytes([local[14], local[15]])));
    }
}
