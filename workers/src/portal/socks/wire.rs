//! The messages of SOCKS5, from and to bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::portal::protocol::reason::StreamRefusal;

const VERSION: u8 = 5;
const WITHOUT_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;

/// The answer to a greeting: no authentication, or none of what the client offers.
pub(crate) const ACCEPTED: [u8; 2] = [VERSION, WITHOUT_AUTHENTICATION];
pub(crate) const NONE_ACCEPTED: [u8; 2] = [VERSION, 0xff];

/// What the beginning of a message is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read<T> {
    /// So many bytes belong to it at least.
    Needs(usize),
    /// All of it.
    Done(T),
}

/// Why a client is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    #[error("it does not speak SOCKS5: its first byte is {0:#04x}")]
    NotSocks(u8),
    #[error("it speaks SOCKS, but not version 5")]
    OtherVersion,
    #[error("it insists on authentication, which there is none of here")]
    Authentication,
    #[error("it asks for command {0} of SOCKS; only CONNECT is served")]
    Command(u8),
    #[error("it names a server by an address of unknown type {0}")]
    AddressType(u8),
    #[error("the server that it names is none")]
    Server,
}

impl Fault {
    /// The reply that says so, if one is due.
    pub(crate) const fn reply(self) -> Option<Reply> {
        match self {
            Self::NotSocks(_) | Self::OtherVersion | Self::Authentication => None,
            Self::Command(_) => Some(Reply::NoSuchCommand),
            Self::AddressType(_) => Some(Reply::NoSuchAddressType),
            Self::Server => Some(Reply::HostUnreachable),
        }
    }
}

/// How a request ends, by the codes of section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Connected = 0,
    Failed = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    Refused = 5,
    TimedOut = 6,
    NoSuchCommand = 7,
    NoSuchAddressType = 8,
}

impl Reply {
    /// It on the wire; nobody needs the address that the outlet connected from.
    pub(crate) const fn bytes(self) -> [u8; 10] {
        [VERSION, self as u8, 0, 1, 0, 0, 0, 0, 0, 0]
    }
}

impl From<StreamRefusal> for Reply {
    fn from(refusal: StreamRefusal) -> Self {
        match refusal {
            StreamRefusal::TargetRefused => Self::Refused,
            StreamRefusal::NameUnknown | StreamRefusal::NameUnresolved => Self::HostUnreachable,
            StreamRefusal::Unreachable => Self::NetworkUnreachable,
            StreamRefusal::TimedOut => Self::TimedOut,
            StreamRefusal::NotAllowed => Self::NotAllowed,
            _ => Self::Failed,
        }
    }
}

/// Reads the greeting: whether the client does without authentication.
pub(crate) fn greeting(bytes: &[u8]) -> Result<Read<bool>, Fault> {
    let Some((head, methods)) = bytes.split_first_chunk::<2>() else { return Ok(Read::Needs(2)) };
    check_version(head[0])?;
    let count = usize::from(head[1]);
    match methods.get(..count) {
        Some(methods) => Ok(Read::Done(methods.contains(&WITHOUT_AUTHENTICATION))),
        None => Ok(Read::Needs(2 + count)),
    }
}

/// Reads the request: the server that the client names, as `host:port`.
pub(crate) fn request(bytes: &[u8]) -> Result<Read<String>, Fault> {
    // The last of these is the first of the address, or the length of a name.
    const HEAD: usize = 5;
    let Some((head, _)) = bytes.split_first_chunk::<HEAD>() else { return Ok(Read::Needs(HEAD)) };
    let [version, command, _, kind, first] = *head;
    check_version(version)?;
    let (start, length) = match kind {
        1 => (4, 4),
        3 => (HEAD, usize::from(first)),
        4 => (4, 16),
        other => return Err(Fault::AddressType(other)),
    };
    let (Some(host), Some(port)) =
        (bytes.get(start..start + length), bytes.get(start + length..start + length + 2))
    else {
        return Ok(Read::Needs(start + length + 2));
    };
    if command != CONNECT {
        return Err(Fault::Command(command));
    }
    let host = match (kind, <[u8; 4]>::try_from(host), <[u8; 16]>::try_from(host)) {
        (1, Ok(address), _) => Ipv4Addr::from(address).to_string(),
        (4, _, Ok(address)) => format!("[{}]", Ipv6Addr::from(address)),
        _ => name(host)?,
    };
    Ok(Read::Done(format!("{host}:{}", u16::from_be_bytes([port[0], port[1]]))))
}

