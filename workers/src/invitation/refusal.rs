//! Why an outlet refuses an invitation: its codes in notices, and its words for people.

use ockam_actix_runtime::{Notice, UndeliverableReason};

/// Why an outlet refuses an invitation that it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationRefusal {
    /// It was good once.
    #[error("the invitation has expired")]
    Expired,
    /// The outlet does not have it.
    #[error("the outlet knows no such invitation: it was withdrawn, or is for another outlet")]
    Unknown,
}

impl InvitationRefusal {
    /// The code that tells the other machine.
    pub(crate) fn reason(self) -> UndeliverableReason {
        match self {
            Self::Expired => UndeliverableReason::SecretExpired,
            Self::Unknown => UndeliverableReason::SecretUnknown,
        }
    }

    /// What a notice says about the invitation that was shown; `None` if it is about something
    /// else.
    pub(crate) fn of(notice: &Notice) -> Option<Self> {
        [Self::Expired, Self::Unknown].into_iter().find(|one| one.reason() == notice.reason)
    }
}
