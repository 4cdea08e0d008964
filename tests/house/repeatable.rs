//! What would keep a simulated network from running the same way twice: clocks other than tokio's,
//! and what chooses by chance.

use crate::source::{product_files, File};

/// Where simulated nodes run; the programs around them do as they like.
const SIMULATED: [&str; 3] = ["runtime/src", "transports/src", "workers/src"];

/// Files on which other programs wait, too, so that the time is the system's.
const OF_THE_SYSTEM: [&str; 2] =
    ["workers/src/identity/vault/file/disk.rs", "workers/src/identity/known_identities/file.rs"];

/// What must not be imported, from which crate, and what is instead.
const FORBIDDEN: [(&str, &str, &str); 4] = [
    ("std", "Instant", "`clock::Instant`"),
    ("std", "SystemTime", "`clock::since_1970`"),
    ("std", "RandomState", "ahash's, with a key of `random`"),
    ("tokio", "watch", "`watched` of the runtime, which wakes in order"),
];

/// The code before the file's own tests, as one line.
fn code(file: &File) -> String {
    let product = file.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Whether the import from `root` names `name`.
fn imports(code: &str, root: &str, name: &str) -> bool {
    let import =
        code.split(&format!("use {root}::")).nth(1).and_then(|rest| rest.split(';').next());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    import.is_some_and(|import| import.split(|c| !is_part(c)).any(|word| word == name))
}

#[test]
fn nodes_use_one_clock_and_no_chance() {
    let is_simulated = |file: &&File| {
        let path = file.path.to_string_lossy();
        let is_test = path.contains("/tests") || path.ends_with("tests.rs");
        SIMULATED.iter().any(|root| path.starts_with(root))
            && !OF_THE_SYSTEM.contains(&path.as_ref())
            && path != "runtime/src/clock.rs"
            && !is_test
    };
    let mut found = Vec::new();
    for file in product_files().iter().filter(is_simulated) {
        let (path, code) = (file.path.display(), code(file));
        let named = FORBIDDEN.iter().filter(|(root, name, _)| imports(&code, root, name));
        found.extend(named.map(|(_, name, better)| format!("{path}: {name}, not {better}")));
        let selects = code.matches("select! {").count();
        if selects != code.matches("select! { biased;").count() {
            found.push(format!("{path}: a select! without `biased;`"));
        }
    }
    assert!(found.is_empty(), "not repeatable: {found:#?}");
}
