//! What a hub and the other hubs of its cluster know of each other's claims to one address.
//!
//! It decides by the rules of a single hub: only a newer registration that its identity has signed
//! displaces one.

use std::sync::Arc;

use ockam_actix_runtime::Node;

use crate::{
    forwarder::{
        cluster::{LocalClaims, Standing},
        hub::{forwarder::SharedLedger, journal::Journal, notify::notify_node, proofs::Proofs},
        protocol::{
            claim::{ForwarderId, Instance},
            displacement::{Displacement, Held},
            Answer,
        },
    },
    identity::{known_identities::MetBy, Identity},
};

/// The claims at one hub.
pub(super) struct Rivals {
    /// Not kept running.
    pub(super) node: Node,
    pub(super) ledger: SharedLedger,
    pub(super) proofs: Arc<Proofs>,
    pub(super) journal: Arc<Journal>,
}

impl LocalClaims for Rivals {
    fn standing(&self, id: &ForwarderId) -> Option<Standing> {
        let ledger = self.ledger.lock();
        let tenant = ledger.tenant_of(id)?;
        let keys = u32::try_from(tenant.identity.key_count()).unwrap_or(u32::MAX);
        Some(Standing { keys, tenure: tenant.tenure, instance: tenant.instance })
    }

    fn contest(&self, id: &ForwarderId, other: Instance) -> Option<Box<Displacement>> {
        self.ledger.lock().contest(id, other)
    }

    fn displace(&self, proof: Box<Displacement>) {
        let id = proof.id;
        let Some(tenant) = self.ledger.lock().tenant_of(&id).cloned() else { return };
        let (instance, tenure) = (tenant.instance, tenant.tenure);
        let held = Held { id, instance, tenure, identity: tenant.identity };
        // Any hub can say this any number of times: most of it costs no signature.
        if !proof.is_about(&held) {
            return;
        }
        let Some(signer) = proof.signer(&held) else { return };
        // Its key may be newer although its registration is not: whoever has the older key then
        // loses the address at its next renewal.
        self.learn(&signer, &held);
        if !proof.tenure.displaces(tenure) {
            return;
        }
        let mut ledger = self.ledger.lock();
        // Meanwhile another one may have it.
        if ledger.tenant_of(&id).is_none_or(|tenant| tenant.instance != instance) {
            return;
        }
        ledger.displace(&id);
        drop(ledger);
        let why = "a newer registration at another hub of the cluster displaces it, and it is told";
        self.journal.departed(&id, why);
        notify_node(&self.node, tenant.inbox, &Answer::Displaced(proof));
    }

    fn all(&self) -> Vec<ForwarderId> {
        self.ledger.lock().claimed()
    }
}

impl Rivals {
    /// Remembers the history of keys of an address' owner, if it is longer than the one here.
    fn learn(&self, owner: &Identity, held: &Held) {
        if owner.key_count() > held.identity.key_count() {
            // An error says that more is known, which decides at the next renewal.
            let _ = self.proofs.met(owner, MetBy::Anyone);
        }
    }
}
