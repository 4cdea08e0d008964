//! The names that a node's operator has for peers, for logs and lists. They decide nothing.

use std::{collections::BTreeMap, fmt};

use ockam_actix_runtime::{lock::SharedLock, Host, Identifier, Node};

use crate::identity::trust_list::TrustList;

/// The names of peers that a node knows, by where they come from: one of its extensions, see
/// [`Node::extension`](ockam_actix_runtime::Node::extension).
#[derive(Debug, Default)]
pub struct PeerNames(SharedLock<BTreeMap<String, TrustList>>);

impl PeerNames {
    /// Those of a node.
    pub fn of(node: &impl AsRef<Node>) -> std::sync::Arc<Self> {
        let names = node.as_ref().extension(Self::default);
        node.as_ref().refusals().annotate_with(|| {
            let names = names.clone();
            move |text: &str| names.annotate(text)
        });
        names
    }

    /// Replaces the names that come from `source`, such as a file.
    pub fn replace(&self, source: impl Into<String>, list: TrustList) {
        self.0.write().insert(source.into(), list);
    }

    /// The name of a peer, if it has one.
    pub fn name_of(&self, peer: &Identifier) -> Option<String> {
        let all = self.0.read();
        all.values().find_map(|list| list.name_of(peer)).map(str::to_owned)
    }

    /// A text of a log with the name of each peer in it that has one.
    pub fn annotate(&self, text: &str) -> String {
        const LENGTH: usize = 65;
        let mut annotated = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('I') {
            annotated.push_str(&rest[..at]);
            rest = &rest[at..];
            let found = rest.get(..LENGTH).and_then(|text| text.parse::<Identifier>().ok());
            let named = found.and_then(|peer| self.name_of(&peer).map(|name| (name, peer)));
            match named {
                Some((name, peer)) if !annotated.ends_with(&format!("{name} (")) => {
                    annotated.push_str(&format!("{name} ({peer})"));
                    rest = &rest[LENGTH..];
                }
                _ => {
                    annotated.push('I');
                    rest = &rest[1..];
                }
            }
        }
        annotated + rest
    }

    /// A peer, as logs show it: `laptop (I0f3a...)`, or the identifier alone.
    pub fn show(&self, peer: &Identifier) -> Peer {
        Peer { name: self.name_of(peer), identifier: *peer }
    }
}

/// A peer with the name that it has here, if it has one.
#[derive(Clone, Debug)]
pub struct Peer {
    name: Option<String>,
    identifier: Identifier,
}

impl Peer {
    /// Who it is.
    pub fn identifier(&self) -> Identifier {
        self.identifier
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.identifier),
            None => self.identifier.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Identifier = Identifier::from_bytes([1; 32]);

    #[test]
    fn texts_show_the_names_of_known_peers() {
        let names = PeerNames::default();
        let mut list = TrustList::default();
        list.insert("alice", ALICE).unwrap();
        names.replace("file", list);
        let bob = Identifier::from_bytes([2; 32]);
        let text = format!("I met {ALICE}, and {bob} In I");
        assert_eq!(names.annotate(&text), format!("I met alice ({ALICE}), and {bob} In I"));
        let again = format!("alice ({ALICE})");
        assert_eq!(names.annotate(&again), again);
        assert_eq!(names.annotate("\u{e9}I\u{e9}"), "\u{e9}I\u{e9}");
    }

    #[test]
    fn refusals_show_the_names_too() {
        actix_rt::System::new().block_on(async {
            let node = ockam_actix_runtime::NodeBuilder::new().arbiters(1).start().await.unwrap();
            let mut list = TrustList::default();
            list.insert("alice", ALICE).unwrap();
            PeerNames::of(&node).replace("file", list);
            node.refusals().warn("rule", format_args!("refused {ALICE}"));
            let last = node.refusals().counts()[0].last.clone().unwrap().1;
            assert_eq!(last, format!("refused alice ({ALICE})"));
            node.stop().await;
        });
    }

    #[test]
    fn peers_without_a_name_show_their_identifier() {
        let names = PeerNames::default();
        assert_eq!(names.show(&ALICE).to_string(), ALICE.to_string());
        let mut list = TrustList::default();
        list.insert("alice", ALICE).unwrap();
        names.replace("file", list);
        assert_eq!(names.show(&ALICE).to_string(), format!("alice ({ALICE})"));
        names.replace("file", TrustList::default());
        assert_eq!(names.name_of(&ALICE), None);
    }
}
