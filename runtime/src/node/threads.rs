//! The threads of a node, and the actix `System` that they belong to.

use std::{io, thread};

use actix_rt::{Arbiter, ArbiterHandle, System};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Threads with an event loop each.
pub(super) struct Threads {
    pub(super) arbiters: Vec<ArbiterHandle>,
    /// The node's own `System`, if there was none on the thread that started it.
    pub(super) system: Option<OwnSystem>,
}

/// A `System` on a thread of its own, which ends when this is dropped.
pub(super) struct OwnSystem(System);

impl Drop for OwnSystem {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Threads {
    /// Starts `count` threads in the `System` of this thread. Where there is none, as under
    /// `#[tokio::main]`, one is started with them.
    pub(super) async fn start(count: usize) -> Result<Self> {
        let started = match System::try_current() {
            Some(_) => start_arbiters(count).map(|arbiters| Self { arbiters, system: None }),
            None => Self::start_with_system(count).await,
        };
        started.map_err(|source| Error::transport("cannot start the threads of a node", source))
    }

    async fn start_with_system(count: usize) -> io::Result<Self> {
        let (tell, started) = oneshot::channel();
        thread::Builder::new().name("ockam-system".into()).spawn(move || {
            let runner = System::new();
            let system = OwnSystem(System::current());
            let threads =
                start_arbiters(count).map(|arbiters| Self { arbiters, system: Some(system) });
            // If nobody waits any more, dropping the threads ends the System.
            drop(tell.send(threads));
            runner.run()
        })?;
        started.await.unwrap_or_else(|_| Err(io::Error::other("their thread ended")))
    }
}

/// Starts `count` threads; if one cannot be started, stops the others.
fn start_arbiters(count: usize) -> io::Result<Vec<ArbiterHandle>> {
    let mut arbiters: Vec<ArbiterHandle> = Vec::with_capacity(count);
    while arbiters.len() < count {
        match Arbiter::try_new() {
            Ok(arbiter) => arbiters.push(arbiter.handle()),
            Err(error) => {
                arbiters.iter().for_each(|arbiter| {
                    arbiter.stop();
                });
                return Err(error);
            }
        }
    }
    Ok(arbiters)
}
