//! Whom the identity of a command's node trusts: whoever is named on the command line, whoever is
//! in its trust file, or everybody.

use std::{str::FromStr, sync::Arc};

use ockam::{
    access, is_peer_name, Error, Identifier, Invitations, Origin, Result, TrustEveryonePolicy,
    TrustFile, TrustIdentifierPolicy, TrustList, TrustMultiIdentifiersPolicy, TrustPolicy,
};

/// An identity that is trusted, and the name that it has here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedPeer {
    name: Option<String>,
    identifier: Identifier,
}

/// Whom an identity trusts.
pub(crate) struct Trust {
    pub(crate) named: Vec<TrustedPeer>,
    pub(crate) file: Option<TrustFile>,
}

impl FromStr for TrustedPeer {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, identifier) = match text.split_once('=') {
            Some((name, identifier)) => (Some(name), identifier),
            None => (None, text),
        };
        let identifier = identifier.trim().parse().map_err(|error| format!("{error}"))?;
        match name {
            Some(name) if !is_peer_name(name) => Err(format!("{name:?} cannot name a peer")),
            name => Ok(Self { name: name.map(str::to_owned), identifier }),
        }
    }
}

impl TrustedPeer {
    /// The names of those that have one.
    ///
    /// # Errors
    /// If an identity or a name is there twice.
    pub(crate) fn names(all: &[Self]) -> Result<TrustList> {
        let mut list = TrustList::default();
        for Self { name, identifier } in all {
            if let Some(name) = name {
                let inserted = list.insert(name, *identifier);
                inserted.map_err(|error| Error::Usage(format!("--trust: {error}")))?;
            }
        }
        Ok(list)
    }

    /// The identity of this name.
    pub(crate) fn find(all: &[Self], name: &str) -> Option<Identifier> {
        let found = all.iter().find(|peer| peer.name.as_deref() == Some(name));
        found.map(|peer| peer.identifier)
    }
}

/// The identity of this name in a trust file.
pub(crate) fn find_in(list: &TrustList, name: &str) -> Option<Identifier> {
    let found = list.iter().find(|(_, listed)| *listed == name);
    found.map(|(identifier, _)| *identifier)
}

impl Trust {
    /// The identity of this name here.
    pub(crate) fn find(&self, name: &str) -> Option<Identifier> {
        let in_file = || find_in(&self.file.as_ref()?.list(), name);
        TrustedPeer::find(&self.named, name).or_else(in_file)
    }

    /// Invitations to the node, which need a trust file. Without them, nobody can be invited, and
    /// the log says why.
    pub(crate) async fn invitations(&self) -> Option<Invitations> {
        let file = self.file.clone()?;
        // The disk is not waited for on an arbiter.
        let opening = actix_rt::task::spawn_blocking(move || Invitations::beside(&file));
        let opened = opening.await.ok()?;
        opened.map_err(|error| log::warn!("nobody can be invited: {error}")).ok()
    }

    /// The policy for the node's channels.
    pub(crate) fn policy(&self) -> Arc<dyn TrustPolicy> {
        let identifiers = self.named.iter().map(|peer| peer.identifier);
        let named: Option<Arc<dyn TrustPolicy>> = match self.named[..] {
            [] => None,
            [TrustedPeer { identifier, .. }] => {
                Some(Arc::new(TrustIdentifierPolicy::new(identifier)))
            }
            _ => Some(Arc::new(TrustMultiIdentifiersPolicy::new(identifiers))),
        };
        match (named, self.file.as_ref().map(TrustFile::policy)) {
            (Some(named), Some(in_file)) => Arc::new(named.or(in_file)),
            (Some(named), None) => named,
            (None, Some(in_file)) => Arc::new(in_file),
            (None, None) => Arc::new(TrustEveryonePolicy),
        }
    }

    /// The rule for workers that only the trusted peers of `own` reach; none where everybody is
    /// trusted.
    pub(crate) fn access_rule(
        &self,
        own: Identifier,
    ) -> Option<impl Fn(&Origin) -> bool + Send + Sync + 'static> {
        let is_open = self.named.is_empty() && self.file.is_none();
        (!is_open).then(|| access::by_policy(own, self.policy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_peers_may_have_a_name() {
        let id = Identifier::from_bytes([7; 32]);
        let named = TrustedPeer { name: Some("laptop".into()), identifier: id };
        assert_eq!(format!("laptop={id}").parse(), Ok(named));
        assert_eq!(id.to_string().parse(), Ok(TrustedPeer { name: None, identifier: id }));
        for wrong in [format!("={id}"), format!("a b={id}"), "laptop=I12".into(), "laptop".into()] {
            assert!(wrong.parse::<TrustedPeer>().is_err(), "{wrong}");
        }
    }
}
