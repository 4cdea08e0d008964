//! The forwarding service of a hub.
//!
//! * Owns: the ledger and the journal, which its forwarders share; the secret of its challenges.
//! * States: none for each registration: a challenge is recognised when it comes back.
//! * Inbox: [`Request`]s as raw payloads, from everybody whom the node's reachability and the
//!   [`ForwardingOptions`] let pass.
//! * Started by [`ForwardingService::start`]; stops with its node.
//! * A panic frees its address for a moment: it is [`Supervised`]. The next actor has the same
//!   ledger and the same secret, so forwarders live on and challenges under way stay valid.
//!
//! # Why a forwarder can do no harm to its hub
//!
//! The route of a forwarder is the one by which the request came, from the connection's own address
//! on, and then the destination that the node names. The ingress put that first address there, and
//! it is compared with the ingress again. So whatever else a request says, its messages leave
//! through the connection by which it came in, and nowhere else.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Addr, Context, Handler};
use ockam_actix_runtime::{
    clock::{since_1970, Instant},
    lock::Lock,
    message::MessageKind,
    node::{directory::Registration, entry::Description},
    trust::refusal_log::RefusalLog,
    watched,
    worker::{
        mailbox::Registered,
        supervision::{Restartable, Restarting, Supervised},
    },
    Address, Class, Error, Host, Identifier, Node, Origin, Payload, Result, Route, Routed,
};
use ring::rand::SystemRandom;

use crate::{
    forwarder::{
        cluster::Cluster,
        hub::{
            forwarder::{Forwarder, LedgerSlot, Life, SharedLedger},
            journal::{Journal, Whose},
            ledger::{Caps, Ledger},
            notify::notify_node,
            options::ForwardingOptions,
            proofs::Proofs,
            registrant::Registrant,
            rivals::Rivals,
            succession::{NotEntered, Tenant},
        },
        limits::MAX_FORWARDING_ADDRESSES,
        protocol::{
            claim::{Claim, ForwarderId, Instance, Tenure},
            displacement::Displacement,
            refusal::RegistrationRefusal,
            Answer, Request,
        },
        FORWARDING_SERVICE,
    },
    identity::known_identities::{KnownIdentities, MetBy},
};

/// Makes a node a hub: it registers other nodes and forwards to them.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam_actix_runtime::NodeBuilder;
/// use ockam_actix_workers::forwarder::{ForwardingOptions, ForwardingService};
///
/// let hub = NodeBuilder::new().arbiters(1).start().await?;
/// ForwardingService::start(&hub, ForwardingOptions::new())?;
/// # hub.stop().await;
/// # Ok::<(), ockam_actix_runtime::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ForwardingService {
    node: Node,
    address: Address,
    actor: Restarting<ForwardingActor>,
}

impl ForwardingService {
    /// Starts the service of `node`, at the address [`FORWARDING_SERVICE`].
    ///
    /// # Errors
    /// If the node has one already, or is stopped.
    pub fn start(node: &impl AsRef<Node>, options: ForwardingOptions) -> Result<Self> {
        let node = node.as_ref();
        let randomness =
            || Error::transport("the system gave no randomness", std::io::ErrorKind::Other.into());
        let (known, started) = (node.extension(KnownIdentities::default), Instant::now());
        let proofs = Proofs::new(&SystemRandom::new(), known, started);
        let ledger = Ledger::new(Caps {
            all: options.max_forwarders,
            per_connection: options.max_per_connection,
            per_source: options.max_per_source,
        });
        let (ledger, journal) = (SharedLedger::new(Lock::new(ledger)), Arc::<Journal>::default());
        let proofs = Arc::new(proofs.ok_or_else(randomness)?);
        node.evacuates(options.move_timeout);
        let cluster = options.cluster.clone();
        let rivals = Rivals {
            node: node.unheld(),
            ledger: ledger.clone(),
            proofs: proofs.clone(),
            journal: journal.clone(),
        };
        let node_of = node.clone();
        let spec = ServiceSpec { node: node_of, proofs, ledger, journal, options, started };
        let actor = Restarting::start(node, "the forwarding service", spec)?;
        // Once it has started: one that does not start takes no other's place.
        if let Some(cluster) = cluster {
            cluster.share(Arc::new(rivals));
        }
        log::info!("forwarding for other nodes as \"{FORWARDING_SERVICE}\"");
        Ok(Self { node: node.clone(), address: FORWARDING_SERVICE.into(), actor })
    }

