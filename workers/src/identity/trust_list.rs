//! The text of a trust file: who is trusted, by name.
//!
//! ```text
//! # One identity a line: its name, and its identifier.
//! laptop I0f3a...
//! web    I77c0...   # the one in the cellar
//! ```
//!
//! A name has 1 to [`MAX_PEER_NAME`] bytes that can all be seen, without spaces, `=`, `,`, `#` and
//! quotes, so that it can stand in a list on a command line. Each name and each identifier stands
//! in one line.

use std::{collections::BTreeMap, fmt, fmt::Write as _};

use ockam_actix_runtime::{
    address::identifier::ParseIdentifierError,
    text::{is_unseen, Shown},
    Identifier,
};

/// Bytes of the longest name of a peer.
pub const MAX_PEER_NAME: usize = 64;

/// Bytes of the longest trust file: some three thousand lines.
pub(crate) const MAX_TRUST_FILE: usize = 256 * 1024;

/// What stands above the lines of a file that a program creates.
const HEADER: &str = "# The identities that are trusted: in each line a name and an identifier.\n";

/// Identities with the names that this node has for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustList {
    names: BTreeMap<Identifier, String>,
}

/// Why a text is no trust list: the number of the line, from 1, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TrustListError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: TrustLineError,
}

/// What is wrong with a line of a trust list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustLineError {
    /// Not two words.
    #[error("expected a name and an identifier, such as: laptop I0123...")]
    Words,
    /// The first word is no name.
    #[error(
        "{0:?} cannot name a peer: it needs 1 to {MAX_PEER_NAME} bytes that can all be seen, \
         without spaces, =, comma, # and quotes"
    )]
    Name(String),
    /// The second word is no identifier.
    #[error(transparent)]
    Identifier(#[from] ParseIdentifierError),
    /// Another line has the same name.
    #[error("the name {0:?} is in use for another identity")]
    NameTaken(String),
    /// Another line has the same identifier.
    #[error("the identity is there already, as {0:?}")]
    Twice(String),
}

impl TrustList {
    /// Reads the text of a trust file.
    ///
    /// # Errors
    /// [`TrustListError`] for the first line that is no entry, comment or blank.
    pub fn parse(text: &str) -> Result<Self, TrustListError> {
        let mut list = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split_once('#').map_or(line, |(entry, _)| entry);
            let at = |what| TrustListError { line: index + 1, what };
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                [name, identifier] => {
                    let identifier = identifier.parse::<Identifier>();
                    let identifier = identifier.map_err(|error| at(error.into()))?;
                    list.insert(name, identifier).map_err(at)?;
                }
                _ => return Err(at(TrustLineError::Words)),
            }
        }
        Ok(list)
    }

    /// Adds an identity under a name.
    ///
    /// # Errors
    /// If the name is none or in use, or the identity is there already.
    pub fn insert(&mut self, name: &str, identifier: Identifier) -> Result<(), TrustLineError> {
        if !is_peer_name(name) {
            return Err(TrustLineError::Name(Shown(name).to_string()));
        }
        if let Some(before) = self.names.get(&identifier) {
            return Err(TrustLineError::Twice(before.clone()));
        }
        if self.names.values().any(|taken| taken == name) {
            return Err(TrustLineError::NameTaken(name.to_owned()));
        }
        self.names.insert(identifier, name.to_owned());
        Ok(())
    }

    /// Whether an identity is in it.
    pub fn contains(&self, identifier: &Identifier) -> bool {
        self.names.contains_key(identifier)
    }

    /// The name of an identity.
    pub fn name_of(&self, identifier: &Identifier) -> Option<&str> {
        self.names.get(identifier).map(String::as_str)
    }

    /// Each identifier with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&Identifier, &str)> {
        self.names.iter().map(|(identifier, name)| (identifier, name.as_str()))
    }

    /// The number of identities.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// `wanted`, or if that is taken, `wanted-2`, `wanted-3` and so on.
    pub(crate) fn free_name(&self, wanted: &str) -> String {
        let is_free = |name: &String| self.names.values().all(|taken| taken != name);
        let numbered = (2..).map(|number| {
            let suffix = format!("-{number}");
            let mut end = wanted.len().min(MAX_PEER_NAME - suffix.len());
            while !wanted.is_char_boundary(end) {
                end -= 1;
            }
            format!("{}{suffix}", &wanted[..end])
        });
        std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }
}

