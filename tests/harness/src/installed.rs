//! Whether a program of the system is installed, and where.

use std::{io, path::PathBuf};

/// Where `program` is installed; `sbin` counts even if the user's path leaves it out.
///
/// # Errors
/// If it is in none of these folders.
pub fn installed(program: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let mut candidates =
        std::env::split_paths(&path).chain(extra).map(|folder| folder.join(program));
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{program} is not installed"));
    candidates.find(|file| file.is_file()).ok_or_else(missing)
}

/// Whether it is installed at all.
pub fn is_installed(program: &str) -> bool {
    installed(program).is_ok()
}
