//! What is wrong with a text that was to be a target, or a place to listen.

use ockam_actix_runtime::Error;

/// What is wrong with a text, and the text that was probably meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misspelt {
    why: &'static str,
    meant: Option<String>,
}

impl Misspelt {
    pub(crate) const fn new(why: &'static str) -> Self {
        Self { why, meant: None }
    }

    /// Suggests `meant`, which may be wrong as well.
    pub(crate) fn meant(why: &'static str, meant: impl Into<String>) -> Self {
        Self { why, meant: Some(meant.into()) }
    }

    /// The error for whoever has written `text`, which was to be `what`, with a suggestion that
    /// `is_right`.
    pub(crate) fn error(
        self,
        (text, what): (&str, &str),
        is_right: impl FnOnce(&str) -> bool,
    ) -> Error {
        let remedy = match self.meant.filter(|meant| is_right(meant)) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "expected host:port, such as 127.0.0.1:5000, or unix:/path".into(),
        };
        Error::Usage(format!("\"{text}\" is not {what}: {}; {remedy}", self.why))
    }
}
