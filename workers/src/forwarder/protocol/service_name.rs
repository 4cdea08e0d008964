//! The name of a service: what makes the addresses of one identity on one hub differ.

use std::{fmt, str::FromStr};

use ockam_actix_runtime::{Error, Result};

use crate::forwarder::limits::MAX_SERVICE_NAME;

/// A name of 0 to 64 letters, digits, `-`, `_` and `.`. The empty one is that of an identity's one
/// service without a name.
///
/// ```
/// use ockam_actix_workers::forwarder::protocol::service_name::ServiceName;
/// assert_eq!("web-1".parse::<ServiceName>()?.as_str(), "web-1");
/// assert!("no spaces".parse::<ServiceName>().is_err());
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceName(Box<str>);

impl ServiceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = Error;

    /// # Errors
    /// [`Error::Usage`] that says which names there may be.
    fn from_str(text: &str) -> Result<Self> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        if text.len() > MAX_SERVICE_NAME || !text.bytes().all(allowed) {
            return Err(Error::Usage(format!(
                "{text:?} cannot name a service: it needs at most {MAX_SERVICE_NAME} letters, \
                 digits, hyphens, underscores and full stops"
            )));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["", "outlet", "Web_1.b-c", &"x".repeat(MAX_SERVICE_NAME)] {
            assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        }
        for bad in ["a b", "a\nb", "é", "a\u{202e}b", "a/b", &"x".repeat(MAX_SERVICE_NAME + 1)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad:?}");
        }
    }
}
