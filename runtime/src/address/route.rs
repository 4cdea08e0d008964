//! Routes: the addresses that a message still has to pass through, and those that lead back.

use std::{fmt, str::FromStr};

use smallvec::SmallVec;

use crate::{
    address::{Address, AddressError},
    limits::MAX_ROUTE_ADDRESSES,
};

/// Builds a [`Route`] from anything that becomes an address: `&str`, `String`, [`Address`], `(TCP,
/// "host:port")` and secure channels.
///
/// ```
/// use ockam_actix_runtime::route;
/// use ockam_actix_runtime::TransportType;
/// const TCP: TransportType = TransportType::new("tcp");
/// let route = route![(TCP, "127.0.0.1:4000"), "outlet"];
/// assert_eq!(route.to_string(), "tcp#127.0.0.1:4000 => outlet");
/// ```
#[macro_export]
macro_rules! route {
    ($($address:expr),* $(,)?) => {
        $crate::Route::from(vec![$($crate::Address::from($address)),*])
    };
}

/// A list of addresses that a message passes through from front to back.
///
/// Changes are made at the front: a hop takes the first address off the onward route and puts its
/// own before the return route. So the addresses are kept in reverse, where both are cheap.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Route {
    reversed: SmallVec<[Address; 3]>,
}

/// Why a text is not a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// One of its addresses is invalid.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Something else than `=>` between two addresses.
    #[error("\"{0}\" is no separator of a route: write => between its addresses")]
    OtherArrow(&'static str),
    /// An address without its transport, or with that in another form.
    #[error("\"{written}\" names no worker of this node: did you mean {meant}?")]
    DidYouMean {
        /// What was written.
        written: String,
        /// What was meant, probably.
        meant: String,
    },
    /// More than [`MAX_ROUTE_ADDRESSES`].
    #[error("the route has {0} addresses, at most {MAX_ROUTE_ADDRESSES} are allowed")]
    TooLong(usize),
}

impl Route {
    /// A route without addresses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks a text such as `tcp#127.0.0.1:4000 => outlet` and makes it a route. Two commas mean
    /// the same as the arrow, and need no quotes in a shell: `tcp#127.0.0.1:4000,,outlet`.
    ///
    /// # Errors
    /// [`RouteError`] if an address is invalid or there are too many, and for what is likely to be
    /// a slip, with what was meant.
    pub fn parse(text: &str) -> Result<Self, RouteError> {
        let parts: Vec<_> = text.split("=>").flat_map(|part| part.split(",,")).collect();
        for part in &parts {
            if let Some(arrow) = ["->", "\u{2192}", "=&gt;"].into_iter().find(|a| part.contains(a))
            {
                return Err(RouteError::OtherArrow(arrow));
            }
            if let Some(meant) = meant_by(part.trim()) {
                let written = Address::from(part.trim()).to_string();
                return Err(RouteError::DidYouMean { written, meant });
            }
        }
        let addresses = parts.into_iter().map(|part| Address::parse(part.trim()));
        let route = Self::from(addresses.collect::<Result<Vec<_>, _>>()?);
        route.validate()?;
        Ok(route)
    }

    /// Checks the number of addresses and each of them.
    ///
    /// # Errors
    /// [`RouteError`] that names the first address that breaks a rule.
    pub fn validate(&self) -> Result<(), RouteError> {
        if self.len() > MAX_ROUTE_ADDRESSES {
            return Err(RouteError::TooLong(self.len()));
        }
        Ok(self.iter().try_for_each(Address::validate)?)
    }

    pub(crate) fn from_first_to_last(mut addresses: SmallVec<[Address; 3]>) -> Self {
        addresses.reverse();
        Self { reversed: addresses }
    }

    /// The number of addresses.
    pub fn len(&self) -> usize {
        self.reversed.len()
    }

    /// Whether no address is left.
    pub fn is_empty(&self) -> bool {
        self.reversed.is_empty()
    }

    /// The next address.
    pub fn first(&self) -> Option<&Address> {
        self.reversed.last()
    }

    /// The final address.
    pub fn last(&self) -> Option<&Address> {
        self.reversed.first()
    }

    /// Takes the next address off.
    pub fn pop_front(&mut self) -> Option<Address> {
        self.reversed.pop()
    }

    /// Puts an address before all others.
    pub fn push_front(&mut self, address: Address) {
        self.reversed.push(address);
    }

    /// Replaces the next address, or adds it to an empty route.
    pub fn replace_front(&mut self, address: Address) {
        self.reversed.pop();
        self.reversed.push(address);
    }

    /// Puts all of `front` before the addresses of this route.
    pub fn prepend(&mut self, front: &Route) {
        self.reversed.extend(front.reversed.iter().cloned());
    }

    /// This route with `address` added at its end.
    #[must_use]
    pub fn then(&self, address: impl Into<Address>) -> Self {
        let mut reversed = SmallVec::with_capacity(self.len() + 1);
        reversed.push(address.into());
        reversed.extend(self.reversed.iter().cloned());
        Self { reversed }
    }

