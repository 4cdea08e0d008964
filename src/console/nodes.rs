//! The nodes of a console: one, or several of one process that share it.

use std::sync::Arc;

use futures::FutureExt;
use ockam_actix_runtime::{lock::Lock, Host, Node};

/// Nodes that share a console, each with a name. It is a handle: clones are the same nodes.
///
/// ```
/// # actix_rt::System::new().block_on(async {
/// use ockam::{
///     console::{Console, Nodes},
///     NodeBuilder,
/// };
///
/// let [web, database] = [NodeBuilder::new().start().await?, NodeBuilder::new().start().await?];
/// let nodes = Nodes::default();
/// nodes.insert("web", &web);
/// let console = Console::of(&nodes);
/// // Also later.
/// nodes.insert("database", &database);
/// # let _ = console;
/// # web.stop().await;
/// # database.stop().await;
/// # Ok::<(), ockam::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Nodes(Arc<Lock<All>>);

#[derive(Debug, Default)]
struct All {
    /// How many have come.
    count: u64,
    /// In the order in which they came.
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: Option<Arc<str>>,
    number: u64,
    node: Node,
}

/// A node that is shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Its name, if the console may have several nodes.
    pub(super) name: Option<Arc<str>>,
    /// What is before the ids of what it has: nothing for the only one.
    pub(super) prefix: String,
    pub(super) node: Node,
}

impl Nodes {
    /// Adds a node, which leaves by itself when it has stopped; the console does not keep it
    /// running.
    ///
    /// A name is that of the latest node which has it. One that it replaces and that still lets its
    /// streams finish gets a number after it.
    pub fn insert(&self, name: impl Into<Arc<str>>, node: &impl AsRef<Node>) {
        self.push(Some(name.into()), node.as_ref());
    }

    /// The only node of a console.
    pub(super) fn of(node: &Node) -> Self {
        let nodes = Self::default();
        nodes.push(None, node);
        nodes
    }

    fn push(&self, name: Option<Arc<str>>, node: &Node) {
        let mut all = self.0.lock();
        all.count += 1;
        let number = all.count;
        all.members.push(Member { name, number, node: node.unheld() });
    }

    /// Those that are there now, in the order in which they came.
    pub(super) fn all(&self) -> Vec<Shown> {
        let all = &mut self.0.lock().members;
        let has_stopped = |one: &Member| one.node.stopped().now_or_never().is_some();
        all.retain(|one| one.name.is_none() || !has_stopped(one));
        let shown = |(index, one): (usize, &Member)| {
            let later = all[index + 1..].iter().filter(|other| other.name == one.name).count();
            let name = one.name.clone().map(|name| match later {
                0 => name,
                _ => format!("{name} {}", later + 1).into(),
            });
            let prefix = name.as_ref().map_or_else(String::new, |_| format!("{}/", one.number));
            Shown { name, prefix, node: one.node.clone() }
        };
        all.iter().enumerate().map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::NodeBuilder;

    use super::*;

    #[test]
    fn a_name_is_the_latest_nodes() {
        actix_rt::System::new().block_on(async {
            let start = || async { NodeBuilder::new().arbiters(1).start().await.unwrap() };
            let [first, other, second] = [start().await, start().await, start().await];
            let nodes = Nodes::default();
            nodes.insert("web", &first);
            nodes.insert("other", &other);
            nodes.insert("web", &second);
            let shown = |nodes: &Nodes| {
                let name = |one: &Shown| format!("{}{}", one.prefix, one.name.as_ref().unwrap());
                nodes.all().iter().map(name).collect::<Vec<_>>()
            };
            assert_eq!(shown(&nodes), ["1/web 2", "2/other", "3/web"]);
            first.stop().await;
            assert_eq!(shown(&nodes), ["2/other", "3/web"]);
            second.stop().await;
            nodes.insert("web", &other);
            assert_eq!(shown(&nodes), ["2/other", "4/web"]);
            other.stop().await;
        });
    }
}
