//! The page about security: the tests that it names exist, and every entry has its form.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{collections::HashSet, fs, path::Path};

const WEAKNESS_PARTS: [&str; 4] = ["Attack", "Counter", "Tested by", "What is left"];

const FIGURES: usize = 19;
const FIGURE_PARTS: [&str; 4] = ["Aim", "Command", "Result", "Date"];

/// Characters of a table's row, and columns of everything else but code.
const MAX_ROW: usize = 160;
const MAX_COLUMNS: usize = 100;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("docs/security.md")).unwrap()
}

/// The names of all tests in the Rust sources under `directory`.
fn collect_tests(directory: &Path, names: &mut HashSet<String>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect_tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(tests_in(&fs::read_to_string(path).unwrap()));
        }
    }
}

/// The functions of a source that have an attribute such as `#[test]`.
fn tests_in(source: &str) -> Vec<String> {
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") || line.starts_with("//") {
            is_test |= line.starts_with("#[") && line.ends_with("test]");
        } else {
            let name = line.split_once("fn ").and_then(|(_, name)| name.split_once('('));
            names.extend(name.filter(|_| is_test).map(|(name, _)| name.to_owned()));
            is_test = false;
        }
    }
    names
}

fn all_tests() -> HashSet<String> {
    let mut names = HashSet::new();
    for part in ["runtime", "transports", "workers", "src", "tests"] {
        collect_tests(&root().join(part), &mut names);
    }
    names
}

/// The texts in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a quoted text has the form of a test's name.
fn is_test_name(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    text.matches('_').count() > 1 && text.chars().all(|letter| letter == '_' || is_part(letter))
}

/// The section that a heading begins, up to the next one: its title and its text.
fn section<'a>(page: &'a str, begin: &str) -> (&'a str, &'a str) {
    let mut sections = page.split("\n### ").filter(|text| text.starts_with(begin));
    let found = sections.next().unwrap_or_else(|| panic!("there is no section \"{begin}\""));
    assert!(sections.next().is_none(), "there are two sections \"{begin}\"");
    let (title, text) = found.split_once('\n').unwrap();
    (title, text.split("\n## ").next().unwrap())
}

/// Where a link to a heading leads.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " -".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// The texts of a section's parts, which must all be there, in this order, and say something.
fn parts<'a>(title: &str, text: &'a str, names: [&str; 4]) -> [&'a str; 4] {
    let mut rest = text;
    let mut begins = names.map(|name| {
        let label = format!("\n**{name}:**");
        let (before, after) =
            rest.split_once(&label).unwrap_or_else(|| panic!("{title}: {name} is missing"));
        rest = after;
        (before, after)
    });
    let ends: Vec<_> = begins.iter().skip(1).map(|(before, _)| *before).collect();
    for (begin, end) in begins.iter_mut().zip(ends) {
        begin.1 = end;
    }
    let texts = begins.map(|(_, text)| text.trim());
    for (name, text) in names.iter().zip(texts) {
        assert!(!text.is_empty(), "{title}: {name} says nothing");
    }
    texts
}

/// Whether a number follows `begin` in a line.
fn is_numbered(line: &str, begin: &str) -> bool {
    line.strip_prefix(begin).is_some_and(|rest| rest.starts_with(|first: char| first.is_numeric()))
}

/// A row of a table must lead to the section.
fn is_linked(page: &str, label: &str, title: &str) {
    let row = format!("\n| [{label}](#{}) | ", anchor(title));
    assert_eq!(page.matches(&row).count(), 1, "rows of a table that begin with {row:?}");
}

#[test]
fn every_test_that_the_page_names_exists() {
    let (page, tests) = (page(), all_tests());
    let named: Vec<_> = quoted(&page).filter(|text| is_test_name(text)).collect();
    for name in &named {
        assert!(tests.contains(*name), "{name} is not a test");
    }
    assert!(named.len() > 80, "{} names were found", named.len());
}

#[test]
fn every_weakness_has_row_section_and_tests() {
    let (page, tests) = (page(), all_tests());
    let headings = page.lines().filter(|line| is_numbered(line, "### W"));
    let labels = headings.filter_map(|line| line.strip_prefix("### ")?.split(':').next());
    let titles: Vec<_> = labels.map(|label| (label.to_owned(), format!("{label}: "))).collect();
    assert!(titles.len() > 19, "{} sections were found", titles.len());
    let rows = page.lines().filter(|line| is_numbered(line, "| [W")).count();
    assert_eq!(rows, titles.len());
    let more = ("Replaced keys".to_owned(), "Replaced keys".to_owned());
    for (label, begin) in titles.into_iter().chain([more]) {
        let (title, text) = section(&page, &begin);
        is_linked(&page, &label, title);
        let [_, _, tested_by, _] = parts(title, text, WEAKNESS_PARTS);
        for line in tested_by.lines() {
            let name = line.strip_prefix("- `").and_then(|line| line.strip_suffix('`'));
            let name = name.unwrap_or_else(|| panic!("{title}: {line:?} is no test's name"));
            assert!(tests.contains(name), "{title}: {name} is not a test");
        }
    }
}

#[test]
fn every_figure_has_row_section_and_date() {
    let page = page();
    for number in 1..=FIGURES {
        let (title, text) = section(&page, &format!("Figure {number}: "));
        is_linked(&page, &number.to_string(), title);
        let [.., date] = parts(title, text, FIGURE_PARTS);
        let day = date.split(['.', ';', ' ']).next().unwrap();
        let digits = day.split('-').map(|part| part.parse::<u16>().map(|_| part.len()).ok());
        let is_date = digits.eq([Some(4), Some(2), Some(2)]);
        assert!(is_date, "{title}: {date:?} begins with no date");
    }
    assert_eq!(page.lines().filter(|line| is_numbered(line, "### Figure ")).count(), FIGURES);
    assert_eq!(page.lines().filter(|line| is_numbered(line, "| [")).count(), FIGURES);
}

#[test]
fn rows_and_lines_are_short_enough_to_read() {
    let page = page();
    let mut is_code = false;
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        let limit = if line.starts_with('|') { MAX_ROW } else { MAX_COLUMNS };
        let length = line.chars().count();
        assert!(is_code || length <= limit, "{length} characters, at most {limit}: {line}");
    }
}
