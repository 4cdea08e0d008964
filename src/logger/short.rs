//! Identifiers and random addresses in lines for people: as short as they still tell apart.

/// Digits in a row that are no word and no number of a person's: those of random addresses,
/// identifiers and keys.
const LONG: usize = 32;

/// Digits that are shown of them.
const SHOWN: usize = 8;

/// The text with an ellipsis after the first digits of whatever has many.
///
/// Whoever shows a stranger's identity to a person who decides must not use it: identities whose
/// first digits are equal can be made.
pub(super) fn short(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let digits = digits.count();
        let others = rest[digits..].find(|c| matches!(c, '0'..='9' | 'a'..='f'));
        let end = others.map_or(rest.len(), |others| digits + others);
        if digits >= LONG {
            shown.push_str(&rest[..SHOWN]);
            shown.push('…');
        } else {
            shown.push_str(&rest[..digits]);
        }
        shown.push_str(&rest[digits..end]);
        rest = &rest[end..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_digits_are_shortened_wherever_they_are() {
        let (bits, identifier) = ("5".repeat(32), "ab".repeat(32));
        let text = format!("to F{bits}.I{identifier} (I{identifier}), café");
        assert_eq!(short(&text), "to F55555555….Iabababab… (Iabababab…), café");
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["", "é", "feed 127.0.0.1:4000", "secure_channel_listener_service", "0123abc"]
        {
            assert_eq!(short(text), text);
        }
    }
}
