//! The programs of the guide's steps in one binary, which plays the step whose name it is started
//! by. In the image, these names are links to it: seven binaries, each with a node of its own,
//! would take more room than everything else.

use std::{env, path::Path, process::ExitCode};

/// The `main` of a step.
type Run = fn() -> ExitCode;

include!(concat!(env!("OUT_DIR"), "/programs.rs"));

fn main() -> ExitCode {
    let own = env::args_os().next().unwrap_or_default();
    let name = Path::new(&own).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some((_, run)) = PROGRAMS.iter().find(|(program, _)| *program == name) {
        return run();
    }
    let names: Vec<_> = PROGRAMS.iter().map(|(program, _)| *program).collect();
    eprintln!("error: start this by a link with the name of a step: {}", names.join(", "));
    ExitCode::FAILURE
}