/// A name, or an address that is written out.
fn name(bytes: &[u8]) -> Result<String, Fault> {
    let name = std::str::from_utf8(bytes).map_err(|_| Fault::Server)?;
    Ok(match name.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => name.to_owned(),
    })
}

fn check_version(version: u8) -> Result<(), Fault> {
    match version {
        VERSION => Ok(()),
        4 => Err(Fault::OtherVersion),
        other => Err(Fault::NotSocks(other)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(tail: &[u8]) -> Result<Read<String>, Fault> {
        request(&[&[5, 1, 0], tail].concat())
    }

    fn server(text: &str) -> Result<Read<String>, Fault> {
        Ok(Read::Done(text.to_owned()))
    }

    #[test]
    fn servers_are_named_in_three_ways() {
        assert_eq!(asked(&[1, 127, 0, 0, 1, 0, 80]), server("127.0.0.1:80"));
        assert_eq!(asked(b"\x03\x0bdb.internal\x15\x38"), server("db.internal:5432"));
        let loopback = [&[4][..], &[0; 15], &[1, 0x01, 0xbb]].concat();
        assert_eq!(asked(&loopback), server("[::1]:443"));
        assert_eq!(asked(b"\x03\x03::1\x00\x50"), server("[::1]:80"));
        assert_eq!(asked(b"\x03\x00\x00\x50"), server(":80"));
        assert_eq!(asked(b"\x03\x01\xff\x00\x50"), Err(Fault::Server));
    }

    #[test]
    fn what_is_not_served_is_told_apart() {
        assert_eq!(greeting(&[5, 2, 2, 0]), Ok(Read::Done(true)));
        assert_eq!(greeting(&[5, 1, 2]), Ok(Read::Done(false)));
        assert_eq!(greeting(&[5, 0]), Ok(Read::Done(false)));
        assert_eq!(greeting(&[4, 1]), Err(Fault::OtherVersion));
        assert_eq!(greeting(b"GET "), Err(Fault::NotSocks(b'G')));
        let bind = request(&[5, 2, 0, 1, 127, 0, 0, 1, 0, 80]);
        assert_eq!(bind, Err(Fault::Command(2)));
        assert_eq!(asked(&[2, 0]), Err(Fault::AddressType(2)));
        assert_eq!(Fault::Command(2).reply().map(|reply| reply.bytes()[1]), Some(7));
    }

    #[test]
    fn refusals_have_their_codes() {
        for (refusal, code) in [(1, 5), (2, 4), (3, 3), (4, 6), (5, 2), (6, 1), (7, 1), (8, 4)] {
            let reply = Reply::from(StreamRefusal::from_code(refusal));
            assert_eq!(reply.bytes(), [5, code, 0, 1, 0, 0, 0, 0, 0, 0], "{refusal}");
        }
    }

    /// Reads a message as an inlet does: never more than is known to belong to it.
    fn read<T: PartialEq + std::fmt::Debug>(
        bytes: &[u8],
        parse: impl Fn(&[u8]) -> Result<Read<T>, Fault>,
    ) -> Option<(Result<T, Fault>, usize)> {
        let mut taken = 0;
        for _ in 0..5 {
            match parse(&bytes[..taken]) {
                Ok(Read::Done(done)) => return Some((Ok(done), taken)),
                Err(fault) => return Some((Err(fault), taken)),
                Ok(Read::Needs(more)) => {
                    assert!(more > taken && more <= 262, "{more} after {taken}");
                    taken = more;
                    if taken > bytes.len() {
                        return None;
                    }
                }
            }
        }
        panic!("it needs more reads than it has parts");
    }

    proptest! {
        #[test]
        fn anything_is_read_in_few_bounded_steps(
            version in prop_oneof![Just(5u8), any::<u8>()],
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [vec![version], bytes].concat();
            read(&bytes, greeting);
            read(&bytes, request);
        }

        #[test]
        fn nothing_past_a_request_is_read(
            name in "[a-z.]{1,255}",
            port: u16,
            more in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let head = [5, 1, 0, 3, name.len() as u8];
            let bytes = [&head[..], name.as_bytes(), &port.to_be_bytes()].concat();
            let expected = Some((Ok(format!("{name}:{port}")), bytes.len()));
            prop_assert_eq!(read(&[&bytes[..], &more].concat(), request), expected);
        }
    }
}
