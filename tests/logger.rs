//! Whose logger a program has. The tests of whole programs see the one that `#[ockam::node]`
//! starts.

// Clippy knows tests by their attribute, and not what helps them.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use log::{LevelFilter, Log, Metadata, Record};
use ockam::{Context, Result};

/// An application's own logger: it counts.
struct Counting(AtomicUsize);

impl Log for Counting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &Record<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn flush(&self) {}
}

static OWN: Counting = Counting(AtomicUsize::new(0));

#[ockam::node(logger = false)]
async fn without_a_logger(ctx: Context) -> Result<()> {
    assert_eq!(log::max_level(), LevelFilter::Off);
    ctx.stop().await
}

#[ockam::node]
async fn with_a_logger(ctx: Context) -> Result<()> {
    log::warn!("to the application's own logger");
    ctx.stop().await
}

// One test, as a process has one logger.
#[test]
fn programs_choose_their_logger() {
    without_a_logger();
    assert_eq!(log::max_level(), LevelFilter::Off);
    log::set_logger(&OWN).unwrap();
    log::set_max_level(LevelFilter::Warn);
    with_a_logger();
    assert_eq!(log::max_level(), LevelFilter::Warn);
    assert_eq!(OWN.0.load(Ordering::Relaxed), 1);
}
