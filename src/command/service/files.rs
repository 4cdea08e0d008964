//! The files of `ockam run`: the one that was named, those that it includes, and what tells whether
//! one of them has changed.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A file, and those that it includes, as they were last looked at. Looking waits for the disk:
/// never do it on an arbiter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// The patterns of those that it includes.
    patterns: Vec<String>,
    included: Vec<(PathBuf, Option<Stamp>)>,
}

/// When a file was changed last, its length, and which one it is.
type Stamp = (SystemTime, u64, u64);

impl Files {
    /// The file at `path`, which has not been looked at.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, stamp: None, patterns: Vec::new(), included: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The files that it includes.
    pub(crate) fn included(&self) -> impl Iterator<Item = &Path> {
        self.included.iter().map(|(path, _)| path.as_path())
    }

    /// Looks at all of them.
    pub(crate) fn look(&mut self) {
        self.stamp = stamp(&self.path);
        let patterns = std::mem::take(&mut self.patterns);
        self.include(patterns);
    }

    /// From now on, it includes the files of these patterns, and no others.
    pub(crate) fn include(&mut self, patterns: Vec<String>) {
        let paths = patterns.iter().flat_map(|pattern| glob::glob(pattern)).flatten().flatten();
        self.included = paths.map(|path| (path.clone(), stamp(&path))).collect();
        self.patterns = patterns;
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len(), file.ino()))
}
