//! The imports between the files of a crate: no rings.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use syn::{visit::Visit, Attribute, ItemMod, ItemUse, Meta, Path as SynPath, UseTree, Visibility};

use crate::source::{product_files, File, PRODUCT};

/// A module's path in its crate; empty for the crate itself.
type Module = Vec<String>;

/// What the documentation of a file says, before the reason, if it is part of a ring on purpose.
const ADMITTED: &str = "Ring of imports:";

/// The module that a file is.
fn module(file: &Path, root: &str) -> Module {
    let inside = file.strip_prefix(root).unwrap().with_extension("");
    let parts = inside.iter().map(|part| part.to_string_lossy().into_owned());
    let parts: Module = parts.collect();
    if parts == ["lib"] || parts == ["main"] {
        return Module::new();
    }
    parts
}

/// Collects the paths below `crate::` that a file names outside of its tests.
#[derive(Default)]
struct Named(BTreeSet<Module>);

impl Named {
    fn tree(&mut self, tree: &UseTree, mut path: Module) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.tree(&part.tree, path);
            }
            UseTree::Name(part) if part.ident == "self" => drop(self.0.insert(path)),
            UseTree::Name(part) => {
                path.push(part.ident.to_string());
                self.0.insert(path);
            }
            UseTree::Rename(part) => {
                path.push(part.ident.to_string());
                self.0.insert(path);
            }
            UseTree::Glob(_) => drop(self.0.insert(path)),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(tree, path.clone()));
            }
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().contains("test"),
        _ => false,
    })
}

impl<'a> Visit<'a> for Named {
    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if !is_for_tests(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        // A re-export is part of a table of contents, and no import.
        let imports = matches!(item.vis, Visibility::Inherited);
        if imports && !is_for_tests(&item.attrs) {
            self.tree(&item.tree, Module::new());
        }
    }

    fn visit_path(&mut self, path: &'a SynPath) {
        if path.segments.len() > 1 {
            self.0.insert(path.segments.iter().map(|part| part.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }
}

/// The modules that one file imports, of those that are files.
fn imports(file: &File, own: &Module, modules: &BTreeSet<Module>) -> BTreeSet<Module> {
    let mut named = Named::default();
    let syntax = syn::parse_file(&file.text).unwrap_or_else(|e| panic!("{:?}: {e}", file.path));
    named.visit_file(&syntax);
    let absolute = |path: &Module| -> Option<Module> {
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([own, &path[1..]].concat()),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                Some([&own[..own.len().checked_sub(up)?], &path[up..]].concat())
            }
            // A child, as in `pub use routes::Route`.
            child => {
                let inside = [own.as_slice(), &[child.to_owned()]].concat();
                modules.contains(&inside).then(|| [own.as_slice(), path].concat())
            }
        }
    };
    let file_of = |path: Module| {
        (0..=path.len()).rev().map(|end| path[..end].to_vec()).find(|path| modules.contains(path))
    };
    let named = named.0.iter().filter_map(absolute).filter_map(file_of);
    named.filter(|module| module != own).collect()
}

/// Everything that is reached from `start` along the imports.
fn reached<'a>(
    start: &'a Module,
    imports: &'a BTreeMap<Module, BTreeSet<Module>>,
) -> BTreeSet<&'a Module> {
    let (mut found, mut left) = (BTreeSet::new(), vec![start]);
    while let Some(module) = left.pop() {
        for next in &imports[module] {
            if found.insert(next) {
                left.push(next);
            }
        }
    }
    found
}

/// Whether a file holds only tests: a module that its parent declares for them.
fn is_test(file: &File) -> bool {
    let path = file.path.to_string_lossy();
    path.contains("/tests") || path.ends_with("fixtures.rs")
}

#[test]
fn no_files_import_each_other_in_a_ring() {
    let files: Vec<_> = product_files().into_iter().filter(|file| !is_test(file)).collect();
    let mut rings = BTreeSet::new();
    for root in PRODUCT {
        let own = |file: &&File| file.path.starts_with(root);
        let files: BTreeMap<Module, &File> =
            files.iter().filter(own).map(|file| (module(&file.path, root), file)).collect();
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let imports: BTreeMap<_, _> = files
            .iter()
            .map(|(module, file)| (module.clone(), imports(file, module, &modules)))
            .collect();
        for module in &modules {
            let after = reached(module, &imports);
            if after.contains(module) && !files[module].text.contains(ADMITTED) {
                let back = |other: &&&Module| reached(other, &imports).contains(module);
                let ring: Vec<_> = after.iter().filter(back).map(|m| m.join("::")).collect();
                rings.insert(format!("{root}: {}", ring.join(", ")));
            }
        }
    }
    assert!(rings.is_empty(), "rings of imports: {rings:#?}");
}
