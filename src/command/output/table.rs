//! Tables for people.

use ockam_actix_runtime::text::Shown;

/// Characters below which no column is made narrower for a terminal.
const NARROWEST: usize = 8;

/// What is between two columns.
const BETWEEN: &str = "  ";

/// The columns' names, and the rows.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// The columns of numbers, which end at the same place and are never cut.
    numbers: Vec<bool>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: impl IntoIterator<Item = &'static str>) -> Self {
        let names: Vec<_> = columns.into_iter().map(str::to_owned).collect();
        Self { numbers: vec![false; names.len()], rows: vec![names] }
    }

    /// Has these columns contain numbers.
    pub(crate) fn with_numbers(mut self, columns: &[&str]) -> Self {
        let names = self.rows[0].iter();
        self.numbers = names.map(|name| columns.contains(&name.as_str())).collect();
        self
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().map(|cell| Shown(&cell).to_string()).collect());
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The lines, each after `indent` spaces. Where there is a `width`, texts are cut so that all
    /// fits, as far as that leaves something of each.
    pub(crate) fn lines(&self, indent: usize, width: Option<usize>) -> Vec<String> {
        let mut widths = self.widths();
        if let Some(width) = width {
            self.fit(&mut widths, width.saturating_sub(indent));
        }
        let line = |row: &Vec<String>| {
            let mut line = " ".repeat(indent);
            for ((cell, width), is_number) in row.iter().zip(&widths).zip(&self.numbers) {
                let cell = cut(cell, *width);
                line += &match is_number {
                    true => format!("{cell:>width$}{BETWEEN}"),
                    false => format!("{cell:<width$}{BETWEEN}"),
                };
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    /// How wide each column is as it comes.
    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let widths = self.rows.iter().filter_map(|row| Some(row.get(column)?.chars().count()));
            widths.max().unwrap_or(0)
        };
        (0..self.numbers.len()).map(width).collect()
    }

    /// Takes from the widest columns of texts until all fits into `room`.
    fn fit(&self, widths: &mut [usize], room: usize) {
        let gaps = BETWEEN.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > room {
            let texts = widths.iter_mut().zip(&self.numbers).filter(|(_, is_number)| !**is_number);
            let widest = texts.map(|(width, _)| width).max_by_key(|width| **width);
            match widest {
                Some(width) if *width > NARROWEST => *width -= 1,
                _ => return,
            }
        }
    }
}

/// The beginning of a cell that is longer than its column.
fn cut(cell: &str, width: usize) -> String {
    match cell.chars().count() > width {
        true => {
            let kept: String = cell.chars().take(width.saturating_sub(1)).collect();
            // An identifier in it may end there, shortened before.
            format!("{}…", kept.trim_end_matches('…'))
        }
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The column at which `text` stands.
    fn column(line: &str, text: &str) -> Option<usize> {
        line.find(text).map(|at| line[..at].chars().count())
    }

    fn table() -> Table {
        let mut table = Table::new(["A", "B", "COUNT", "C"]).with_numbers(&["COUNT"]);
        table.push(["é".into(), "x".repeat(100), "7".into(), "long".repeat(20)]);
        table.push(["e".into(), "y".into(), "1234567".into(), "z\u{1b}".into()]);
        table
    }

    #[test]
    fn columns_line_up_and_nothing_is_cut() {
        let lines = table().lines(2, None);
        assert_eq!(column(&lines[0], "C"), column(&lines[2], "123").map(|at| at + 2));
        assert_eq!(column(&lines[1], "7"), column(&lines[2], "7"));
        assert_eq!(column(&lines[1], "long"), column(&lines[2], "z\\u{1b}"));
        assert!(lines[1].contains("xx  ") && lines[1].ends_with("long"), "{lines:?}");
    }

    #[test]
    fn a_table_fits_the_terminal() {
        for width in [36, 40, 60, 80, 100] {
            let lines = table().lines(2, Some(width));
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:?}");
            assert!(lines[2].contains(" 1234567 "), "numbers are whole: {lines:?}");
            assert!(lines[1].ends_with('…'), "{lines:?}");
        }
        let narrow = table().lines(0, Some(5));
        assert_eq!(narrow, table().lines(0, Some(1 + NARROWEST + 7 + NARROWEST + 6)));
        assert_eq!(table().lines(0, Some(1_000)), table().lines(0, None));
    }
}
