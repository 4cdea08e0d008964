//! Reading and replacing small private files.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use crate::identity::vault::file::error::VaultFileError;

/// The path without symbolic links, so that a replacement does not put a file where a link was.
pub(in crate::identity) fn resolve(path: &Path) -> Result<PathBuf, VaultFileError> {
    let failed = |source| VaultFileError::NoDirectory { path: path.to_owned(), source };
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other.map_err(failed),
    }
    let directory = fs::canonicalize(directory_of(path)).map_err(failed)?;
    let name = path.file_name().ok_or_else(|| failed(ErrorKind::InvalidInput.into()))?;
    Ok(directory.join(name))
}

/// The file's bytes, or `None` when there is no such file. One that others can access, or that is
/// longer than `most`, is an error.
pub(in crate::identity) fn read(
    path: &Path,
    most: usize,
) -> Result<Option<Vec<u8>>, VaultFileError> {
    let failed = |source| VaultFileError::NotRead { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    check_permissions(path, &file)?;
    let mut bytes = Vec::with_capacity(most.min(4096));
    // One byte more than allowed is enough to notice.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(failed(io::Error::new(
            ErrorKind::FileTooLarge,
            "the file is larger than any of its kind",
        )));
    }
    Ok(Some(bytes))
}

/// Replaces the file with `bytes`: complete and on disk, or not at all. Under a lock, `expected` is
/// shown what is there now and may object.
pub(super) fn replace(
    path: &Path,
    bytes: &[u8],
    expected: impl FnOnce(Option<&[u8]>) -> bool,
) -> Result<(), VaultFileError> {
    let failed = |source| VaultFileError::NotWritten { path: path.to_owned(), source };
    let _lock = lock(path).map_err(failed)?;
    let found = read(path, super::header::MAX_FILE)?;
    if !expected(found.as_deref()) {
        return Err(VaultFileError::ChangedMeanwhile { path: path.to_owned() });
    }
    write(path, bytes)
}

/// Puts a file in the place of what is there, under the lock.
fn write(path: &Path, bytes: &[u8]) -> Result<(), VaultFileError> {
    let failed = |source| VaultFileError::NotWritten { path: path.to_owned(), source };
    let temporary = sibling(path, "tmp");
    let renamed = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = renamed {
        // The first error is the one to report; a leftover is removed by the next write.
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    sync_directory(path)
        .map_err(|source| VaultFileError::NotSynced { path: path.to_owned(), source })
}

/// As [`replace`], for a file of at most `most` bytes that several programs add to: under the lock,
/// `next` is shown what is there now and returns what is to be there, or `None` for the same.
pub(in crate::identity) fn update(
    path: &Path,
    most: usize,
    next: impl FnOnce(Option<&[u8]>) -> Result<Option<Vec<u8>>, VaultFileError>,
) -> Result<(), VaultFileError> {
    let failed = |source| VaultFileError::NotWritten { path: path.to_owned(), source };
    let _lock = lock(path).map_err(failed)?;
    match next(read(path, most)?.as_deref())? {
        Some(bytes) => write(path, &bytes),
        None => Ok(()),
    }
}

/// Waits for other writers. The empty lock file stays: removing it would let two writers hold two
/// different locks.
fn lock(path: &Path) -> io::Result<File> {
    let file = private(OpenOptions::new().write(true).create(true).truncate(false))
        .open(sibling(path, "lock"))?;
    file.lock()?;
    Ok(file)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `.NAME.tmp` or `.NAME.lock` beside `NAME`.
fn sibling(path: &Path, kind: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(kind);
    path.with_file_name(name)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(unix)]
fn check_permissions(path: &Path, file: &File) -> Result<(), VaultFileError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file
        .metadata()
        .map_err(|source| VaultFileError::NotRead { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(VaultFileError::LoosePermissions { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

// Elsewhere files inherit their rights from the directory, and directories cannot be synced.
#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn check_permissions(_: &Path, _: &File) -> Result<(), VaultFileError> {
    Ok(())
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
