//! What `ockam --version` says of a build: the commit, and the features.
//!
//! The commit is that of release builds alone: others change with each edit, so it would say
//! nothing, and each commit would build everything again.

use std::{env, path::Path, process::Command};

/// Those that change what the program can do.
const FEATURES: [&str; 6] = ["cluster", "console", "jemalloc", "quic", "tls", "ws"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_on =
        |feature: &&str| env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase())).is_some();
    let features = FEATURES.into_iter().filter(is_on).collect::<Vec<_>>().join(" ");
    let commit = commit().map_or_else(String::new, |commit| format!("commit {commit}, "));
    println!("cargo::rustc-env=OCKAM_BUILD= ({commit}features: {features})");
}

/// The commit that is built, as short as it is in any clone.
fn commit() -> Option<String> {
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // A package that is unpacked somewhere in another repository is not of its commit.
    if !is_release || !Path::new(".git").exists() {
        return None;
    }
    // Each commit and checkout adds a line to this file.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=9", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
