//! The work of a [keeper](super::keeper)'s one task: to have a forwarder, whatever becomes of the
//! hub and of the way there.

use std::{future::pending, sync::Arc};

use ockam_actix_runtime::{
    edge::first_hop::FirstHop,
    metrics::{link::Link, listing::Recorded},
    watched, Error, Host, Result,
};
use tokio::time::{sleep, timeout};

use crate::forwarder::{
    limits::STOPPING_HUB_PATIENCE,
    remote::{
        attempts::Attempts,
        inbox::Told,
        registrar::{in_time, Failure, Granted, Registrar},
        registration::{AtHub, RegistrationPhase},
    },
};

/// What a keeper's one task works with.
#[derive(Clone)]
pub(super) struct Keeping {
    pub(super) registrar: Registrar,
    pub(super) first_hop: FirstHop,
    pub(super) epoch: u64,
    pub(super) granted: Granted,
    pub(super) state: Arc<watched::Sender<AtHub>>,
    pub(super) record: Arc<Recorded<Link>>,
}

/// A newer instance has the address.
struct Displaced;

impl Keeping {
    /// Keeps what was granted; if the keeper before panicked, that may be lost.
    pub(super) async fn keep(mut self, begins_again: bool) {
        let mut ended = match begins_again {
            true => Error::Bug("its keeper panicked".into()).into(),
            false => self.while_registered().await,
        };
        loop {
            match ended {
                Failure::Leaving => {
                    self.record.down("the hub stops");
                    self.left().await;
                    self.enter(RegistrationPhase::Lost);
                }
                Failure::Failed(reason) => {
                    self.enter(RegistrationPhase::Lost);
                    self.record.down(reason.one_line());
                    self.log_loss(&reason);
                }
                Failure::Displaced => return self.displaced(),
            }
            if let Err(Displaced) = self.register_again().await {
                return self.displaced();
            }
            ended = self.while_registered().await;
        }
    }

    fn enter(&self, phase: RegistrationPhase) {
        self.state.send_modify(|state| state.phase = phase);
    }

    /// Renews until the forwarder is lost or was released, and says how.
    async fn while_registered(&mut self) -> Failure {
        let (mut released, mut first_hop) = (self.state.subscribe(), self.first_hop.clone());
        tokio::select! {
            biased;
            () = self.displaced_by_other() => Failure::Displaced,
            _ = released.wait_for(|state| state.phase == RegistrationPhase::Left) => {
                Failure::Leaving
            }
            error = self.renew() => Failure::Failed(error),
            () = first_hop.lost(self.epoch) => {
                let failure = first_hop.state().failure;
                let why = failure.as_deref().unwrap_or("the connection was lost");
                self.registrar.unreachable(why).into()
            }
        }
    }

    /// Waits until the hub says that another instance has the address, and notes its farewell
    /// meanwhile.
    async fn displaced_by_other(&self) {
        while self.granted.inbox.told().await != Told::Displaced {
            self.note_leaving();
        }
    }

    /// Renews within the lease until that fails.
    async fn renew(&self) -> Error {
        loop {
            sleep(self.granted.lease / 3).await;
            let renewing = self.registrar.renew(&self.granted);
            if let Err(error) = in_time(self.registrar.hub(), renewing).await {
                return error;
            }
        }
    }

    /// The hub stops soon. Whoever knows the other hubs says when to leave.
    fn note_leaving(&self) {
        let is_new = self.state.send_if_modified(|state| {
            let is_new = state.phase == RegistrationPhase::Registered;
            state.phase = if is_new { RegistrationPhase::HubLeaving } else { state.phase };
            is_new
        });
        if is_new {
            log::info!("the hub {} stops soon", self.registrar.hub());
        }
    }

    /// Waits until the hub that was left has ended.
    async fn left(&mut self) {
        // An error says that it goes on after all.
        let _ = timeout(STOPPING_HUB_PATIENCE, self.first_hop.lost(self.epoch)).await;
    }

