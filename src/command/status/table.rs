//! Tables for a terminal, and how quantities are written in them.

use std::fmt;

use serde_json::Value;

/// Characters of a cell in a column before the last: what is longer is cut.
const WIDEST: usize = 44;

/// Digits of an identifier that are enough to tell it from others.
const SHORT: usize = 13;

/// A title, the columns' names and the rows.
pub(super) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(title: &str, columns: Vec<String>) -> Self {
        Self { title: title.to_owned(), rows: vec![columns] }
    }

    /// Adds a row, with a cell for each column.
    pub(super) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    fn width(&self, column: usize) -> usize {
        let widths = self.rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0).min(WIDEST)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.title)?;
        let last = self.rows[0].len().saturating_sub(1);
        let widths: Vec<_> = (0..last).map(|column| self.width(column)).collect();
        for row in &self.rows {
            let mut line = String::from("  ");
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{:width$}  ", cut(cell)));
            }
            line.push_str(&row[last]);
            write!(f, "\n{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn cut(cell: &str) -> String {
    match cell.chars().count() > WIDEST {
        true => cell.chars().take(WIDEST - 1).chain(['…']).collect(),
        false => cell.to_owned(),
    }
}

/// An identifier's beginning.
pub(super) fn short(identifier: &Value) -> String {
    identifier.as_str().map_or("-".into(), |text| match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    })
}

/// A number of bytes, with three digits.
pub(super) fn bytes(value: &Value) -> String {
    let Some(bytes) = value.as_u64() else { return "-".into() };
    let mut scaled = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if scaled < 1e3 {
            return format!("{} {unit}", three_digits(scaled));
        }
        scaled /= 1e3;
    }
    format!("{} TB", three_digits(scaled))
}

/// A number of seconds, in one unit or two.
pub(super) fn duration(value: &Value) -> String {
    let Some(seconds) = value.as_f64() else { return "-".into() };
    let whole = seconds as u64;
    match whole {
        0 if seconds < 1e-3 => format!("{} µs", three_digits(seconds * 1e6)),
        0 => format!("{} ms", three_digits(seconds * 1e3)),
        1..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3_600 % 24),
    }
}

fn three_digits(number: f64) -> String {
    match number {
        _ if number.fract() == 0.0 || number >= 100.0 => format!("{number:.0}"),
        _ if number >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_have_three_digits_and_a_unit() {
        for (number, text) in
            [(0, "0 B"), (999, "999 B"), (1_234, "1.23 kB"), (12_345_678, "12.3 MB")]
        {
            assert_eq!(bytes(&json!(number)), text);
        }
        for (number, text) in [
            (0.0, "0 µs"),
            (0.000_05, "50 µs"),
            (0.012_3, "12.3 ms"),
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (3_700.0, "1 h 1 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(duration(&json!(number)), text);
        }
        assert_eq!([bytes(&Value::Null), duration(&Value::Null)], ["-", "-"]);
    }

    #[test]
    fn columns_line_up_and_long_cells_are_cut() {
        let mut table = Table::new("links", ["A", "B", "C"].map(str::to_owned).into());
        table.push(vec!["é".into(), "x".repeat(100), "long".repeat(20)]);
        let text = table.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "links");
        let column = |line: &str, text: &str| line.find(text).map(|at| line[..at].chars().count());
        assert_eq!(column(lines[1], "C"), column(lines[2], "long"));
        assert!(lines[2].contains("x…  long"), "{text}");
        assert!(short(&json!("I0123456789abcdef")).ends_with("ab…"));
    }
}
