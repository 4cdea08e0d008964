//! The channels that programs have opened on a node.

use std::{collections::HashMap, sync::Arc};

use ockam_actix_runtime::{lock::Lock, trust::origin::HubGrants, Address, Host, Node, Route};

/// The route of each channel that was opened on a node: an extension of the node, see
/// [`Node::extension`].
#[derive(Debug, Default)]
pub struct OpenedChannels(Lock<HashMap<Address, Route>>);

impl OpenedChannels {
    /// The route of the channel with this address; `None` if no such channel was opened on this
    /// node.
    pub fn route_of(&self, channel: &Address) -> Option<Route> {
        let all = self.0.lock();
        all.get(channel).cloned()
    }

    /// `route` with its first hop, if that is a channel, replaced by the channel's route: the same
    /// text after a restart, when the channel has another address.
    pub fn lasting_name_of(&self, route: &Route) -> Route {
        let channel_route = route.first().and_then(|first| self.route_of(first));
        let rest = |skipped| route.iter().skip(skipped).cloned();
        match channel_route {
            Some(channel_route) => channel_route.iter().cloned().chain(rest(1)).collect(),
            None => rest(0).collect(),
        }
    }
}

/// Keeps one channel listed until it ends.
pub(super) struct Opened {
    node: Node,
    channel: Address,
    pub(super) grants: Arc<HubGrants>,
}

impl Opened {
    pub(super) fn list(node: &Node, channel: &Address, route: &Route) -> Self {
        let all = node.extension(OpenedChannels::default);
        let mut all = all.0.lock();
        all.insert(channel.clone(), route.clone());
        let grants = node.hub_grants(channel);
        Self { node: node.clone(), channel: channel.clone(), grants }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.node.forget_hub_grants(&self.channel);
        let all = self.node.extension(OpenedChannels::default);
        all.0.lock().remove(&self.channel);
    }
}
