//! The other hubs of a cluster, as far as this one hears them; without clock or network.

use std::{collections::HashMap, time::Duration};

use ockam_actix_runtime::Identifier;

use crate::forwarder::{
    cluster::claims::Speaker,
    limits::{HUB_SILENT, MAX_HUBS},
};

/// The hubs that were heard, and when. Times are counted from any fixed moment.
#[derive(Default)]
pub(super) struct Hubs(HashMap<Speaker, Duration>);

impl Hubs {
    /// Notes that a hub says something. Returns whether it is new, or was not heard for so long
    /// that it may have missed what others said.
    pub(super) fn hear(&mut self, hub: &Speaker, now: Duration) -> bool {
        if let Some(heard) = self.0.get_mut(hub) {
            let silent = now.saturating_sub(*heard) > HUB_SILENT;
            *heard = now;
            return silent;
        }
        if self.0.len() >= MAX_HUBS {
            self.0.retain(|_, heard| now.saturating_sub(*heard) <= HUB_SILENT);
        }
        let is_listed = self.0.len() < MAX_HUBS;
        if is_listed {
            self.0.insert(hub.clone(), now);
        }
        is_listed
    }

    /// Whether a hub with this identity is heard.
    pub(super) fn has(&self, identity: &Identifier, now: Duration) -> bool {
        let is_heard = |heard: &Duration| now.saturating_sub(*heard) <= HUB_SILENT;
        self.0.iter().any(|(hub, heard)| hub.identity == *identity && is_heard(heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(number: usize) -> Speaker {
        let identity = Identifier::from_bytes([number.to_le_bytes()[0]; 32]);
        Speaker { at: format!("tcp#hub-{number}:4000").into(), identity }
    }

    #[test]
    fn a_hub_is_new_after_silence() {
        let (mut hubs, second) = (Hubs::default(), Duration::from_secs(1));
        assert!(hubs.hear(&hub(1), second) && hubs.hear(&hub(2), second));
        assert!(!hubs.hear(&hub(1), second + HUB_SILENT));
        let later = second * 2 + HUB_SILENT;
        assert!(hubs.has(&hub(1).identity, later) && !hubs.has(&hub(2).identity, later));
        assert!(!hubs.hear(&hub(1), later) && hubs.hear(&hub(2), later));
    }

    #[test]
    fn made_up_hubs_take_bounded_room() {
        let mut hubs = Hubs::default();
        let listed = (0..2 * MAX_HUBS).filter(|n| hubs.hear(&hub(*n), Duration::ZERO)).count();
        assert_eq!((listed, hubs.0.len()), (MAX_HUBS, MAX_HUBS));
        assert!(hubs.hear(&hub(MAX_HUBS), HUB_SILENT * 2));
        assert_eq!(hubs.0.len(), 1);
    }
}
