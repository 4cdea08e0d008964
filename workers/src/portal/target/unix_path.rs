//! The path of a Unix socket: `unix:/path` or `unix:///path`.

use std::{os::unix::net::SocketAddr, path::PathBuf};

use crate::portal::target::misspelt::Misspelt;

/// The path of a Unix socket, if `text` is to be one.
///
/// # Errors
/// If no socket can have the path.
pub(crate) fn unix_path(text: &str) -> Option<Result<PathBuf, Misspelt>> {
    let path = text.strip_prefix("unix:")?;
    Some(checked(path.strip_prefix("//").unwrap_or(path)))
}

fn checked(path: &str) -> Result<PathBuf, Misspelt> {
    if !path.starts_with('/') {
        let meant = format!("unix:/{path}");
        return Err(Misspelt::meant("the path of a Unix socket begins with /", meant));
    }
    if path.ends_with('/') {
        return Err(Misspelt::new("it is the path of a folder, not of a socket"));
    }
    match SocketAddr::from_pathname(path) {
        Ok(_) => Ok(path.into()),
        Err(_) => Err(Misspelt::new("the path is too long for a Unix socket")),
    }
}
