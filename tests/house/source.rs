//! The files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold no sources of ours.
const NOT_OURS: [&str; 4] = ["target", "corpus", "artifacts", "node_modules"];

/// The crates that applications and the command are made of.
pub(crate) const PRODUCT: [&str; 5] =
    ["runtime/src", "runtime/macros/src", "transports/src", "workers/src", "src"];

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it is, from the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// All files with this extension.
pub(crate) fn all_files(extension: &str) -> Vec<File> {
    let mut files = Vec::new();
    collect(Path::new(""), extension, &mut files);
    assert!(files.len() > 5, "{} files *.{extension}: the wrong folder?", files.len());
    files
}

/// The sources of the product.
pub(crate) fn product_files() -> Vec<File> {
    let is_product = |file: &File| PRODUCT.iter().any(|folder| file.path.starts_with(folder));
    all_files("rs").into_iter().filter(is_product).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = folder.join(&name);
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                collect(&path, extension, files);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            files.push(File { path, text });
        }
    }
}
