//! Trust policies: who may be at the other end of a channel.
//!
//! A policy sees only verified identifiers and answers with a [`Decision`] whose reason goes into
//! logs and errors. Any `Fn(&TrustContext) -> bool` (or `-> Decision`) is a policy too:
//!
//! ```
//! # use ockam_actix_runtime::address::identifier::Identifier;
//! # use ockam_actix_workers::identity::policy::{TrustContext, TrustEveryonePolicy, TrustIdentifierPolicy, TrustPolicy};
//! # let alice = Identifier::from_bytes([1; 32]);
//! let not_myself = |context: &TrustContext| context.peer != context.own;
//! let policy = TrustIdentifierPolicy::new(alice).or(TrustEveryonePolicy).and(not_myself);
//! assert!(policy.check(&TrustContext::new(Identifier::from_bytes([2; 32]), alice)).is_trusted());
//! ```

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use crate::identity::Identity;
use ockam_actix_runtime::address::identifier::Identifier;

#[cfg(test)]
mod tests;

/// What a policy may base its decision on. More may be added, so build it with
/// [`TrustContext::new`] or [`TrustContext::of`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrustContext {
    /// The identity that asks.
    pub own: Identifier,
    /// The identity that has proved itself at the other end.
    pub peer: Identifier,
    /// The same peer with the verified history of its keys; `None` where only the identifier is
    /// known.
    pub identity: Option<Identity>,
}

impl TrustContext {
    /// `own` asks whether to trust `peer`.
    #[must_use]
    pub fn new(own: Identifier, peer: Identifier) -> Self {
        Self { own, peer, identity: None }
    }

    /// `own` asks whether to trust `identity`, which has proved itself.
    #[must_use]
    pub fn of(own: Identifier, identity: Identity) -> Self {
        Self { own, peer: identity.identifier(), identity: Some(identity) }
    }
}

/// The answer of a policy. `Display` gives the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// The channel may be used.
    Trusted,
    /// It may not, for this reason.
    Rejected(Rejection),
}

/// Why a policy does not trust a peer. `Display` gives the reason, for logs and errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    reason: Cow<'static, str>,
    is_admission: bool,
}

impl Rejection {
    /// Whether the peer is trusted as soon as that is written down, and so at its next attempt.
    #[must_use]
    pub fn is_admission(&self) -> bool {
        self.is_admission
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Decision {
    /// A rejection with its reason: one clause without a full stop.
    pub fn reject(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Rejected(Rejection { reason: reason.into(), is_admission: false })
    }

    /// The rejection of a peer that is trusted as soon as that is written down.
    pub(crate) fn admit(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Rejected(Rejection { reason: reason.into(), is_admission: true })
    }

    /// Whether the peer is trusted.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Trusted)
    }
}

impl From<bool> for Decision {
    fn from(trusted: bool) -> Self {
        match trusted {
            true => Self::Trusted,
            false => Self::reject("the policy said no"),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted => f.write_str("trusted"),
            Self::Rejected(rejection) => rejection.fmt(f),
        }
    }
}

/// Decides whether an authenticated peer is also a trusted one.
pub trait TrustPolicy: Send + Sync + 'static {
    /// Decides about one peer. It is called in the middle of a handshake: it must be quick and must
    /// not block.
    fn check(&self, context: &TrustContext) -> Decision;

    /// The part of [`check`](Self::check) that needs nothing but the two identifiers. It is asked
    /// before the history of the peer's keys is verified, which costs, and whom it rejects, `check`
    /// must reject too. By default it leaves everything to `check`.
    fn precheck(&self, context: &TrustContext) -> Decision {
        let _ = context;
        Decision::Trusted
    }

    /// Whether it trusts whoever proves any identity, so that nothing but a pin keeps out a node in
    /// the middle. Used only to warn; `false` where that is not known.
    fn trusts_everyone(&self) -> bool {
        false
    }

    /// The one identity that it was pinned to. Used only to explain why nobody else is accepted.
    fn pin(&self) -> Option<Identifier> {
        None
    }

    /// Both policies must trust the peer; the first rejection counts.
    fn and<P: TrustPolicy>(self, other: P) -> AllOf<Self, P>
    where
        Self: Sized,
    {
        AllOf(self, other)
    }

    /// One of the policies must trust the peer; otherwise both reasons are given.
    fn or<P: TrustPolicy>(self, other: P) -> AnyOf<Self, P>
    where
        Self: Sized,
    {
        AnyOf(self, other)
    }

    /// This policy, and the peer must also be `identifier`, whatever this policy says.
    fn pinned(self, identifier: Identifier) -> PinnedPolicy<Self>
    where
        Self: Sized,
    {
        PinnedPolicy { inner: self, identifier }
    }
}

/// Trusts every peer that proves some identity. Alone it leaves room for a node in the middle that
/// proves its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrustEveryonePolicy;

impl TrustPolicy for TrustEveryonePolicy {
    fn check(&self, _: &TrustContext) -> Decision {
        Decision::Trusted
    }

    fn trusts_everyone(&self) -> bool {
        true
    }
}

/// Trusts one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustIdentifierPolicy {
    identifier: Identifier,
}

impl TrustIdentifierPolicy {
    /// Trusts `identifier`.
    #[must_use]
    pub fn new(identifier: Identifier) -> Self {
        Self { identifier }
    }
}

impl TrustPolicy for TrustIdentifierPolicy {
    fn precheck(&self, context: &TrustContext) -> Decision {
        self.check(context)
    }

    fn check(&self, context: &TrustContext) -> Decision {
        if context.peer == self.identifier {
            return Decision::Trusted;
        }
        Decision::reject(format!(
            "{} is not the trusted identity {}",
            context.peer, self.identifier
        ))
    }
}

