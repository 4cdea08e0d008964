//! Addresses: the names of workers on a node, and of peers that a transport can dial.

pub mod identifier;
pub mod route;

use std::{borrow::Borrow, cell::RefCell, fmt, str::FromStr, sync::Arc};

use crate::{limits::MAX_ADDRESS_BYTES, random, text::is_unseen};

/// Characters of a forwarder's address, which a secret may follow.
const FORWARDER_LENGTH: usize = 33;

/// Random addresses for which a thread asks the system in one call.
const ADDRESSES_AT_ONCE: usize = 32;

/// The name of a transport, for the first half of an address such as `tcp#127.0.0.1:4000`.
///
/// ```
/// use ockam_actix_runtime::{route, Address, TransportType};
/// const TCP: TransportType = TransportType::new("tcp");
/// assert_eq!(Address::from((TCP, "127.0.0.1:4000")).to_string(), "tcp#127.0.0.1:4000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransportType(&'static str);

impl TransportType {
    /// Names a transport: a few lower-case letters.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name, such as `tcp`.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// The address of a worker (`outlet`), or of a peer that a transport dials (`tcp#127.0.0.1:4000`).
///
/// Cloning costs one reference count. Any text can be put into an `Address` without an error, so
/// that `route!["outlet"]` stays short; an address that breaks the rules of [`Address::parse`]
/// names no worker, and registering it or sending to it is an error.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<str>);

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is empty.
    #[error("an address must not be empty")]
    Empty,
    /// More than [`MAX_ADDRESS_BYTES`].
    #[error(
        "the address that starts with {start:?} has {length} bytes, at most {MAX_ADDRESS_BYTES} \
         are allowed"
    )]
    TooLong {
        /// Its first characters.
        start: String,
        /// Its length in bytes.
        length: usize,
    },
    /// White space would make a printed route ambiguous, and what cannot be seen would make an
    /// address look like another one.
    #[error(
        "the address {text:?} contains {character:?}: use letters, digits and punctuation \
         without spaces"
    )]
    Character {
        /// The address.
        text: String,
        /// The first offending character.
        character: char,
    },
    /// `=>` and two commas separate the addresses of a route in text.
    #[error(
        "the address {0:?} contains \"=>\" or two commas, which separate the addresses of a route: \
         for a route of several use `route![...]`, or `\"...\".parse::<Route>()`"
    )]
    Arrow(String),
}

impl Address {
    /// An address made at run time: 128 random bits as 32 hexadecimal digits.
    ///
    /// It cannot be guessed, so whoever knows it may send to it.
    ///
    /// # Panics
    /// If the operating system provides no randomness, as nothing can be kept secret then.
    pub fn random() -> Self {
        Self::of_digits(&digits(random_bits()))
    }

    /// As [`Address::random`], for those that show in logs that they are a mailbox's, and are not
    /// for who knows them alone.
    pub(crate) fn mailbox() -> Self {
        const KIND: &[u8] = b"mailbox-";
        let mut text = [0; KIND.len() + 32];
        text[..KIND.len()].copy_from_slice(KIND);
        text[KIND.len()..].copy_from_slice(&digits(random_bits()));
        Self::of_digits(&text)
    }

    fn of_digits(text: &[u8]) -> Self {
        Self(str::from_utf8(text).expect("letters and digits are UTF-8").into())
    }

    /// Whether it has the form of an address that [`Address::random`] made.
    pub fn is_random(&self) -> bool {
        self.0.len() == 32 && all(&self.0, |byte| byte.is_ascii_hexdigit())
    }

    /// Checks a text and makes it an address.
    ///
    /// # Errors
    /// [`AddressError`] if it is empty, too long, or holds white space, `=>`, two commas one after
    /// the other, or characters that cannot be seen, such as those that change the direction of
    /// text.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// Checks an address that was made without a check.
    ///
    /// # Errors
    /// As [`Address::parse`].
    pub fn validate(&self) -> Result<(), AddressError> {
        check(&self.0)
    }

    /// The text of the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What of the address is sent and shown: all but the secret of a forwarding address,
    /// `F….I….S…`. That is for the node alone which opens a channel through it.
    pub fn shown(&self) -> &str {
        shown(&self.0)
    }

    /// For an address that a transport can dial, its two halves: `("tcp", "127.0.0.1:4000")`.
    pub fn dial_parts(&self) -> Option<(&str, &str)> {
        self.0.split_once('#')
    }

    /// For an address that lists several peers, the address of each, in the order of preference:
    /// `tcp#a:4000,b:4000`, or `quic#a:4000,tcp#a:443` with several transports. Any other is the
    /// only one.
    pub fn alternatives(&self) -> impl Iterator<Item = Self> + '_ {
        let (transport, peers) = self.dial_parts().unwrap_or_default();
        let each = peers.split(',').map(move |peer| match peer.contains('#') {
            true => Self(peer.into()),
            false => Self(format!("{transport}#{peer}").into()),
        });
        let only = (!peers.contains(',')).then(|| self.clone());
        let several = only.is_none().then_some(each);
        only.into_iter().chain(several.into_iter().flatten())
    }
}

/// The text up to the secret of a forwarding address, however damaged the rest is.
fn shown(text: &str) -> &str {
    let is_public = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | 'I' | 'i');
    if text.len() <= FORWARDER_LENGTH || !text.starts_with(['F', 'f']) {
        return text;
    }
    match text.find(|c| !is_public(c)) {
        Some(secret) if text[secret..].starts_with(['S', 's']) => {
            text[..secret].trim_end_matches('.')
        }
        _ => text,
    }
}

