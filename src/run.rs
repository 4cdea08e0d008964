//! Programs that are a node: what `#[ockam::node]` calls.

use std::{
    future::Future,
    io::{self, Write},
    os::unix::net::UnixStream,
    pin::pin,
    process::ExitCode,
};

use actix_rt::System;
use ockam_actix_runtime::{process, Context, Error, Node, NodeBuilder, Result};
use tokio::{
    runtime::Builder,
    signal::unix::{signal, Signal, SignalKind},
    time::sleep,
};

/// Pairs of descriptors that must be left before anything starts.
const SPARE_PAIRS: usize = 4;

/// Starts a logger that writes to standard error what `RUST_LOG` asks for, by default `info`.
///
/// A program that has installed a logger of its own keeps it. Nothing waits for whoever reads the
/// lines: those that do not fit are dropped and counted. Without the feature `logger` this does
/// nothing.
pub fn start_logger() {
    start_logger_at(log::LevelFilter::Info);
}

/// As [`start_logger`], by default with `level` and above.
pub fn start_logger_at(level: log::LevelFilter) {
    #[cfg(feature = "logger")]
    crate::logger::start(level, crate::LogFormat::Text);
    #[cfg(not(feature = "logger"))]
    let _ = level;
}

/// As [`start_logger_at`], in a format of the caller's choice.
#[cfg(feature = "logger")]
pub fn start_logger_as(level: log::LevelFilter, format: crate::LogFormat) {
    crate::logger::start(level, format);
}

/// Waits until what was logged is written, for half a second at most: the last thing that a program
/// does. Programs that [`run`] runs do it.
pub fn flush_logger() {
    #[cfg(feature = "logger")]
    crate::logger::flush();
}

/// Runs a program that is a node: starts the node, runs `main`, and keeps the node until it is
/// stopped, or Ctrl-C or SIGTERM arrives. SIGHUP ends nothing.
///
/// A signal stops the node as [`Node::stop`](crate::Node::stop) does, also while `main` runs. What
/// `main` waits for from the node then ends with [`Error::Stopped`], and it has
/// [`NodeLimits::drain_timeout`](crate::NodeLimits::drain_timeout) from the end of the node to
/// return; after that, or upon a second signal, it is dropped where it stands. Whatever it returns
/// after a signal, the exit code is 0.
///
/// It first raises the soft limit of descriptors to the hard one, as each connection and each
/// stream takes one.
pub fn run<M, F, E>(main: M) -> ExitCode
where
    M: FnOnce(Context) -> F,
    F: Future<Output = std::result::Result<(), E>>,
    E: Into<Error>,
{
    run_system(|| run_node(main))
}

/// Runs a program in an actix [`System`], whatever nodes it starts there, and prints its error: all
/// that [`run`] does for a program that is one node, without the node and its signals.
pub fn run_system<F>(program: impl FnOnce() -> F) -> ExitCode
where
    F: Future<Output = Result<()>>,
{
    process::raise_descriptor_limit();
    conclude(in_system(program))
}

/// Ends a program as [`run`] does: with what was logged last, and with one line on standard error
/// for an error. Returns the exit code.
pub fn conclude(ended: Result<()>) -> ExitCode {
    flush_logger();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error.one_line().to_string());
            ExitCode::FAILURE
        }
    }
}

fn in_system<F: Future<Output = Result<()>>>(program: impl FnOnce() -> F) -> Result<()> {
    let failed = |source| Error::transport("cannot start the system of actors", source);
    // With fewer descriptors than these, tokio and actix panic.
    let spare: Vec<_> =
        (0..SPARE_PAIRS).map(|_| UnixStream::pair()).collect::<io::Result<_>>().map_err(failed)?;
    drop(spare);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    System::with_tokio_rt(|| runtime).block_on(async {
        process::survive_file_size_limit().map_err(failed)?;
        program().await
    })
}

async fn run_node<M, F, E>(main: M) -> Result<()>
where
    M: FnOnce(Context) -> F,
    F: Future<Output = std::result::Result<(), E>>,
    E: Into<Error>,
{
    let context = NodeBuilder::new().start_with_context().await?;
    let node = context.node().clone();
    let mut interrupt = signal_of(SignalKind::interrupt())?;
    let mut terminate = signal_of(SignalKind::terminate())?;
    // A terminal that goes away, or who wants files to be read again, does not end a node.
    let mut hangup = signal_of(SignalKind::hangup())?;
    actix_rt::spawn(async move {
        while hangup.recv().await.is_some() {
            log::info!("SIGHUP: nothing to read again; SIGTERM stops the node");
        }
    });
    let mut program = pin!(async {
        main(context).await.map_err(Into::into)?;
        node.stopped().await;
        Ok(())
    });
    let (ended, signalled) = tokio::select! {
        ended = &mut program => (ended, false),
        _ = interrupt.recv() => (Ok(()), true),
        _ = terminate.recv() => (Ok(()), true),
    };
    let finishing = async {
        if signalled {
            finish(program, &node).await;
        }
    };
    let stopping = async { tokio::join!(node.stop(), finishing) };
    tokio::select! {
        _ = stopping => {}
        // Whoever asks a second time does not want to wait, for open streams or for `main`.
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    ended
}

/// Lets the program see that its node stops, and do what it does then.
async fn finish(program: impl Future<Output = Result<()>>, node: &Node) {
    let limit = node.limits().drain_timeout;
    let too_late = async {
        node.stopped().await;
        sleep(limit).await;
    };
    tokio::select! {
        ended = program => match ended {
            Ok(()) | Err(Error::Stopped) => {}
            Err(error) => log::warn!("after the signal to stop: {}", error.one_line()),
        },
        () = too_late => log::warn!("`main` is dropped: it did not return within {limit:?}"),
    }
}

fn signal_of(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|source| Error::transport("cannot wait for signals", source))
}

/// One line for the person who started the program, or for the program that reads its log.
fn print_error(line: &str) {
    let plain = format!("error: {line}\n");
    #[cfg(feature = "logger")]
    let plain = crate::logger::last_line(line).unwrap_or(plain);
    // Where standard error is closed, the exit code is all that is left.
    let _ = io::stderr().write_all(plain.as_bytes());
}