/// Whether a text may name a peer.
pub fn is_peer_name(text: &str) -> bool {
    let is_bad = |c: char| c.is_whitespace() || is_unseen(c) || "=,#'\"".contains(c);
    (1..=MAX_PEER_NAME).contains(&text.len()) && !text.chars().any(is_bad)
}

/// The text of a trust file with one more line at its end, and all others as they were.
pub(crate) fn with_line(text: Option<&str>, name: &str, identifier: &Identifier) -> String {
    let mut text = text.map_or_else(|| HEADER.to_owned(), str::to_owned);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    // Writing to a text does not fail.
    let _ = writeln!(text, "{name} {identifier}");
    text
}

/// The text of a file that is created empty.
pub(crate) fn empty_text() -> &'static str {
    HEADER
}

/// As lines of a trust file.
impl fmt::Display for TrustList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names.iter().try_for_each(|(identifier, name)| writeln!(f, "{name} {identifier}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALICE: Identifier = Identifier::from_bytes([1; 32]);
    const BOB: Identifier = Identifier::from_bytes([2; 32]);

    #[test]
    fn lines_have_a_name_and_an_identifier() {
        let text = format!("# who\n\nalice {ALICE}\r\n\tbob  {BOB} # in the cellar");
        let list = TrustList::parse(&text).unwrap();
        assert_eq!((list.name_of(&ALICE), list.name_of(&BOB)), (Some("alice"), Some("bob")));
        assert_eq!(TrustList::parse(&list.to_string()), Ok(list));
        assert!(TrustList::parse("").unwrap().is_empty());
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, said) in [
            ("alice".to_owned(), 1, "a name and an identifier"),
            (format!("\nalice I12\nbob {BOB}"), 2, "65 characters"),
            (format!("a=b {ALICE}"), 1, "cannot name"),
            (format!("a {ALICE}\na {BOB}"), 2, "in use"),
            (format!("a {ALICE}\n# x\nb {ALICE}"), 3, "there already, as \"a\""),
            (format!("two words {ALICE}"), 1, "a name and an identifier"),
        ] {
            let error = TrustList::parse(&text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn an_added_line_leaves_the_others_alone() {
        let before = format!("# mine\nalice {ALICE}  # first");
        let after = with_line(Some(&before), "bob", &BOB);
        assert_eq!(after, format!("{before}\nbob {BOB}\n"));
        assert_eq!(TrustList::parse(&after).unwrap().len(), 2);
        assert_eq!(TrustList::parse(&with_line(None, "bob", &BOB)).unwrap().len(), 1);
        assert!(TrustList::parse(empty_text()).unwrap().is_empty());
    }

    #[test]
    fn taken_names_are_numbered() {
        let mut list = TrustList::default();
        list.insert("laptop", ALICE).unwrap();
        assert_eq!(list.free_name("laptop"), "laptop-2");
        list.insert("laptop-2", BOB).unwrap();
        assert_eq!(list.free_name("laptop"), "laptop-3");
        assert_eq!(list.free_name("web"), "web");
        let long = "é".repeat(MAX_PEER_NAME / 2);
        list.insert(&long, Identifier::from_bytes([3; 32])).unwrap();
        assert!(is_peer_name(&list.free_name(&long)));
    }

    proptest! {
        #[test]
        fn whatever_parses_is_shown_and_parsed_again(text in "([a-c#=, ]{0,3} ?I?[01]{0,66}\n?){0,4}") {
            if let Ok(list) = TrustList::parse(&text) {
                prop_assert_eq!(TrustList::parse(&list.to_string()), Ok(list));
            }
        }
    }
}