/// Trusts each identity of a set; with an empty set, nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustMultiIdentifiersPolicy {
    identifiers: BTreeSet<Identifier>,
}

impl TrustMultiIdentifiersPolicy {
    /// Trusts each of `identifiers`.
    #[must_use]
    pub fn new(identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        Self { identifiers: identifiers.into_iter().collect() }
    }
}

impl TrustPolicy for TrustMultiIdentifiersPolicy {
    fn precheck(&self, context: &TrustContext) -> Decision {
        self.check(context)
    }

    fn check(&self, context: &TrustContext) -> Decision {
        if self.identifiers.contains(&context.peer) {
            return Decision::Trusted;
        }
        Decision::reject(format!(
            "{} is none of the {} trusted identities",
            context.peer,
            self.identifiers.len()
        ))
    }
}

/// Made by [`TrustPolicy::and`].
#[derive(Debug, Clone)]
pub struct AllOf<A, B>(A, B);

impl<A: TrustPolicy, B: TrustPolicy> TrustPolicy for AllOf<A, B> {
    fn precheck(&self, context: &TrustContext) -> Decision {
        match self.0.precheck(context) {
            Decision::Trusted => self.1.precheck(context),
            rejected => rejected,
        }
    }

    fn check(&self, context: &TrustContext) -> Decision {
        match self.0.check(context) {
            Decision::Trusted => self.1.check(context),
            rejected => rejected,
        }
    }

    fn trusts_everyone(&self) -> bool {
        self.0.trusts_everyone() && self.1.trusts_everyone()
    }
}

/// Made by [`TrustPolicy::or`].
#[derive(Debug, Clone)]
pub struct AnyOf<A, B>(A, B);

impl<A: TrustPolicy, B: TrustPolicy> TrustPolicy for AnyOf<A, B> {
    fn precheck(&self, context: &TrustContext) -> Decision {
        either(self.0.precheck(context), || self.1.precheck(context))
    }

    fn check(&self, context: &TrustContext) -> Decision {
        either(self.0.check(context), || self.1.check(context))
    }

    fn trusts_everyone(&self) -> bool {
        self.0.trusts_everyone() || self.1.trusts_everyone()
    }
}

/// Trusts whom one of the two trusts; the second is asked only if the first rejects.
fn either(first: Decision, second: impl FnOnce() -> Decision) -> Decision {
    let Decision::Rejected(first) = first else { return Decision::Trusted };
    match second() {
        Decision::Rejected(second) => Decision::reject(format!("{first}, and {second}")),
        Decision::Trusted => Decision::Trusted,
    }
}

/// Made by [`TrustPolicy::pinned`]: another policy, and the one identity that the peer must have.
///
/// The pin comes from the address that the user was given. It is checked first, so that its reason,
/// the more alarming one, is shown.
#[derive(Debug, Clone)]
pub struct PinnedPolicy<P> {
    inner: P,
    identifier: Identifier,
}

impl<P> PinnedPolicy<P> {
    fn pinned_to(&self, context: &TrustContext) -> Decision {
        if context.peer == self.identifier {
            return Decision::Trusted;
        }
        Decision::reject(format!(
            "the address pins {} but {} answered; someone may be in the middle",
            self.identifier, context.peer
        ))
    }
}

impl<P: TrustPolicy> TrustPolicy for PinnedPolicy<P> {
    fn precheck(&self, context: &TrustContext) -> Decision {
        match self.pinned_to(context) {
            Decision::Trusted => self.inner.precheck(context),
            rejected => rejected,
        }
    }

    fn check(&self, context: &TrustContext) -> Decision {
        match self.pinned_to(context) {
            Decision::Trusted => self.inner.check(context),
            rejected => rejected,
        }
    }

    fn pin(&self) -> Option<Identifier> {
        Some(self.identifier)
    }
}

/// A policy for where nothing but it keeps strangers out: while it trusts everybody, nobody is.
pub(crate) struct NotEveryone<P>(pub(crate) P);

impl<P: TrustPolicy> TrustPolicy for NotEveryone<P> {
    fn precheck(&self, context: &TrustContext) -> Decision {
        match self.0.trusts_everyone() {
            true => {
                Decision::reject("a policy that trusts everybody is none where a name is known")
            }
            false => self.0.precheck(context),
        }
    }

    fn check(&self, context: &TrustContext) -> Decision {
        match self.precheck(context) {
            Decision::Trusted => self.0.check(context),
            rejected => rejected,
        }
    }
}

impl TrustPolicy for Arc<dyn TrustPolicy> {
    fn precheck(&self, context: &TrustContext) -> Decision {
        (**self).precheck(context)
    }

    fn check(&self, context: &TrustContext) -> Decision {
        (**self).check(context)
    }

    fn trusts_everyone(&self) -> bool {
        (**self).trusts_everyone()
    }

    fn pin(&self) -> Option<Identifier> {
        (**self).pin()
    }
}

impl TrustPolicy for Box<dyn TrustPolicy> {
    fn precheck(&self, context: &TrustContext) -> Decision {
        (**self).precheck(context)
    }

    fn check(&self, context: &TrustContext) -> Decision {
        (**self).check(context)
    }

    fn trusts_everyone(&self) -> bool {
        (**self).trusts_everyone()
    }

    fn pin(&self) -> Option<Identifier> {
        (**self).pin()
    }
}

impl<F, D> TrustPolicy for F
where
    F: Fn(&TrustContext) -> D + Send + Sync + 'static,
    D: Into<Decision>,
{
    fn check(&self, context: &TrustContext) -> Decision {
        self(context).into()
    }
}