fn check(text: &str) -> Result<(), AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if text.len() > MAX_ADDRESS_BYTES {
        let start = text.chars().take(32).collect();
        let length = text.len();
        return Err(AddressError::TooLong { start, length });
    }
    // A short cut that nearly every address takes, as each message brings several.
    if all(text, |byte| byte.is_ascii_graphic() && byte != b'>' && byte != b',') {
        return Ok(());
    }
    // First, as who writes a route as one address has spaces in it too.
    if text.contains("=>") || text.contains(",,") {
        return Err(AddressError::Arrow(shown(text).to_owned()));
    }
    if let Some(character) = text.chars().find(|&c| c.is_whitespace() || is_unseen(c)) {
        let text = shown(text).to_owned();
        return Err(AddressError::Character { text, character });
    }
    Ok(())
}

/// Whether all bytes are `expected`. It checks all of them, so that the processor can check several
/// at once.
fn all(text: &str, expected: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |so_far, byte| so_far & expected(byte))
}

/// The random bits of one address.
///
/// A thread asks the system for those of [`ADDRESSES_AT_ONCE`] addresses at a time, as one by one
/// would cost a system call for every stream. Bits that were given out are not kept.
///
/// # Panics
/// As [`Address::random`].
fn random_bits() -> [u8; 16] {
    thread_local! {
        static POOL: RefCell<([[u8; 16]; ADDRESSES_AT_ONCE], usize)> =
            const { RefCell::new(([[0; 16]; ADDRESSES_AT_ONCE], 0)) };
    }
    #[cfg(feature = "testing")]
    if let Some(bits) = crate::simulated::scope::bytes() {
        return bits;
    }
    POOL.with_borrow_mut(|(pool, left)| {
        if *left == 0 {
            random::fill(pool.as_flattened_mut());
            *left = ADDRESSES_AT_ONCE;
        }
        *left -= 1;
        std::mem::take(&mut pool[*left])
    })
}

/// The lower-case hexadecimal digits of `bits`.
fn digits(bits: [u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bits) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
    text
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.shown(), f)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&String> for Address {
    fn from(text: &String) -> Self {
        Self(text.as_str().into())
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}

impl<T: AsRef<str>> From<(TransportType, T)> for Address {
    fn from((transport, peer): (TransportType, T)) -> Self {
        Self(format!("{}#{}", transport.name(), peer.as_ref()).into())
    }
}

impl Borrow<str> for Address {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Address {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_text_and_parses_back() {
        for text in ["outlet", "tcp#127.0.0.1:4000", "tcp#[::1]:4000", "F00ff.I11"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn refuses_text_that_would_make_a_route_ambiguous() {
        assert_eq!(Address::parse(""), Err(AddressError::Empty));
        for text in ["a b", "a\n", "a=>b", "\u{7}", "\u{a0}", "tuo\u{202e}let", "outlet\u{200b}"] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
        assert!(Address::parse(&"x".repeat(MAX_ADDRESS_BYTES)).is_ok());
        assert!(Address::parse(&"x".repeat(MAX_ADDRESS_BYTES + 1)).is_err());
    }

    #[test]
    fn a_route_given_as_an_address_is_named() {
        for text in ["a => b", "a=>b", "a,,b", ",,", "tcp#a:1,,outlet"] {
            assert_eq!(Address::parse(text), Err(AddressError::Arrow(text.into())));
        }
    }

    #[test]
    fn random_addresses_have_128_bits_and_differ_everywhere() {
        const EACH: usize = 10 * ADDRESSES_AT_ONCE + 1;
        let make = || (0..EACH).map(|_| Address::random()).collect::<Vec<_>>();
        let threads = [(); 4].map(|()| std::thread::spawn(make));
        let made: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert!(made.iter().all(Address::is_random));
        let distinct: std::collections::HashSet<_> = made.iter().collect();
        assert_eq!(distinct.len(), 4 * EACH);
        // Of so many, one digit lacks a value once in 10^34 runs.
        for digit in 0..32 {
            let value = |address: &Address| address.as_str().as_bytes()[digit];
            let kinds: std::collections::HashSet<_> = made.iter().map(value).collect();
            assert_eq!(kinds.len(), 16, "digit {digit}");
        }
    }

    #[test]
    fn only_addresses_with_a_transport_are_dialled() {
        assert_eq!(Address::from("tcp#[::1]:1").dial_parts(), Some(("tcp", "[::1]:1")));
        assert_eq!(Address::from("outlet").dial_parts(), None);
    }

    #[test]
    fn lists_are_of_one_transport_or_several() {
        let each = |text: &str| -> Vec<String> {
            Address::from(text).alternatives().map(|address| address.to_string()).collect()
        };
        assert_eq!(each("tcp#a:1"), ["tcp#a:1"]);
        assert_eq!(each("outlet"), ["outlet"]);
        assert_eq!(each("tcp#a:1,[::1]:2"), ["tcp#a:1", "tcp#[::1]:2"]);
        assert_eq!(each("quic#a:1,b:2,wss#c:3/p"), ["quic#a:1", "quic#b:2", "wss#c:3/p"]);
    }
}
