//! Programs that are a node, and what a signal means for their `main`.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    process::{self, Command, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
};

use ockam::{Context, Error, Result};

/// Sends this process SIGTERM, which [`ockam::run`] waits for.
fn terminate() {
    let sent = Command::new("kill").args(["-TERM", &process::id().to_string()]).status();
    assert!(sent.unwrap().success());
}

fn assert_success(code: ExitCode) {
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

/// One test, as a signal reaches all nodes of a process.
#[test]
fn a_signal_lets_main_finish() {
    static FINISHED: AtomicBool = AtomicBool::new(false);
    assert_success(ockam::run(|mut ctx: Context| async move {
        terminate();
        let received = ctx.receive::<String>().await;
        assert!(matches!(received, Err(Error::Stopped)), "{received:?}");
        tokio::task::yield_now().await;
        FINISHED.store(true, Ordering::SeqCst);
        received.map(drop)
    }));
    assert!(FINISHED.load(Ordering::SeqCst), "it was dropped where it stood");

    // A second signal is for those that do not end by themselves.
    static STOPPED: AtomicBool = AtomicBool::new(false);
    assert_success(ockam::run(|ctx: Context| async move {
        terminate();
        ctx.node().stopped().await;
        STOPPED.store(true, Ordering::SeqCst);
        terminate();
        std::future::pending::<Result<()>>().await
    }));
    assert!(STOPPED.load(Ordering::SeqCst), "its node was not stopped first");
}
