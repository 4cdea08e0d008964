//! Text for everybody who sees the console.
//!
//! Routes and errors never contain the secret of a forwarding address. But to know an address of
//! many random digits, such as a forwarder's or that of an answer, is to have access to it, unless
//! its worker has another rule. So only the first digits of each are shown, which tell them apart.
//! Identifiers are public, and shown whole.

/// Digits of the shortest random address.
const RANDOM_DIGITS: usize = 32;

/// Digits that are shown of it.
const SHOWN_DIGITS: usize = 8;

/// The text without what gives access.
pub(super) fn public(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_digit) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|character| !is_digit(character)).unwrap_or(digits.len());
        let (run, after) = digits.split_at(end);
        shown.push_str(before);
        match (before.chars().next_back(), run.len()) {
            (Some('S'), RANDOM_DIGITS..) => shown.push('…'),
            (Some('I'), 64) | (_, ..RANDOM_DIGITS) => shown.push_str(run),
            _ => {
                shown.push_str(&run[..SHOWN_DIGITS]);
                shown.push('…');
            }
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn is_digit(character: char) -> bool {
    matches!(character, '0'..='9' | 'a'..='f')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_identifiers_are_shown_whole() {
        let identifier = format!("I{}", "0f".repeat(32));
        let forwarder = format!("F{}", "1a".repeat(16));
        let secret = format!("S{}", "5e".repeat(32));
        let text = format!("tcp#10.0.0.1:4000 => {forwarder}.{identifier}.{secret} => outlet");
        let shown = format!("tcp#10.0.0.1:4000 => F1a1a1a1a….{identifier}.S… => outlet");
        assert_eq!(public(&text), shown);
        assert_eq!(public(&"7b".repeat(16)), "7b7b7b7b…");
        for whole in ["", "outlet", "127.0.0.1:5000", "unix#/run/feed", "é…"] {
            assert_eq!(public(whole), whole);
        }
    }
}
