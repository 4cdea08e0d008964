//! Twenty seconds of the soak, as a test: that it works, and that nothing is wrong which shows at
//! once.
//!
//! The program starts itself again as the tunnel's target, so it has no harness of Rust's around
//! it.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    ockam_actix_soak::quick_test(Path::new(env!("CARGO_BIN_EXE_ockam")))
}