    /// The address that nodes register at: [`FORWARDING_SERVICE`].
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Registers no more nodes; existing forwarders stay until their leases end.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub fn stop(&self) -> Result<()> {
        self.actor.end().ok_or_else(|| Error::WorkerEnded(self.address.clone()))?;
        // In the pause before a restart there is no actor to stop.
        let _ = self.node.stop_worker(self.address.clone());
        Ok(())
    }
}

/// The actor.
struct ForwardingActor {
    node: Node,
    lease: Duration,
    started: Instant,
    proofs: Arc<Proofs>,
    ledger: SharedLedger,
    journal: Arc<Journal>,
    cluster: Option<Cluster>,
    refusal_log: Arc<RefusalLog>,
    registration: Option<Registration>,
    _supervised: Supervised,
}

impl ForwardingActor {
    fn answer(&self, message: &Routed<Payload>) -> Option<Answer> {
        self.decide(message).unwrap_or_else(|refusal| {
            let origin = message.origin();
            let what = format_args!("refused a request for a forwarder from {origin}: {refusal}");
            self.refusal_log.warn(refusal.rule(), what);
            Some(Answer::refused(refusal))
        })
    }

    fn decide(&self, message: &Routed<Payload>) -> Result<Option<Answer>, RegistrationRefusal> {
        let registrant = Registrant::of(message)?;
        let request = Request::decode(message.body());
        // A token is spent first, as the rest may cost signatures. Renewing or releasing one's own
        // forwarder costs none, so that nobody else can make its holder lose it.
        if !self.concerns_own(&request, &registrant) {
            self.ledger.lock().spend(&registrant, self.started.elapsed())?;
        }
        let (origin, inbox) = (message.origin(), message.return_route().clone());
        match request.map_err(|_| RegistrationRefusal::Malformed)? {
            Request::Register { destination, claim: None } => {
                let id = ForwarderId::random(&SystemRandom::new());
                self.open(
                    Opening { registrant, destination, id, tenant: None, inbox },
                    origin,
                    &Whose::nobody(),
                )
            }
            Request::Register { claim: Some(claim), .. } => Ok(self.challenge(&registrant, &claim)),
            Request::Proof { destination, claim, nonce, displaced, signature, identity } => {
                let proof = Box::new(Displacement {
                    id: claim.id(),
                    displaced,
                    tenure: claim.tenure,
                    nonce,
                    destination,
                    signature,
                    identity,
                });
                self.prove(registrant, &claim, proof, message)
            }
            Request::Renew(id) => self.renew(&registrant, id),
            Request::Release(id) => {
                let released = self.ledger.lock().release(&id, &registrant)?;
                if released {
                    self.journal.departed(&id, "its node released it");
                }
                return Ok(None);
            }
        }
        .map(Some)
    }

    fn concerns_own<E>(&self, request: &Result<Request, E>, registrant: &Registrant) -> bool {
        let (Ok(Request::Renew(id)) | Ok(Request::Release(id))) = request else { return false };
        self.ledger.lock().held(id, registrant).is_ok()
    }

    fn challenge(&self, registrant: &Registrant, claim: &Claim) -> Answer {
        let claimed = claim.id();
        let held_by = self.ledger.lock().displaced_by(&claimed, claim.instance);
        self.challenge_over(held_by, &registrant.route, &claimed)
    }

    /// A challenge to whoever claims an address by that route: it is to name the other instance
    /// that has it, if there is one.
    fn challenge_over(
        &self,
        held_by: Option<Instance>,
        route: &Route,
        claimed: &ForwarderId,
    ) -> Answer {
        let nonce = self.proofs.challenge(route, claimed);
        Answer::Challenge { nonce, held_by: held_by.unwrap_or(Instance::NONE) }
    }

