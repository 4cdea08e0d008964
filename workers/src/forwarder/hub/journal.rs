//! What a hub tells its operator at info: who registered, who displaced whom, who left.
//!
//! Strangers can cause each line as often as they like, so it is bounded by the [`RefusalLog`].
//! Only the first digits of an address are shown, since to know the whole of one without an
//! identity is to have the right to use it.

use ockam_actix_runtime::{trust::refusal_log::RefusalLog, Identifier, Origin};

use crate::forwarder::protocol::{
    claim::{Claim, ForwarderId},
    service_name::ServiceName,
};

/// Characters of an address that are shown: enough to find it among thousands.
const SHOWN: usize = 9;

/// The journal of one hub.
#[derive(Debug, Default)]
pub(super) struct Journal(RefusalLog);

/// For whom a forwarder is.
#[derive(Clone, Debug)]
pub(super) struct Whose(Option<(Identifier, ServiceName)>);

impl Whose {
    pub(super) fn nobody() -> Self {
        Self(None)
    }

    pub(super) fn of(claim: &Claim) -> Self {
        Self(Some((claim.identifier, claim.service.clone())))
    }

    fn text(&self) -> String {
        match &self.0 {
            None => "nobody in particular".into(),
            Some((identifier, service)) if service.as_str().is_empty() => identifier.to_string(),
            Some((identifier, service)) => format!("service \"{service}\" of {identifier}"),
        }
    }
}

impl Journal {
    /// There is a forwarder.
    pub(super) fn registered(&self, id: &ForwarderId, whose: &Whose, from: &Origin) {
        let (id, whose) = (shown(id), whose.text());
        self.0.info("registered", format_args!("registered {id} for {whose}, from {from}"));
    }

    /// A forwarder has another instance's place.
    pub(super) fn displaced(&self, id: &ForwarderId, whose: &Whose, from: &Origin) {
        let (id, whose) = (shown(id), whose.text());
        let what = format_args!(
            "registered {id} for {whose}, from {from}: this newer registration displaces the one \
             before, which is told"
        );
        self.0.info("displaced", what);
    }

    /// A forwarder has ended.
    pub(super) fn departed(&self, id: &ForwarderId, why: &str) {
        self.0.info("departed", format_args!("{} has left: {why}", shown(id)));
    }
}

fn shown(id: &ForwarderId) -> String {
    format!("{:.SHOWN$}…", id.to_string())
}
