//! The ledger of a trust file's invitations: pure, and as text.
//!
//! ```text
//! outlet I0f3a... hub tcp#hub.example.org:4000 web
//! invitation 5e5e... 1800000000 laptop open
//! invitation 77aa... 1800000000 phone claimed I77c0...
//! invitation 0123... 1800000000 tablet admitted I9b1d...
//! ```
//!
//! An invitation is open until an identity claims it, then that identity's, and admitted when the
//! identity is in the trust file. It is valid until it expires, by the clock of the machine that
//! keeps the ledger. No transition leads back, so that an identity that was taken out of the trust
//! file does not come back by the string that it still has.

use std::fmt;

use ockam_actix_runtime::Identifier;

use crate::{
    forwarder::ServiceAddress,
    identity::{address_secret::AddressSecret, trust_list::is_peer_name},
    invitation::{
        text::{Clients, InvitationSecret, Place, SECRET},
        MAX_INVITATIONS, MAX_OUTLETS,
    },
};

/// Seconds for which an invitation is remembered after it has expired, so that who comes too late
/// is told that.
const REMEMBERED: u64 = 24 * 60 * 60;

/// What stands above the lines.
const HEADER: &str =
    "# Written by ockam: outlets with this trust file, and invitations to them. They are secret.\n";

/// Outlets and invitations of one trust file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    outlets: Vec<InvitingOutlet>,
    entries: Vec<Entry>,
}

/// An outlet that follows the trust file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitingOutlet {
    /// Whose it is, and its service.
    pub service: ServiceAddress,
    /// Where it is reached.
    pub place: Place,
    /// What the clients of its inlet speak.
    pub clients: Clients,
}

/// One invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    secret: InvitationSecret,
    /// Derived from the secret.
    key: AddressSecret,
    expires: u64,
    /// The name that the identity gets in the trust file.
    name: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Claimed(Identifier),
    Admitted(Identifier),
}

/// What an identity that shows an invitation is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is this identity's: it is to be trusted under this name.
    Granted(String),
    /// It was, and the identity was trusted already.
    WasAdmitted,
    /// It belongs to another identity.
    Taken(Identifier),
    /// It is good no longer.
    Expired,
    /// There is none.
    Unknown,
}

/// Why nobody can be invited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// No outlet follows the trust file.
    #[error(
        "no outlet has been started with this trust file: start one with \"ockam outlet \
         --identity NAME --trust-file FILE\", by the same user"
    )]
    NoOutlet,
    /// The service is not known.
    #[error("no outlet with this trust file has the service \"{0}\": there are {1}")]
    NoSuchService(String, String),
    /// It has to be said which.
    #[error("several outlets have this trust file: choose one with --service, of {0}")]
    Several(String),
    /// As many as there may be.
    #[error("{MAX_INVITATIONS} invitations are open: withdraw them with --withdraw")]
    Full,
    /// A line of the file.
    #[error("line {0} is not one that ockam writes: remove the file, and restart the outlet")]
    Line(usize),
}

