//! Makes a module of each program `examples/0*.rs`, and a table of them.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../examples");
    println!("cargo::rerun-if-changed={}", folder.display());
    let (mut modules, mut table) = (String::new(), String::new());
    for path in sources(&folder)? {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a name without text")?;
        let source = fs::read_to_string(&path)?;
        // What is included may not begin with documentation of its file.
        let code: Vec<_> = source.lines().filter(|line| !line.starts_with("//!")).collect();
        let (module, code) = (format!("step_{}", name.replace('-', "_")), code.join("\n"));
        writeln!(modules, "mod {module} {{\n{code}\n{RUN}\n}}")?;
        writeln!(table, "    ({name:?}, {module}::run),")?;
    }
    let table = format!("const PROGRAMS: &[(&str, Run)] = &[\n{table}];\n");
    let file = PathBuf::from(env::var("OUT_DIR")?).join("programs.rs");
    Ok(fs::write(file, modules + &table)?)
}

/// The private `main` of a program, for its neighbours.
const RUN: &str = "pub(super) fn run() -> std::process::ExitCode {
    std::process::Termination::report(main())
}";

/// The programs' files, in the order of the steps.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with('0') && name.ends_with(".rs")) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
