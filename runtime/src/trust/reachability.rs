//! Who may reach what: one pure function that every delivery passes through.
//!
//! | worker \ origin | this node | secure channel | listener | outgoing connection |
//! |---|---|---|---|---|
//! | [`Class::Internal`] | yes | no | no | no |
//! | [`Class::Reply`] | yes | yes | yes | yes |
//! | [`Class::ChannelListener`] | yes | yes | yes | if it is a forwarder's destination |
//! | [`Class::Service`], [`Class::Forwarder`] | yes | yes | yes | no |
//! | [`Class::User`] | yes | yes | if exposed, or loopback and no secure channel listener | if it is a forwarder's destination |
//!
//! The peer of a secure channel that this node opened, and over which it registered a forwarder, is
//! a hub too: it reaches what the last column says.
//!
//! An address for reply to a worker that has a name is of [`Class::Reply`] too, but admits only
//! what comes in by the ingress that it was given to.

pub mod listing;

pub use listing::{Entrance, Listening, Reach, Reachability, Reachable};

use std::fmt;

use crate::{
    address::Address,
    trust::origin::{Door, Origin},
};

/// The kind of worker at an address, which decides how it is reached from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Never reached from outside: addresses that dial, channels that the node opened, mailboxes of
    /// programs.
    Internal,
    /// An address of 128 random bits, told only to those who are to answer.
    Reply,
    /// A secure channel listener: it trusts nobody before the handshake.
    ChannelListener,
    /// A service for anybody, such as the forwarding service.
    Service,
    /// A forwarder, which delivers to the peer that asked for it.
    Forwarder,
    /// A worker that a program named, such as `outlet`.
    User,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachabilityRule {
    /// Internal workers are for this node alone.
    InternalIsLocal,
    /// Only routes that were built on this node dial.
    OnlyLocalRoutesDial,
    /// From a plain listener, named workers are reached only when exposed, or on loopback while
    /// the node has no secure channel listener.
    NotExposed,
    /// The peer of an outgoing connection may only answer and reach its forwarders' destinations.
    NotADestination,
    /// The worker's own access rule refused.
    WorkerRefused,
    /// An address for reply is used through another connection or channel than the one that it was
    /// given to.
    OtherIngress,
}

impl ReachabilityRule {
    /// All rules, in the order of their counters.
    pub const ALL: [Self; 6] = [
        Self::InternalIsLocal,
        Self::OnlyLocalRoutesDial,
        Self::NotExposed,
        Self::NotADestination,
        Self::WorkerRefused,
        Self::OtherIngress,
    ];

    /// The name under which a refusal is counted and logged.
    pub fn name(self) -> &'static str {
        match self {
            Self::InternalIsLocal => "internal-is-local",
            Self::OnlyLocalRoutesDial => "only-local-routes-dial",
            Self::NotExposed => "not-exposed",
            Self::NotADestination => "not-a-destination",
            Self::WorkerRefused => "worker-refused",
            Self::OtherIngress => "other-ingress",
        }
    }
}

