//! Errors, by whose fault they are.

use std::{fmt, io, time::Duration};

use crate::{
    address::{identifier::ParseIdentifierError, route::RouteError, Address, AddressError},
    message::notice::Notice,
    text::Shown,
};

/// The result of most functions of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault an [`Error`] is, and so who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// Another node sent, answered or refused something.
    Peer,
    /// The program that called the library.
    Caller,
    /// The network or the operating system.
    Transport,
    /// The library itself.
    Bug,
}

/// What went wrong, naming the thing and, where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A text or a list is not a route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A text is not an identifier.
    #[error(transparent)]
    Identifier(#[from] ParseIdentifierError),
    /// Two workers want the same address.
    #[error("the address \"{0}\" is in use on this node: choose another name or stop that worker")]
    AddressInUse(Address),
    /// A worker was to have an address that stands for a peer.
    #[error(
        "the address \"{0}\" cannot be the name of a worker: with \"#\" it stands for a peer, to which \
         a transport connects. Choose a name without \"#\""
    )]
    ReservedAddress(Address),
    /// Nothing is registered at an address of this node.
    #[error(
        "no worker has the address \"{0}\" on this node: check the spelling, or start it first"
    )]
    NoWorker(Address),
    /// A worker that is to be stopped, or to do something, has ended before.
    #[error("the worker \"{0}\" has already ended")]
    WorkerEnded(Address),
    /// A route starts with an address that no transport of this node can dial.
    #[error(
        "no transport can dial \"{0}\": create the transport first, for example with \
         TcpTransport::create"
    )]
    NoTransport(Address),
    /// The route given has no addresses.
    #[error("the route is empty: give at least one address")]
    EmptyRoute,
    /// More bytes than fit into one message.
    #[error(
        "the body has {length} bytes, and one message carries at most {limit}: send it in parts, or \
         through an inlet and an outlet. Bytes are shorter as a `Payload`, or with `serde_bytes`"
    )]
    TooLarge {
        /// Its bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Something was not to wait for room, and there is none.
    #[error(
        "there is no room for another message to \"{hop}\" now: try later, or wait with `send`"
    )]
    NoRoom {
        /// The first address of the message's route.
        hop: Address,
    },
    /// A body could not be encoded.
    #[error("the message body cannot be encoded as MessagePack")]
    Encode(#[source] rmp_serde::encode::Error),
    /// A body is not of the type that was asked for.
    #[error("the body of a message from {from} is no `{expected}`: {source}")]
    Decode {
        /// Where it came from.
        from: String,
        /// The name of the type that was expected.
        expected: &'static str,
        /// What does not fit.
        #[source]
        source: rmp_serde::decode::Error,
    },
    /// A message could not be delivered.
    #[error("the message could not be delivered: {0}")]
    Undeliverable(Notice),
    /// Nothing arrived in time.
    #[error("timed out after {limit:?} of waiting for {waited_for}")]
    TimedOut {
        /// What was waited for.
        waited_for: String,
        /// How long.
        limit: Duration,
    },
    /// The network or the operating system refused.
    #[error("{what}: {source}")]
    Transport {
        /// What was being done, to which peer or file.
        what: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another node broke the protocol or refused.
    #[error("{who} {what}")]
    Peer {
        /// Which one.
        who: String,
        /// What it did.
        what: String,
    },
    /// The arguments of a call make no sense together.
    #[error("{0}")]
    Usage(String),
    /// The node has been stopped, or has ended with the actix `System` that it was started in.
    #[error("the node is stopped")]
    Stopped,
    /// An error of the program's own, passed through.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// An invariant of the library does not hold.
    #[error("a bug in the library, please report it: {0}")]
    Bug(String),
}

impl Error {
    /// Whose fault it is.
    pub fn culprit(&self) -> Culprit {
        match self {
            Self::Address(_)
            | Self::Route(_)
            | Self::Identifier(_)
            | Self::AddressInUse(_)
            | Self::ReservedAddress(_)
            | Self::NoWorker(_)
            | Self::WorkerEnded(_)
            | Self::NoTransport(_)
            | Self::EmptyRoute
            | Self::TooLarge { .. }
            | Self::NoRoom { .. }
            | Self::Encode(_)
            | Self::Usage(_)
            | Self::Stopped
            | Self::Other(_) => Culprit::Caller,
            Self::Decode { .. }
            | Self::Undeliverable(_)
            | Self::TimedOut { .. }
            | Self::Peer { .. } => Culprit::Peer,
            Self::Transport { .. } => Culprit::Transport,
            Self::Bug(_) => Culprit::Bug,
        }
    }

    /// An error of the network or the operating system while doing `what`.
    pub fn transport(what: impl Into<String>, source: io::Error) -> Self {
        Self::Transport { what: what.into(), source }
    }

    /// What cannot be listened on: why not, and what to do.
    pub fn not_bound(address: impl fmt::Display, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "end the program that listens there, or choose another address"
            }
            io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
            io::ErrorKind::PermissionDenied => {
                "this user may not: ports below 1024 take root or CAP_NET_BIND_SERVICE, and a \
                 socket a directory that may be written"
            }
            _ => return Self::transport(format!("cannot listen on {address}"), source),
        };
        let source = io::Error::new(source.kind(), format!("{source}; {hint}"));
        Self::transport(format!("cannot listen on {address}"), source)
    }

    /// The error and its causes on one line. What cannot be seen is escaped, as parts of it may
    /// come from a peer.
    pub fn one_line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            cause = error.source();
        }
        Shown(&line.replace('\n', " ")).to_string()
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Other(Box::new(error))
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Other(error)
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::Usage(text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::Usage(text.to_owned())
    }
}
