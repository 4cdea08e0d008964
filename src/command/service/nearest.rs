//! The key that was probably meant by a misspelt one.

/// What was meant, if it is near enough to what was written.
pub(crate) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let meant = [("name", "service"), ("target", "to"), ("hub", "via"), ("address", "listen")];
    let meant = meant.iter().find(|(other, meant)| *other == written && known.contains(meant));
    let far = 1 + written.len() / 4;
    let near = known.iter().map(|known| (distance(written, known), *known)).min();
    let near = near.filter(|(distance, _)| *distance <= far).map(|(_, known)| known);
    near.or(meant.map(|(_, meant)| *meant))
}

/// How many characters are to be added, removed or replaced to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, byte) in one.bytes().enumerate() {
        let mut before = std::mem::replace(&mut row[0], index + 1);
        for (column, with) in other.bytes().enumerate() {
            let replaced = before + usize::from(byte != with);
            before = row[column + 1];
            row[column + 1] = replaced.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_other_words_are_understood() {
        let known = ["listen", "service", "to", "via"];
        for (written, meant) in [
            ("lisen", Some("listen")),
            ("services", Some("service")),
            ("name", Some("service")),
            ("target", Some("to")),
            ("bandwidth", None),
        ] {
            assert_eq!(nearest(written, &known), meant, "{written}");
        }
    }
}