impl fmt::Display for ReachabilityRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Decides whether a message from `origin` may be delivered to the worker at `address`.
///
/// `guarded` says whether the node has a secure channel listener, in which case its named workers
/// are meant to be reached through that alone.
///
/// # Errors
/// The [`ReachabilityRule`] that refuses.
pub fn admit(
    address: &Address,
    class: Class,
    origin: &Origin,
    guarded: bool,
) -> Result<(), ReachabilityRule> {
    let Origin::Remote(ingress) = origin else { return Ok(()) };
    match (class, &ingress.door) {
        (Class::Internal, _) => Err(ReachabilityRule::InternalIsLocal),
        (Class::Reply, _) => Ok(()),
        // A hub has only the rights of a hub, also when it is reached through a channel.
        (_, Door::Channel { grants: Some(hub), .. }) if hub.is_used() => {
            let open =
                matches!(class, Class::ChannelListener | Class::User) && hub.contains(address);
            open.then_some(()).ok_or(ReachabilityRule::NotADestination)
        }
        (_, Door::Channel { .. }) => Ok(()),
        (Class::ChannelListener | Class::Service | Class::Forwarder, Door::Listener { .. }) => {
            Ok(())
        }
        (Class::User, Door::Listener { loopback, exposed }) => {
            let open = exposed.contains(address) || (*loopback && !guarded);
            open.then_some(()).ok_or(ReachabilityRule::NotExposed)
        }
        (Class::ChannelListener | Class::User, Door::Outgoing { grants, .. })
            if grants.contains(address) =>
        {
            Ok(())
        }
        (_, Door::Outgoing { .. }) => Err(ReachabilityRule::NotADestination),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        address::identifier::Identifier,
        trust::origin::{HubGrants, Ingress},
    };
    use std::{collections::HashSet, sync::Arc};

    fn from(door: Door) -> Origin {
        Origin::Remote(Arc::new(Ingress { via: Address::random(), door, source: None }))
    }

    fn listener(loopback: bool, exposed: &[&str]) -> Origin {
        let exposed: HashSet<_> = exposed.iter().map(|a| Address::from(*a)).collect();
        from(Door::Listener { loopback, exposed: Arc::new(exposed) })
    }

    fn outgoing(destination: &str) -> Origin {
        let grants = Arc::new(HubGrants::default());
        grants.permit(destination.into());
        from(Door::Outgoing { dialled: "tcp#hub:4000".into(), grants })
    }

    fn channel() -> Origin {
        let peer = Identifier::from_bytes([7; 32]);
        from(Door::Channel { peer, channel: "channel".into(), grants: None })
    }

    /// A channel that this node opened, to a peer that forwards to `destination`.
    fn hub_channel(destination: Option<&str>) -> Origin {
        let grants = Arc::new(HubGrants::default());
        if let Some(destination) = destination {
            grants.permit(destination.into());
        }
        let peer = Identifier::from_bytes([7; 32]);
        let grants = Some(grants);
        from(Door::Channel { peer, channel: "channel".into(), grants })
    }

    #[test]
    fn a_hub_through_a_channel_is_a_hub() {
        use Class::{ChannelListener, Forwarder, Internal, Reply, Service, User};
        let classes = [Internal, Reply, ChannelListener, Service, Forwarder, User];
        for class in classes {
            for destination in ["w", "other"] {
                let of = |origin| admit(&"w".into(), class, &origin, true);
                let (channel, plain) = (hub_channel(Some(destination)), outgoing(destination));
                assert_eq!(of(channel), of(plain), "{class:?} with the destination {destination}");
            }
            let asked_for_none = admit(&"w".into(), class, &hub_channel(None), true);
            assert_eq!(asked_for_none, admit(&"w".into(), class, &channel(), true), "{class:?}");
        }
    }

    #[test]
    fn admit_decides_as_the_modules_table_says() {
        use Class::{ChannelListener, Forwarder, Internal, Reply, Service, User};
        let origins = [
            Origin::Local,
            channel(),
            listener(false, &[]),
            listener(true, &[]),
            listener(false, &["w"]),
            outgoing("other"),
            outgoing("w"),
        ];
        let (yes, no) = (true, false);
        // Without a secure channel listener on the node, then with one.
        let table = [
            (Internal, no, [yes, no, no, no, no, no, no]),
            (Reply, no, [yes, yes, yes, yes, yes, yes, yes]),
            (ChannelListener, no, [yes, yes, yes, yes, yes, no, yes]),
            (Service, no, [yes, yes, yes, yes, yes, no, no]),
            (Forwarder, no, [yes, yes, yes, yes, yes, no, no]),
            (User, no, [yes, yes, no, yes, yes, no, yes]),
            (User, yes, [yes, yes, no, no, yes, no, yes]),
        ];
        for (class, guarded, expected) in table {
            for (origin, expected) in origins.iter().zip(expected) {
                let admitted = admit(&"w".into(), class, origin, guarded).is_ok();
                assert_eq!(admitted, expected, "{class:?} from {origin:?}, guarded: {guarded}");
            }
        }
    }
}
