//! Our own programs, as Cargo has built them beside the one that runs.
//!
//! Programs are in `target/PROFILE`, tests in `target/PROFILE/deps`, examples in
//! `target/PROFILE/examples`. Cargo builds programs and examples before a package's own tests. It
//! does not build another package's program, so a test that depends on one asks for [`current`].

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The path of a program, such as `ockam`.
///
/// # Errors
/// If it was not built; the error says which command does that.
pub fn program(name: &str) -> io::Result<PathBuf> {
    let folder = folder()?;
    existing(folder.join(name), &format!("cargo build{} --bin {name}", profile(&folder)))
}

/// The path of one of the repository's examples.
///
/// # Errors
/// If it was not built; the error says which command does that.
pub fn example(name: &str) -> io::Result<PathBuf> {
    let folder = folder()?;
    let command = format!("cargo build{} --examples", profile(&folder));
    existing(folder.join("examples").join(name), &command)
}

/// As [`program`], and no older than any file that it was made from: a long run of yesterday's code
/// would say nothing about today's.
///
/// # Errors
/// If it was not built, or is out of date; the error says which command changes that.
pub fn current(name: &str) -> io::Result<PathBuf> {
    let path = program(name)?;
    let built = fs::metadata(&path)?.modified()?;
    // Cargo writes beside each program what it was made from. Without that, the program counts as
    // current.
    let made_from = fs::read_to_string(path.with_extension("d")).unwrap_or_default();
    let is_newer = |source: &Path| {
        fs::metadata(source).and_then(|file| file.modified()).is_ok_and(|changed| changed > built)
    };
    let sources = made_from.split_once(": ").map_or("", |(_, sources)| sources);
    match sources.split_whitespace().find(|source| is_newer(Path::new(source))) {
        None => Ok(path),
        Some(source) => Err(io::Error::other(format!(
            "{} is older than {source}; run `cargo build{} --bin {name}` first",
            path.display(),
            profile(&folder()?)
        ))),
    }
}

/// `target/PROFILE`, where this was built.
fn folder() -> io::Result<PathBuf> {
    let executable = env::current_exe()?;
    let mut folders = executable.ancestors().skip(1);
    let folder = folders.find(|folder| !folder.ends_with("deps") && !folder.ends_with("examples"));
    folder.map(Path::to_path_buf).ok_or_else(|| io::Error::other("this program is in no folder"))
}

/// The argument that names a folder's profile to Cargo.
fn profile(folder: &Path) -> String {
    match folder.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => String::new(),
        Some("release") => " --release".to_owned(),
        Some(other) => format!(" --profile {other}"),
    }
}

fn existing(path: PathBuf, command: &str) -> io::Result<PathBuf> {
    if path.is_file() {
        return Ok(path);
    }
    let text = format!("{} was not built; run `{command}` first", path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}