    /// The addresses from front to back.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Address> + '_ {
        self.reversed.iter().rev()
    }
}

/// The address of a peer that was meant by what has not the form of one: `127.0.0.1:4000`,
/// `tcp://127.0.0.1:4000`, `TCP#127.0.0.1:4000`.
fn meant_by(text: &str) -> Option<String> {
    if text.contains(char::is_whitespace) {
        return None;
    }
    if let Some((transport, peer)) = text.split_once('#') {
        let is_name = transport.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let has_capitals = transport.bytes().any(|byte| byte.is_ascii_uppercase());
        return (is_name && has_capitals).then(|| format!("{}#{peer}", transport.to_lowercase()));
    }
    if let Some((transport, peer)) = text.split_once("://") {
        return Some(format!("{}#{}", transport.to_lowercase(), peer.trim_end_matches('/')));
    }
    let (host, port) = text.rsplit_once(':')?;
    let is_peer = !host.is_empty() && port.parse::<u16>().is_ok();
    // `tcp:127.0.0.1:4000`; an IPv6 address begins with hexadecimal digits.
    let is_transport = |name: &str| name.bytes().any(|byte| matches!(byte, b'g'..=b'z'));
    let (transport, peer) = match text.split_once(':') {
        Some((name, peer)) if is_transport(name) && peer.contains(':') => (name, peer),
        _ => ("tcp", text),
    };
    is_peer.then(|| format!("{transport}#{peer}"))
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, address) in self.iter().enumerate() {
            let arrow = if position == 0 { "" } else { " => " };
            write!(f, "{arrow}{address}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        Self::parse(text)
    }
}

impl From<Vec<Address>> for Route {
    fn from(addresses: Vec<Address>) -> Self {
        addresses.into_iter().collect()
    }
}

impl FromIterator<Address> for Route {
    fn from_iter<I: IntoIterator<Item = Address>>(addresses: I) -> Self {
        Self::from_first_to_last(addresses.into_iter().collect())
    }
}

/// A single address is a route of one hop.
impl<A: Into<Address>> From<A> for Route {
    fn from(address: A) -> Self {
        let mut route = Self::new();
        route.push_front(address.into());
        route
    }
}

impl From<&Route> for Route {
    fn from(route: &Route) -> Self {
        route.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_front_to_back_and_parses_back() {
        let route = crate::route!["a", String::from("b"), Address::from("c")];
        assert_eq!(route.to_string(), "a => b => c");
        assert_eq!(Route::parse("a => b=>c").unwrap(), route);
    }

    #[test]
    fn a_hop_takes_from_the_front_and_prepends() {
        let mut onward = crate::route!["a", "b"];
        let mut back = Route::new();
        while let Some(address) = onward.pop_front() {
            back.push_front(address);
        }
        assert_eq!(back, crate::route!["b", "a"]);
        back.prepend(&crate::route!["x", "y"]);
        assert_eq!(back.to_string(), "x => y => b => a");
        assert_eq!(back.then("z").last(), Some(&Address::from("z")));
    }

    #[test]
    fn two_commas_separate_without_quotes() {
        let route = Route::parse("tcp#a:1,b:2,,listener").unwrap();
        assert_eq!(route, crate::route!["tcp#a:1,b:2", "listener"]);
        assert_eq!(Route::parse(&route.to_string()), Ok(route));
    }

    #[test]
    fn commas_in_addresses_survive_as_text() {
        for route in [crate::route!["a,", ",b"], crate::route![",", "tcp#a:1,b:2", ",c,"]] {
            route.validate().unwrap();
            assert_eq!(Route::parse(&route.to_string()), Ok(route));
        }
        assert!(crate::route!["a,,b"].validate().is_err());
    }

    #[test]
    fn slips_are_told_what_was_meant() {
        for (text, said) in [
            ("127.0.0.1:4000 => x", "did you mean tcp#127.0.0.1:4000?"),
            ("[::1]:4000 => x", "did you mean tcp#[::1]:4000?"),
            ("TCP#a:1 => x", "did you mean tcp#a:1?"),
            ("tcp://a:1/ => x", "did you mean tcp#a:1?"),
            ("quic:a:1 => x", "did you mean quic#a:1?"),
            ("fe80::1:4000 => x", "did you mean tcp#fe80::1:4000?"),
            ("tcp#a:1 -> x", "write => between"),
            ("tcp#a:1 \u{2192} x", "write => between"),
        ] {
            let error = Route::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        for good in ["a => b:x", "quic#a:1,wss#b:2/p => x", "unix#/a => x", "F00.I11"] {
            assert!(Route::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn parsing_names_what_is_wrong() {
        assert!(Route::parse("a => => b").unwrap_err().to_string().contains("empty"));
        let long = vec!["a"; MAX_ROUTE_ADDRESSES + 1].join("=>");
        assert_eq!(Route::parse(&long), Err(RouteError::TooLong(17)));
    }
}
