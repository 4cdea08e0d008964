//! Names and imports: a test says its specification in a few words, and a file imports from each
//! place once.

use std::collections::BTreeMap;

use syn::{Attribute, Item, ItemFn, UseTree, Visibility};

use crate::source::{all_files, File};

/// Words of a test's name at most; what it is about is in the path of its module.
const MAX_WORDS: usize = 8;

fn items(file: &File) -> Vec<Item> {
    let parsed = syn::parse_file(&file.text);
    parsed.unwrap_or_else(|error| panic!("{:?}: {error}", file.path)).items
}

fn is_test(function: &ItemFn) -> bool {
    let names_test = |attribute: &Attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "test")
    };
    function.attrs.iter().any(names_test)
}

/// The names of all tests in these items and in the modules among them.
fn test_names(items: Vec<Item>) -> Vec<String> {
    let of_item = |item| match item {
        Item::Fn(function) if is_test(&function) => vec![function.sig.ident.to_string()],
        Item::Mod(module) => module.content.map_or(vec![], |(_, items)| test_names(items)),
        _ => vec![],
    };
    items.into_iter().flat_map(of_item).collect()
}

#[test]
fn test_names_have_at_most_8_words() {
    let names = all_files("rs").into_iter().flat_map(|file| test_names(items(&file)));
    let long: Vec<_> = names.filter(|name| name.split('_').count() > MAX_WORDS).collect();
    assert!(long.is_empty(), "more than {MAX_WORDS} words: {long:#?}");
}

/// The first part of a path, if it stands alone at the head of an import.
fn root(tree: &UseTree) -> Option<String> {
    match tree {
        UseTree::Path(path) => Some(path.ident.to_string()),
        _ => None,
    }
}

#[test]
fn files_import_once_from_each_crate() {
    let mut twice = Vec::new();
    // The guide's programs group their imports by what each step adds.
    let is_example = |file: &File| file.path.starts_with("examples");
    for file in all_files("rs").into_iter().filter(|file| !is_example(file)) {
        let mut roots = BTreeMap::<String, usize>::new();
        for item in items(&file) {
            let Item::Use(import) = item else { continue };
            // A re-export stands apart, and so does what only one configuration has.
            if matches!(import.vis, Visibility::Inherited) && import.attrs.is_empty() {
                root(&import.tree)
                    .into_iter()
                    .for_each(|root| *roots.entry(root).or_default() += 1);
            }
        }
        let more = roots.into_iter().filter(|(_, count)| *count > 1);
        twice.extend(more.map(|(root, _)| format!("{}: {root}", file.path.display())));
    }
    assert!(twice.is_empty(), "imported from in several statements: {twice:#?}");
}
