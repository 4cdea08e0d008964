//! The other hubs of a cluster, as far as this one hears them; without clock or network.

use std::{collections::HashMap, time::Duration};

use ockam_actix_runtime::Identifier;

use crate::forwarder::{
    cluster::{claims::Speaker, message::Said},
    limits::{HUB_SILENT, MAX_HUBS},
};

/// The hubs that were heard. Times are counted from any fixed moment.
#[derive(Default)]
pub(super) struct Hubs(HashMap<Speaker, Heard>);

#[derive(Default)]
struct Heard {
    at: Duration,
    /// Messages with claims that were heard, counted as the hub itself does; none before it has
    /// said how many it has sent.
    claims: Option<u64>,
}

impl Hubs {
    /// Notes that a hub says something: with claims, or how many messages with claims it has sent.
    /// Returns whether what was said before may have been missed, there or here: the hub is new, or
    /// was not heard for long, or its count is another one than the one here.
    pub(super) fn hear(&mut self, hub: &Speaker, said: &Said, now: Duration) -> bool {
        if !self.0.contains_key(hub) && self.0.len() >= MAX_HUBS {
            // One that makes hubs up must not keep a real one from being heard.
            let longest = self.0.iter().min_by_key(|(_, heard)| heard.at);
            if let Some(silent) = longest.map(|(hub, _)| hub.clone()) {
                self.0.remove(&silent);
            }
        }
        let is_new = !self.0.contains_key(hub);
        let heard = self.0.entry(hub.clone()).or_default();
        let was_silent = now.saturating_sub(std::mem::replace(&mut heard.at, now)) > HUB_SILENT;
        let before = heard.claims;
        match said {
            Said::Claims(_) => heard.claims = before.map(|heard| heard.wrapping_add(1)),
            Said::There { claims_sent, .. } => heard.claims = Some(*claims_sent),
            _ => {}
        }
        // Whoever has said nothing of its count so far may have sent messages that were lost.
        let has_gap =
            matches!(said, Said::There { claims_sent, .. } if before != Some(*claims_sent));
        is_new || was_silent || has_gap
    }

    /// Whether a hub with this identity is heard.
    pub(super) fn has(&self, identity: &Identifier, now: Duration) -> bool {
        let is_heard = |heard: &Heard| now.saturating_sub(heard.at) <= HUB_SILENT;
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

    const ANY: Said = Said::There { clock: 0, claims_sent: 0 };

    #[test]
    fn a_hub_is_new_after_silence() {
        let (mut hubs, second) = (Hubs::default(), Duration::from_secs(1));
        assert!(hubs.hear(&hub(1), &ANY, second) && hubs.hear(&hub(2), &ANY, second));
        assert!(!hubs.hear(&hub(1), &ANY, second + HUB_SILENT));
        let later = second * 2 + HUB_SILENT;
        assert!(hubs.has(&hub(1).identity, later) && !hubs.has(&hub(2).identity, later));
        assert!(!hubs.hear(&hub(1), &ANY, later) && hubs.hear(&hub(2), &ANY, later));
    }

    #[test]
    fn claims_that_were_lost_are_missed() {
        let (mut hubs, hub) = (Hubs::default(), hub(1));
        let mut hear = |said| hubs.hear(&hub, &said, Duration::ZERO);
        let there = |claims_sent| Said::There { clock: 0, claims_sent };
        assert!(hear(Said::Claims(Vec::new())));
        assert!(hear(there(5)), "some that were sent before the first that was heard");
        assert!(!hear(there(5)));
        assert!(!hear(Said::Claims(Vec::new())) && !hear(there(6)));
        assert!(!hear(Said::Claims(Vec::new())) && hear(there(8)));
        assert!(!hear(there(8)));
    }

    #[test]
    fn made_up_hubs_keep_no_other_out() {
        let mut hubs = Hubs::default();
        for number in 0..=2 * MAX_HUBS {
            hubs.hear(&hub(number), &ANY, Duration::from_millis(number as u64));
        }
        assert_eq!(hubs.0.len(), MAX_HUBS);
        let (first, last) = (hub(0), hub(2 * MAX_HUBS));
        assert!(hubs.0.contains_key(&last) && !hubs.0.contains_key(&first));
    }
}