impl Ledger {
    /// Reads the text.
    ///
    /// # Errors
    /// [`LedgerError::Line`] for the first line that is none.
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        for (index, line) in text.lines().enumerate() {
            let words: Vec<_> = line.split_whitespace().collect();
            let read = match words[..] {
                [] => Some(()),
                ["outlet", identifier, kind, address, ref service @ ..] => {
                    let outlet = InvitingOutlet::read(identifier, kind, address, service);
                    outlet.map(|outlet| ledger.outlets.push(outlet))
                }
                ["invitation", secret, expires, name, ref state @ ..] => {
                    let entry = Entry::read(secret, expires, name, state);
                    entry.map(|entry| ledger.entries.push(entry))
                }
                [first, ..] => first.starts_with('#').then_some(()),
            };
            read.ok_or(LedgerError::Line(index + 1))?;
        }
        Ok(ledger)
    }

    /// Notes an outlet; returns whether that is new.
    pub(crate) fn note(&mut self, outlet: &InvitingOutlet) -> bool {
        if self.outlets.contains(outlet) {
            return false;
        }
        self.outlets.retain(|other| other.service != outlet.service);
        if self.outlets.len() >= MAX_OUTLETS {
            self.outlets.remove(0);
        }
        self.outlets.push(outlet.clone());
        true
    }

    /// The outlet of a service, or the only one.
    ///
    /// # Errors
    /// If there is none, or it is not clear which.
    pub(crate) fn outlet(&self, service: Option<&str>) -> Result<&InvitingOutlet, LedgerError> {
        let names: Vec<_> =
            self.outlets.iter().map(|one| format!("\"{}\"", one.service.name())).collect();
        let fits = |one: &&InvitingOutlet| service.is_none_or(|name| one.service.name() == name);
        let fitting: Vec<_> = self.outlets.iter().filter(fits).collect();
        match (&fitting[..], service) {
            // The one that was started last, of several identities.
            ([.., last], Some(_)) => Ok(last),
            ([only], None) => Ok(only),
            ([], _) if names.is_empty() => Err(LedgerError::NoOutlet),
            ([], name) => {
                let name = name.unwrap_or_default().to_owned();
                Err(LedgerError::NoSuchService(name, names.join(", ")))
            }
            (_, None) => Err(LedgerError::Several(names.join(", "))),
        }
    }

    /// Adds an open invitation, and forgets those that expired long ago.
    ///
    /// # Errors
    /// If there are too many.
    pub(crate) fn invite(
        &mut self,
        secret: InvitationSecret,
        expires: u64,
        name: &str,
        now: u64,
    ) -> Result<(), LedgerError> {
        self.entries.retain(|entry| entry.expires.saturating_add(REMEMBERED) > now);
        if self.entries.len() >= MAX_INVITATIONS {
            self.entries.retain(|entry| entry.expires > now);
        }
        if self.entries.len() >= MAX_INVITATIONS {
            return Err(LedgerError::Full);
        }
        let (key, name) = (secret.key(), name.to_owned());
        self.entries.push(Entry { secret, key, expires, name, state: State::Open });
        Ok(())
    }

    /// Removes the open invitations; returns their number.
    pub(crate) fn withdraw(&mut self) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.state != State::Open);
        before - self.entries.len()
    }

    /// What an identity that has shown an invitation is to be told.
    pub(crate) fn standing(&self, secret: &InvitationSecret, by: &Identifier, now: u64) -> Claim {
        let Some(entry) = self.entries.iter().find(|entry| entry.secret == *secret) else {
            return Claim::Unknown;
        };
        match entry.state {
            _ if now >= entry.expires => Claim::Expired,
            State::Claimed(other) | State::Admitted(other) if other != *by => Claim::Taken(other),
            State::Open | State::Claimed(_) => Claim::Granted(entry.name.clone()),
            State::Admitted(_) => Claim::WasAdmitted,
        }
    }

    /// As [`standing`](Self::standing); what was granted is this identity's from then on.
    pub(crate) fn claim(&mut self, secret: &InvitationSecret, by: &Identifier, now: u64) -> Claim {
        let standing = self.standing(secret, by, now);
        if let Claim::Granted(_) = standing {
            self.change(secret, State::Claimed(*by));
        }
        standing
    }

    /// Notes that the identity that has claimed an invitation is trusted.
    pub(crate) fn admitted(&mut self, secret: &InvitationSecret, by: &Identifier) {
        self.change(secret, State::Admitted(*by));
    }

    fn change(&mut self, secret: &InvitationSecret, state: State) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.secret == *secret) {
            entry.state = state;
        }
    }

    /// The invitation whose key satisfies `fits`, and whether it has expired.
    pub(crate) fn find(
        &self,
        now: u64,
        fits: impl Fn(&AddressSecret) -> bool,
    ) -> Option<(&InvitationSecret, &AddressSecret, bool)> {
        let found = self.entries.iter().find(|entry| fits(&entry.key))?;
        Some((&found.secret, &found.key, now >= found.expires))
    }
}

/// The words for the kinds of [`Place::of_kind`].
const KINDS: [&str; 6] = ["hub", "node", "hub/udp", "node/udp", "hub/socks", "node/socks"];

impl InvitingOutlet {
    fn read(identifier: &str, kind: &str, address: &str, service: &[&str]) -> Option<Self> {
        let kind = KINDS.iter().position(|known| *known == kind)?;
        let service = match service {
            [] => "",
            [name] => name,
            _ => return None,
        };
        let (place, clients) = Place::of_kind(u8::try_from(kind).ok()?, address)?;
        let service = ServiceAddress::new(identifier.parse().ok()?, service).ok()?;
        Some(Self { service, place, clients })
    }
}

impl Entry {
    fn read(secret: &str, expires: &str, name: &str, state: &[&str]) -> Option<Self> {
        let secret = parse_secret(secret)?;
        let state = match state {
            ["open"] => State::Open,
            ["claimed", by] => State::Claimed(by.parse().ok()?),
            ["admitted", by] => State::Admitted(by.parse().ok()?),
            _ => return None,
        };
        let name = Some(name).filter(|name| is_peer_name(name))?.to_owned();
        Some(Self { key: secret.key(), secret, expires: expires.parse().ok()?, name, state })
    }
}

fn parse_secret(digits: &str) -> Option<InvitationSecret> {
    let mut secret = InvitationSecret([0; SECRET]);
    let is_digit = |byte: u8| byte.is_ascii_hexdigit();
    if digits.len() != 2 * SECRET || !digits.bytes().all(is_digit) {
        return None;
    }
    for (at, byte) in secret.0.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(secret)
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        for InvitingOutlet { service, place, clients } in &self.outlets {
            let kind = KINDS[usize::from(place.kind(*clients))];
            let (identifier, address) = (service.identifier(), place.address());
            writeln!(f, "outlet {identifier} {kind} {address} {}", service.name())?;
        }
        for Entry { secret, expires, name, state, .. } in &self.entries {
            f.write_str("invitation ")?;
            secret.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            write!(f, " {expires} {name} ")?;
            match state {
                State::Open => writeln!(f, "open")?,
                State::Claimed(by) => writeln!(f, "claimed {by}")?,
                State::Admitted(by) => writeln!(f, "admitted {by}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