    fn prove(
        &self,
        registrant: Registrant,
        claim: &Claim,
        proof: Box<Displacement>,
        message: &Routed<Payload>,
    ) -> Result<Answer, RegistrationRefusal> {
        let met_by = registrant.source.map_or(MetBy::Anyone, MetBy::Source);
        let identity = self.proofs.verify(&registrant.route, claim, &proof, met_by)?;
        let (id, destination) = (proof.id, proof.destination.clone());
        let tenant = Tenant {
            identity: identity.clone(),
            instance: claim.instance,
            tenure: claim.tenure,
            proof: proof.displaced.known().map(|_| proof),
            inbox: message.return_route().clone(),
        };
        let is_confirmed = self.ledger.lock().confirm(&id, &registrant, &tenant);
        if is_confirmed {
            // The other hubs say again what they have, and get the new proof.
            self.share(id);
            return Ok(self.registered(id, Some(tenant.tenure)));
        }
        let inbox = tenant.inbox.clone();
        let opening = Opening { registrant, destination, id, tenant: Some(tenant), inbox };
        let answer = self.open(opening, message.origin(), &Whose::of(claim))?;
        if let Answer::Registered { .. } = answer {
            self.proofs.met(&identity, met_by)?;
            self.share(id);
        }
        Ok(answer)
    }

    /// Has the other hubs of a cluster hear of a claim.
    fn share(&self, id: ForwarderId) {
        if let Some(cluster) = &self.cluster {
            cluster.claimed(id);
        }
    }

    /// A tenure for a registration now: by a clock that goes on while the hub is restarted, and is
    /// never behind one that another hub of the cluster has shown.
    fn next_tenure(&self) -> Tenure {
        let own = || Tenure(u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX));
        self.cluster.as_ref().map_or_else(own, Cluster::next_tenure)
    }

    /// Makes the forwarder, which exists when this returns.
    fn open(
        &self,
        opening: Opening,
        origin: &Origin,
        whose: &Whose,
    ) -> Result<Answer, RegistrationRefusal> {
        let Opening { registrant, destination, id, tenant, inbox } = opening;
        if self.node.is_evacuating() {
            return Err(RegistrationRefusal::Leaving);
        }
        let mut route = destination;
        route.prepend(&registrant.route);
        if route.len() > MAX_FORWARDING_ADDRESSES {
            return Err(RegistrationRefusal::Route);
        }
        let first_hop = self.node.first_hop(&route).map_err(|_| RegistrationRefusal::Route)?;
        let state = first_hop.state();
        if !state.up {
            return Err(RegistrationRefusal::Route);
        }
        let identifier = tenant.as_ref().map(|tenant| tenant.identity.identifier());
        let back = registrant.route.clone();
        let (handle, lease) = watched::channel(Instant::now() + self.lease);
        let entered = self.ledger.lock().enter(id, registrant, tenant, self.next_tenure(), handle);
        let entered = match entered {
            Ok(entered) => entered,
            Err(NotEntered::Refused(refusal)) => return Err(refusal),
            Err(NotEntered::Displaced(proof)) => return Ok(Answer::Displaced(proof)),
            Err(NotEntered::Stale(held_by)) => {
                return Ok(self.challenge_over(Some(held_by), &back, &id));
            }
        };
        let addresses = addresses_of(id, identifier);
        if entered.replaces {
            for address in &addresses {
                // An error means that the address is free already.
                let _ = self.node.stop_worker(address);
            }
        }
        let slot = LedgerSlot { ledger: self.ledger.clone(), id, generation: entered.generation };
        let announced = self.cluster.as_ref().map(|cluster| cluster.announce(id, &addresses));
        let arrives = self.cluster.as_ref().map(|cluster| (cluster, addresses.clone()));
        let (epoch, journal) = (state.epoch, self.journal.clone());
        let (node, moving) = (self.node.unheld(), self.node.moving());
        let life = Life { first_hop, epoch, lease, journal, announced, node, moving, inbox };
        if let Err(error) = Forwarder::launch(&self.node, slot, addresses, &route, life) {
            log::error!("cannot make a forwarder: {}", error.one_line());
            return Err(RegistrationRefusal::Internal);
        }
        if let Some((cluster, addresses)) = arrives {
            cluster.arrived(&addresses);
        }
        log::debug!("forwarding {id:?} to {route}; {} forwarders", self.ledger.lock().len());
        match entered.displaced {
            None => self.journal.registered(&id, whose, origin),
            Some(displaced) => {
                self.journal.displaced(&id, whose, origin);
                notify_node(&self.node, displaced.inbox, &Answer::Displaced(displaced.proof));
            }
        }
        Ok(self.registered(id, entered.tenure))
    }

    fn renew(
        &self,
        registrant: &Registrant,
        id: ForwarderId,
    ) -> Result<Answer, RegistrationRefusal> {
        let until = Instant::now() + self.lease;
        let mut ledger = self.ledger.lock();
        // What was admitted with a key that was replaced since ends here.
        let tenant = ledger.tenant_of(&id);
        let rechecked = tenant.map_or(Ok(()), |tenant| self.proofs.recheck(&tenant.identity));
        if let Err(refusal) = rechecked {
            ledger.release(&id, registrant)?;
            return Err(refusal);
        }
        ledger.held(&id, registrant)?.send_replace(until);
        if let Some(held_by) = ledger.contested(&id) {
            return Ok(self.challenge_over(Some(held_by), &registrant.route, &id));
        }
        Ok(self.registered(id, ledger.tenure_of(&id)))
    }

    fn registered(&self, id: ForwarderId, tenure: Option<Tenure>) -> Answer {
        let tenure = tenure.unwrap_or(Tenure::NONE);
        let lease_seconds = u32::try_from(self.lease.as_secs()).unwrap_or(u32::MAX);
        Answer::Registered { id, lease_seconds, tenure }
    }
}