    /// Logs that the hub no longer forwards, which is no reason for an alarm where it has said that
    /// it stops.
    fn log_loss(&self, reason: &Error) {
        let state = self.first_hop.state();
        let planned = state.announced;
        let level = if planned { log::Level::Info } else { log::Level::Warn };
        let (hub, reason) = (
            self.registrar.hub(),
            state.failure.map_or_else(|| reason.one_line(), |why| why.to_string()),
        );
        log::log!(level, "the hub {hub} no longer forwards here: {reason}; registering again");
    }

    /// Tries until the hub forwards again. Whatever fails may be mended, so that only the end of
    /// the keeper ends this.
    ///
    /// # Errors
    /// If a newer instance has the address.
    async fn register_again(&mut self) -> Result<(), Displaced> {
        let mut attempts = Attempts::new();
        loop {
            match self.try_again().await {
                Ok(granted) => {
                    self.regained(granted);
                    return Ok(());
                }
                // The keeper is about to end.
                Err(Failure::Failed(_)) if self.registrar.node().is_stopping() => pending().await,
                Err(Failure::Failed(error)) => {
                    self.record.down(error.one_line());
                    sleep(attempts.pause_after(&error)).await;
                }
                Err(Failure::Leaving) => self.left().await,
                Err(Failure::Displaced) => return Err(Displaced),
            }
        }
    }

    /// Gives the address up to the instance that has it.
    fn displaced(&self) {
        log::error!(
            "another program has registered this identity and service with the hub {}, and this \
             one stays away",
            self.registrar.hub()
        );
        log::error!("end one of the two programs, or give them different service names");
        self.record.down("another program has the address now");
        self.enter(RegistrationPhase::Displaced);
    }

    async fn try_again(&mut self) -> Result<Granted, Failure> {
        // The connection may have another actor by now; asking for the first hop dials if it must.
        self.first_hop = self.registrar.node().first_hop(self.registrar.hub())?;
        self.first_hop.up().await;
        self.epoch = self.first_hop.state().epoch;
        register(&mut self.registrar, &mut self.first_hop, self.epoch).await
    }

    fn regained(&mut self, granted: Granted) {
        let (hub, address) = (self.registrar.hub(), &granted.address);
        if *address == self.granted.address {
            log::info!("the hub {hub} forwards here again, at the same address");
        } else {
            log::warn!(
                "the hub {hub} forwards here again, at a NEW address: {address} \
                 (the destination has no identity that could claim the old one)"
            );
        }
        self.record.up("", Some(address.to_string()));
        self.granted = granted;
        self.state.send_modify(|state| {
            state.address = self.granted.address.clone();
            state.id = self.granted.id;
            state.phase = RegistrationPhase::Registered;
            state.registrations += 1;
        });
    }
}

/// The first registration, over a link that is still to be made.
pub(super) async fn register_first(
    registrar: &mut Registrar,
    first_hop: &mut FirstHop,
) -> Result<Granted> {
    let connecting = async {
        let attempted = first_hop.attempted().await;
        attempted.map_err(|failure| registrar.unreachable(&failure))
    };
    in_time(registrar.hub(), connecting).await?;
    let epoch = first_hop.state().epoch;
    register(registrar, first_hop, epoch).await.map_err(|failure| match failure {
        Failure::Failed(error) => error,
        Failure::Displaced => registrar.unreachable("a newer registration has its address"),
        Failure::Leaving => registrar.unreachable("it stops"),
    })
}

/// One registration over a link that is up; it fails at once when the link is lost.
async fn register(
    registrar: &mut Registrar,
    first_hop: &mut FirstHop,
    epoch: u64,
) -> Result<Granted, Failure> {
    let hub = registrar.hub().clone();
    let lost = registrar.unreachable("the connection was lost");
    tokio::select! {
        biased;
        granted = in_time(&hub, registrar.register()) => granted,
        () = first_hop.lost(epoch) => Err(lost.into()),
    }
}
