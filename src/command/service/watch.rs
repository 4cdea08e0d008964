//! Waits for the files of `ockam run` to change.

use std::time::Duration;

use ockam::{Error, Result};
use tokio::time::{interval, Interval, MissedTickBehavior};

use crate::command::service::files::Files;

/// How often to look; a change counts when it has lasted as long.
const LOOK: Duration = Duration::from_millis(500);

/// The files, as they were read and as they were looked at last.
pub(crate) struct Watch {
    read: Files,
    last: Files,
    look: Interval,
}

impl Watch {
    /// Of these files, which have been read.
    pub(crate) fn of(read: Files) -> Self {
        let mut look = interval(LOOK);
        // A change has to last, also after a long reading.
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { last: read.clone(), read, look }
    }

    /// The files as they were read.
    pub(crate) fn files(&self) -> Files {
        self.read.clone()
    }

    /// From now on, it is a change from these that counts.
    pub(crate) fn follow(&mut self, read: Files) {
        (self.last, self.read) = (read.clone(), read);
    }

    /// Waits until something has changed. It may be dropped and called again.
    ///
    /// # Errors
    /// If looking at files ends with a panic.
    pub(crate) async fn changed(&mut self) -> Result<()> {
        loop {
            self.look.tick().await;
            let mut now = self.read.clone();
            // The disk is not waited for on an arbiter.
            let looking = actix_rt::task::spawn_blocking(move || {
                now.look();
                now
            });
            let now = looking.await.map_err(|error| Error::Bug(error.to_string()))?;
            let has_settled = now == self.last && now != self.read;
            self.last = now;
            if has_settled {
                // Also where reading it fails, it is not read again without another change.
                self.read.clone_from(&self.last);
                return Ok(());
            }
        }
    }
}
