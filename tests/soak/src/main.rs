//! The long run: `cargo run --release -p ockam-actix-soak -- --help`. It wants a built `ockam`
//! beside it.

use std::process::ExitCode;

use ockam_actix_harness::built;

fn main() -> ExitCode {
    ockam_actix_soak::long_run(|| built::current("ockam"))
}
