//! Lines that are too long for a terminal.

/// Columns below which a text is left to the terminal.
const NARROWEST: usize = 20;

/// `text` in lines of at most `width` columns, which begin after `indent` spaces but for the first.
/// A word that is longer stands alone.
pub(crate) fn wrapped(text: &str, indent: usize, width: usize) -> String {
    if width < indent + NARROWEST {
        return text.to_owned();
    }
    let (mut lines, mut rest, mut margin) = (String::new(), text, 0);
    while let Some((line, next)) = broken(rest, margin, indent, width) {
        lines += line.trim_end();
        lines.push('\n');
        lines += &" ".repeat(indent);
        (rest, margin) = (next.trim_start(), indent);
    }
    lines + rest
}

/// What comes before the end of a line that begins at `margin`, and after it; `None` if the line
/// has room for all.
fn broken(text: &str, margin: usize, indent: usize, width: usize) -> Option<(&str, &str)> {
    if margin + text.chars().count() <= width {
        return None;
    }
    // The margin itself, or what stands in its place in the first line, is not broken.
    let spaces = text
        .char_indices()
        .enumerate()
        .filter(|(at, (_, character))| *character == ' ' && margin + at > indent);
    let (mut last, mut later) = (None, None);
    for (at, (offset, _)) in spaces {
        match margin + at <= width {
            true => last = Some(offset),
            false => {
                later = Some(offset);
                break;
            }
        }
    }
    let at = last.or(later)?;
    (!text[at..].trim_start().is_empty()).then(|| text.split_at(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        let text = "    0.99 s  the hub is killed, and both ends wait";
        assert_eq!(wrapped(text, 12, 80), text);
        let lines = "    0.99 s  the hub is killed,\n            and both ends wait";
        assert_eq!(wrapped(text, 12, 32), lines);
        assert_eq!(wrapped(text, 12, 31), text.to_owned());
        let word = format!("see {} there", "x".repeat(40));
        assert_eq!(wrapped(&word, 2, 22), format!("see\n  {}\n  there", "x".repeat(40)));
        for width in 22..60 {
            let lines = wrapped(text, 2, width);
            let fits = |line: &str| line.chars().count() <= width;
            assert!(lines.lines().all(fits), "{width}: {lines}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&lines), words(text));
        }
    }
}
