//! Twenty seconds of the soak, as a test: it works, and finds nothing wrong that shows at once.
//!
//! The program starts itself again as the tunnel's target, so it runs without Rust's test harness.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    ockam_actix_soak::quick_test(Path::new(env!("CARGO_BIN_EXE_ockam")))
}
