//! Why a hub refuses a request for a forwarder.

/// Why a hub refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationRefusal {
    /// The request is malformed.
    #[error("the request is malformed")]
    Malformed,
    /// The return route is not one that a forwarder can use.
    #[error("no forwarder can be made for the route that the request came by")]
    Route,
    /// The connection asked too often.
    #[error("this connection has asked too often, try again later")]
    TooOften,
    /// The connection has as many forwarders as one may have.
    #[error("this connection has as many forwarders as one may have")]
    ConnectionFull,
    /// The hub has as many forwarders as it may have.
    #[error("the hub has as many forwarders as it may have")]
    HubFull,
    /// The proof does not fit the claim, or came too late.
    #[error("the proof does not fit the address that is claimed")]
    ProofWrong,
    /// A newer key of the same identity holds the address.
    #[error("a newer key of this identity holds the address")]
    KeyReplaced,
    /// There is no such forwarder of this connection.
    #[error("there is no such forwarder of this connection")]
    NoForwarder,
    /// The source address, which many connections may share, has as many forwarders as one may
    /// have.
    #[error("this network address has as many forwarders as one may have")]
    SourceFull,
    /// The connections of the source address asked too often together.
    #[error("this network address has asked too often, try again later")]
    SourceTooOften,
    /// A newer registration of the same identity and service has the address.
    #[error("a newer registration of this identity and service has the address")]
    Displaced,
    /// Two histories of the identity are known that exclude each other.
    #[error(
        "two different key histories of this identity are known to the hub, and both are refused \
         until its operator says which one is right"
    )]
    Forked,
    /// The hub stops soon.
    #[error("the hub stops soon and registers nobody any more")]
    Leaving,
    /// The hub cannot make the forwarder, through no fault of the node.
    #[error("the hub cannot make the forwarder, for a reason of its own that its log names")]
    Internal,
    /// A reason that this version does not know.
    #[error("reason {0}")]
    Unknown(u32),
}

impl RegistrationRefusal {
    /// All reasons that this version knows, in the order of their codes.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::Route,
        Self::TooOften,
        Self::ConnectionFull,
        Self::HubFull,
        Self::ProofWrong,
        Self::KeyReplaced,
        Self::NoForwarder,
        Self::SourceFull,
        Self::SourceTooOften,
        Self::Displaced,
        Self::Forked,
        Self::Leaving,
        Self::Internal,
    ];

    /// Its number on the wire.
    pub fn code(self) -> u32 {
        match self {
            Self::Malformed => 0,
            Self::Route => 1,
            Self::TooOften => 2,
            Self::ConnectionFull => 3,
            Self::HubFull => 4,
            Self::ProofWrong => 5,
            Self::KeyReplaced => 6,
            Self::NoForwarder => 7,
            Self::SourceFull => 8,
            Self::SourceTooOften => 9,
            Self::Displaced => 10,
            Self::Forked => 11,
            Self::Leaving => 12,
            Self::Internal => 13,
            Self::Unknown(code) => code,
        }
    }

    pub(in crate::forwarder) fn from_code(code: u32) -> Self {
        Self::ALL.into_iter().find(|known| known.code() == code).unwrap_or(Self::Unknown(code))
    }

    /// The name of the rule under which it is counted and logged.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Malformed => "registration-malformed",
            Self::Route => "registration-route",
            Self::TooOften => "registration-too-often",
            Self::ConnectionFull => "registration-connection-full",
            Self::HubFull => "registration-hub-full",
            Self::ProofWrong => "registration-proof-wrong",
            Self::KeyReplaced => "registration-key-replaced",
            Self::NoForwarder => "registration-no-forwarder",
            Self::SourceFull => "registration-source-full",
            Self::SourceTooOften => "registration-source-too-often",
            Self::Displaced => "registration-displaced",
            Self::Forked => "registration-forked",
            Self::Leaving => "registration-leaving",
            Self::Internal => "registration-internal",
            Self::Unknown(_) => "registration-unknown",
        }
    }
}