/// A forwarder that is asked for, and may be had.
struct Opening {
    registrant: Registrant,
    destination: Route,
    id: ForwarderId,
    tenant: Option<Tenant>,
    /// The way back to where the request was sent from.
    inbox: Route,
}

/// What every actor of one service is started with.
struct ServiceSpec {
    node: Node,
    options: ForwardingOptions,
    proofs: Arc<Proofs>,
    ledger: SharedLedger,
    journal: Arc<Journal>,
    started: Instant,
}

impl Restartable for ServiceSpec {
    type Actor = ForwardingActor;

    fn start(&self, supervised: Supervised) -> Result<Addr<ForwardingActor>> {
        let service = ForwardingActor {
            node: self.node.clone(),
            lease: self.options.lease,
            started: self.started,
            proofs: self.proofs.clone(),
            ledger: self.ledger.clone(),
            journal: self.journal.clone(),
            cluster: self.options.cluster.clone(),
            refusal_log: self.node.refusals(),
            registration: None,
            _supervised: supervised,
        };
        let mut description = Description::new(FORWARDING_SERVICE, Class::Service);
        description.access.clone_from(&self.options.permit);
        self.node.launch(description, move |_| service)
    }

    fn stop(&self, _: Addr<ForwardingActor>) {
        // An error means that it has ended already.
        let _ = self.node.stop_worker(FORWARDING_SERVICE);
    }
}

/// A proven address is reached with and without its identity's fingerprint.
fn addresses_of(id: ForwarderId, identifier: Option<Identifier>) -> Vec<Address> {
    let mut addresses = vec![id.address()];
    if identifier.is_some() {
        addresses.push(id.forwarding_address(identifier).into());
    }
    addresses
}

impl Actor for ForwardingActor {
    type Context = Context<Self>;
}

impl Handler<Registered> for ForwardingActor {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, _: &mut Context<Self>) {
        self.registration = Some(registration);
    }
}

impl Handler<Routed<Payload>> for ForwardingActor {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        if message.kind() == MessageKind::Notice {
            return;
        }
        let Some(answer) = self.answer(&message) else { return };
        if let Err(error) = message.reply(answer.encode()) {
            log::debug!("a request for a forwarder was not answered: {}", error.one_line());
        }
    }
}
