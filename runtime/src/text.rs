//! Text from others, for people: invisible characters are refused, or shown by number.
//!
//! Control characters can forge lines in a log, and those that change the direction of text make an
//! address look like another one.

use std::fmt::{self, Write};

/// Whether nobody sees that the character is there: control characters, separators of lines,
/// Unicode's *default ignorable* characters, among them those that change the direction of text,
/// and the marks of annotations. `docs/protocol.md` lists them for addresses.
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Shows a text with `\u{202e}` for a character that [cannot be seen](is_unseen).
///
/// ```
/// use ockam_actix_runtime::text::Shown;
///
/// assert_eq!(Shown("two\nlines").to_string(), "two\\u{a}lines");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match is_unseen(character) {
                true => write!(f, "{}", character.escape_unicode())?,
                false => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_direction_is_unseen() {
        let marks = ['\u{61c}', '\u{200e}', '\u{200f}'];
        let all = marks.into_iter().chain('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        for character in all.chain(['\u{200b}', '\u{feff}', '\u{ad}', '\u{e0041}', '\0', '\u{9b}'])
        {
            assert!(is_unseen(character), "{character:?}");
        }
    }

    #[test]
    fn characters_with_a_form_are_seen() {
        for character in "\u{600}\u{6dd}\u{70f}\u{8e2}é日ש\u{301}👍".chars() {
            assert!(!is_unseen(character), "{character:?}");
        }
    }

    #[test]
    fn seen_text_stays_and_the_rest_is_numbered() {
        assert_eq!(Shown("naïve 日本 👍 \\ \"x\"").to_string(), "naïve 日本 👍 \\ \"x\"");
        assert_eq!(
            Shown("a\u{202e}b\r\n\u{1b}[2J").to_string(),
            "a\\u{202e}b\\u{d}\\u{a}\\u{1b}[2J"
        );
    }
}
