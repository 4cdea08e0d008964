//! The string of an invitation.
//!
//! ```text
//! base64url of
//!   version 1 | kind | expires, 4 bytes | secret, 16 bytes | identifier, 32 bytes
//!   length of the service, 1 byte | service | address of the hub or the outlet's node
//!   first 4 bytes of SHA-256 of all that
//! ```
//!
//! It has no `+`, `/` or `=`, and some 130 characters. `expires` is a number of seconds since 1970.
//! The last bytes tell a string that was cut or mangled from one that the outlet refuses.

use std::{fmt, str::FromStr};

use base64::{prelude::BASE64_URL_SAFE_NO_PAD, Engine};
use ockam_actix_runtime::{route, Address, Identifier, Route};
use ring::{
    digest::{digest, SHA256},
    rand::SecureRandom,
};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    forwarder::ServiceAddress, identity::address_secret::AddressSecret, invitation::DIRECT_LISTENER,
};

const VERSION: u8 = 1;

/// Bytes of the check at the end.
const CHECK: usize = 4;

/// Bytes of the secret: enough that nobody guesses it, and few to carry.
pub(crate) const SECRET: usize = 16;

/// Characters of the longest string that is looked at.
const MAX_TEXT: usize = 1024;

/// What an invitation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Whose outlet it is, and its service.
    pub service: ServiceAddress,
    /// Where it is.
    pub place: Place,
    /// What the clients of its inlet speak.
    pub clients: Clients,
    /// Until when it is good, in seconds since 1970.
    pub expires: u32,
    pub(crate) secret: InvitationSecret,
}

/// Where an outlet is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Through the hub with this address in routes, or one of a list of hubs.
    Hub(Address),
    /// At its own node's address.
    Node(Address),
}

/// What the clients of an outlet's inlet speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clients {
    /// Any protocol over TCP, with the outlet's only target.
    #[default]
    Tcp,
    /// Datagrams of UDP, with the outlet's only target.
    Udp,
    /// SOCKS5, by which they name a target that the outlet permits.
    Socks,
}

impl Clients {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Socks];
}

/// The secret of one invitation, which nothing shows but the string and the ledger.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InvitationSecret(pub(crate) [u8; SECRET]);

/// Why a text is no invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationTextError {
    /// Not what was printed.
    #[error(
        "this is not a whole invitation: copy all of the line that \"ockam invite\" has printed"
    )]
    Mangled,
    /// Of a later version of this program.
    #[error(
        "the invitation has version {0}, and this program knows version {VERSION} alone: install a \
         newer one"
    )]
    Version(u8),
}

impl InvitationSecret {
    /// A new one, or `None` when the system has no randomness to give.
    pub(crate) fn random(random: &dyn SecureRandom) -> Option<Self> {
        let mut secret = Self([0; SECRET]);
        random.fill(&mut secret.0).ok()?;
        Some(secret)
    }

    /// The key of handshakes that show it.
    pub(crate) fn key(&self) -> AddressSecret {
        AddressSecret::of_invitation(&self.0)
    }
}

impl Place {
    /// The address in routes.
    pub fn address(&self) -> &Address {
        let (Self::Hub(address) | Self::Node(address)) = self;
        address
    }

    /// The same place, by another address.
    #[must_use]
    pub fn at(self, address: Address) -> Self {
        match self {
            Self::Hub(_) => Self::Hub(address),
            Self::Node(_) => Self::Node(address),
        }
    }

    /// The number of the form of the place and of what clients speak.
    pub(crate) const fn kind(&self, clients: Clients) -> u8 {
        let place = match self {
            Self::Hub(_) => 0,
            Self::Node(_) => 1,
        };
        place + 2 * clients as u8
    }

    pub(crate) fn of_kind(kind: u8, address: &str) -> Option<(Self, Clients)> {
        let address = Address::parse(address).ok().filter(|address| address.dial_parts().is_some());
        let clients = Clients::ALL.get(usize::from(kind / 2))?;
        let place = if kind.is_multiple_of(2) { Self::Hub(address?) } else { Self::Node(address?) };
        Some((place, *clients))
    }

    /// The route from elsewhere to the listener of a service there.
    pub fn route_to(&self, service: &ServiceAddress) -> Route {
        match self {
            Self::Hub(hub) => route![hub.clone(), service.forwarding_address()],
            Self::Node(node) => route![node.clone(), DIRECT_LISTENER],
        }
    }
}

impl Invitation {
    /// Whether it is good no longer, `now` seconds after the beginning of 1970.
    pub fn is_expired(&self, now: u64) -> bool {
        now >= self.expires.into()
    }

    /// The route to the outlet's listener.
    pub fn route(&self) -> Route {
        self.place.route_to(&self.service)
    }

    /// The key of handshakes that show it.
    pub(crate) fn key(&self) -> AddressSecret {
        self.secret.key()
    }
}

impl Drop for InvitationSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for InvitationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationSecret(redacted)")
    }
}

/// The string, secret included.
impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, address) = (self.service.name(), self.place.address().as_str());
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_TEXT));
        bytes.extend([VERSION, self.place.kind(self.clients)]);
        bytes.extend(self.expires.to_be_bytes());
        bytes.extend(self.secret.0);
        bytes.extend(self.service.identifier().as_bytes());
        // A service's name has at most 64 bytes.
        bytes.push(u8::try_from(name.len()).map_err(|_| fmt::Error)?);
        bytes.extend(name.bytes());
        bytes.extend(address.bytes());
        let check = check_of(&bytes);
        bytes.extend(check);
        f.write_str(&Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&bytes)))
    }
}

