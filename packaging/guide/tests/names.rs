//! The program is the one whose name it is started by.

// It runs programs, and ends with the first thing that goes wrong.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::{Command, Output},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ockam-actix-guide");

#[test]
fn every_step_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let steps: Vec<_> = names
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with('0'))
        .collect();
    assert_eq!(steps.len(), 7, "{steps:?}");
    for step in steps {
        let output = Command::new(PROGRAM).arg0(format!("/usr/bin/{step}")).output().unwrap();
        let asked = if step.contains("outlet") { "give " } else { "give an inlet address" };
        assert!(error(&output).contains(asked), "{step}: {}", error(&output));
    }
}

#[test]
fn links_are_programs() {
    let link = Path::new(env!("CARGO_TARGET_TMPDIR")).join("01-inlet-outlet");
    let _ = fs::remove_file(&link);
    symlink(PROGRAM, &link).unwrap();
    let output = Command::new(&link).arg("127.0.0.1:0").output().unwrap();
    assert!(error(&output).contains("give a target address"), "{}", error(&output));
}

#[test]
fn other_names_are_told_which_there_are() {
    let output = Command::new(PROGRAM).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("04-inlet, 04-outlet"), "{}", error(&output));
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