impl FromStr for Invitation {
    type Err = InvitationTextError;

    /// White space is skipped: it comes from windows that wrap lines.
    fn from_str(text: &str) -> Result<Self, InvitationTextError> {
        let mangled = InvitationTextError::Mangled;
        let text: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        if text.len() > MAX_TEXT {
            return Err(mangled);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| mangled)?;
        let bytes = Zeroizing::new(bytes);
        let (content, check) = bytes.split_last_chunk::<CHECK>().ok_or(mangled)?;
        if check_of(content) != *check {
            return Err(mangled);
        }
        let (&version, rest) = content.split_first().ok_or(mangled)?;
        if version != VERSION {
            return Err(InvitationTextError::Version(version));
        }
        parse_content(rest).ok_or(mangled)
    }
}

fn parse_content(bytes: &[u8]) -> Option<Invitation> {
    let (&kind, rest) = bytes.split_first()?;
    let (expires, rest) = rest.split_first_chunk::<4>()?;
    let (secret, rest) = rest.split_first_chunk::<SECRET>()?;
    let (identifier, rest) = rest.split_first_chunk::<32>()?;
    let (&length, rest) = rest.split_first()?;
    let (name, address) = rest.split_at_checked(length.into())?;
    let (name, address) = (str::from_utf8(name).ok()?, str::from_utf8(address).ok()?);
    let (place, clients) = Place::of_kind(kind, address)?;
    Some(Invitation {
        service: ServiceAddress::new(Identifier::from_bytes(*identifier), name).ok()?,
        place,
        clients,
        expires: u32::from_be_bytes(*expires),
        secret: InvitationSecret(*secret),
    })
}

fn check_of(content: &[u8]) -> [u8; CHECK] {
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest(&SHA256, content).as_ref()[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn invitation(name: &str, place: Place, expires: u32, seed: u8) -> Invitation {
        let service = ServiceAddress::new(Identifier::from_bytes([seed; 32]), name).unwrap();
        let clients = Clients::ALL[usize::from(seed) % 3];
        Invitation { service, place, clients, expires, secret: InvitationSecret([seed; SECRET]) }
    }

    fn sample() -> Invitation {
        invitation("web", Place::Hub("tcp#hub.example.org:4000".into()), 1_800_000_000, 7)
    }

    #[test]
    fn strings_are_short_and_easy_to_paste() {
        let text = sample().to_string();
        assert!(text.len() < 130, "{} characters", text.len());
        assert!(text.starts_with('A') && !text.contains(['+', '/', '=']), "{text}");
        assert_eq!(text.parse(), Ok(sample()));
        let wrapped = format!("  {}\n{} \r\n", &text[..50], &text[50..]);
        assert_eq!(wrapped.parse(), Ok(sample()));
        assert!(!format!("{:?}", sample()).contains("7, 7"));
    }

    #[test]
    fn mangled_strings_are_told_from_good_ones() {
        let text = sample().to_string();
        for end in 0..text.len() {
            assert_eq!(text[..end].parse::<Invitation>(), Err(InvitationTextError::Mangled));
        }
        for wrong in [format!("{text}A"), text.to_lowercase(), text.repeat(20)] {
            assert_eq!(wrong.parse::<Invitation>(), Err(InvitationTextError::Mangled));
        }
    }

    #[test]
    fn later_versions_are_named() {
        let mut content = BASE64_URL_SAFE_NO_PAD.decode(sample().to_string()).unwrap();
        content.truncate(content.len() - CHECK);
        content[0] = 2;
        let check = check_of(&content);
        let text = BASE64_URL_SAFE_NO_PAD.encode([&content[..], &check].concat());
        assert_eq!(text.parse::<Invitation>(), Err(InvitationTextError::Version(2)));
    }

    #[test]
    fn routes_lead_to_the_outlets_listener() {
        let through_hub = sample();
        let address = through_hub.service.forwarding_address();
        assert_eq!(through_hub.route(), route!["tcp#hub.example.org:4000", address]);
        let direct = invitation("", Place::Node("tcp#here:1".into()), 0, 1);
        assert_eq!(direct.route(), route!["tcp#here:1", DIRECT_LISTENER]);
    }

    proptest! {
        #[test]
        fn every_invitation_survives_as_text(
            name in "[a-zA-Z0-9._-]{0,64}", hub: bool, expires: u32, seed: u8,
            peers in "[a-z]{1,20}:[0-9]{1,4}(,[a-z]{1,20}:[0-9]{1,4}){0,3}"
        ) {
            let address = Address::from(format!("tcp#{peers}"));
            let place = if hub { Place::Hub(address) } else { Place::Node(address) };
            let invitation = invitation(&name, place, expires, seed);
            prop_assert_eq!(invitation.to_string().parse(), Ok(invitation));
        }

        #[test]
        fn a_changed_character_is_noticed(at in 0_usize..1000, to in "[A-Za-z0-9_-]") {
            let text = sample().to_string();
            let at = at % text.len();
            let changed = format!("{}{to}{}", &text[..at], &text[at + 1..]);
            prop_assume!(changed != text);
            prop_assert!(changed.parse::<Invitation>().is_err());
        }

        #[test]
        fn any_text_is_an_invitation_or_an_error(text in "\\PC{0,200}") {
            let _ = text.parse::<Invitation>();
        }
    }
}
