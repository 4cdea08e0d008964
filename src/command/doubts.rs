//! Things outside of a configuration that it names, and that may still appear: if they are missing,
//! that is a warning and no mistake.

use std::{net::ToSocketAddrs, path::Path};

use ockam::{Error, HistoryFile, Result, Route, UNIX};

use crate::command::node_address::NodeAddress;

/// The doubts so far, each a text for a person.
#[derive(Default)]
pub(crate) struct Doubts {
    pub(crate) said: Vec<String>,
    /// Whether what runs is to be changed: then what has to be there counts as a mistake, and names
    /// are not looked up, as that may take long.
    pub(crate) is_reload: bool,
}

impl Doubts {
    /// Looks for the nodes that are to be connected to.
    pub(crate) fn nodes(&mut self, all: &[NodeAddress]) {
        for NodeAddress { transport, text } in all {
            match *transport == UNIX {
                true => self.socket(text),
                // After a slash there is a path.
                false => self.host(text.split('/').next().unwrap_or_default()),
            }
        }
    }

    /// Looks for the nodes that a route begins with: the others are looked for from there.
    pub(crate) fn route(&mut self, route: &Route) {
        let first = route.first().map(NodeAddress::all_in).unwrap_or_default();
        let nodes: Vec<_> = first.split(',').filter_map(|node| node.parse().ok()).collect();
        self.nodes(&nodes);
    }

    /// Looks for where nodes are to be listened for.
    ///
    /// # Errors
    /// Those of [`folder_of`](Self::folder_of).
    pub(crate) fn listeners(&mut self, all: &[NodeAddress]) -> Result<()> {
        all.iter().try_for_each(|one| match one.transport == UNIX {
            true => self.folder_of(Path::new(&one.text)),
            false => {
                self.nodes(std::slice::from_ref(one));
                Ok(())
            }
        })
    }

    /// Looks for where clients are to be listened for.
    ///
    /// # Errors
    /// Those of [`folder_of`](Self::folder_of).
    pub(crate) fn clients(&mut self, address: &str) -> Result<()> {
        match address.strip_prefix("unix:") {
            Some(socket) => self.folder_of(Path::new(socket)),
            None => {
                self.host(address.trim_start_matches("udp://"));
                Ok(())
            }
        }
    }

    /// Looks for the folder of a file that is to be made.
    ///
    /// # Errors
    /// If what runs is to be changed, and the folder is missing.
    pub(crate) fn folder_of(&mut self, file: &Path) -> Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let Some(missing) = folder.filter(|folder| !folder.is_dir()) else { return Ok(()) };
        let said = format!("there is no folder {} yet", missing.display());
        match self.is_reload {
            true => Err(Error::Usage(said)),
            false => {
                self.said.push(said);
                Ok(())
            }
        }
    }

    /// Looks at what is known of the key histories of others.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn history(&mut self, path: &Path) -> Result<()> {
        let damaged = HistoryFile::is_damaged(path).map_err(|error| Error::Other(error.into()));
        if path.exists() && damaged? {
            let path = path.display();
            self.said.push(format!("{path} is damaged: it will be put aside, as {path}.damaged"));
        }
        Ok(())
    }

    /// Looks for the target of an outlet; patterns permit what is not known before.
    pub(crate) fn target(&mut self, target: &str) {
        let has_patterns = target.contains(['*', ',']) || target.matches('/').count() == 1;
        match target.strip_prefix("unix:") {
            Some(path) => self.socket(path),
            None if has_patterns => {}
            None => self.host(target.trim_start_matches("udp://")),
        }
    }

    fn socket(&mut self, path: &str) {
        if !Path::new(path).exists() {
            self.said.push(format!("there is no socket {path} yet"));
        }
    }

    /// Looks for the host of `host:port`.
    pub(crate) fn host(&mut self, address: &str) {
        if self.is_reload {
            return;
        }
        if let Err(error) = address.to_socket_addrs() {
            self.said.push(format!("{address} does not resolve here: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_doubted() {
        let mut doubts = Doubts::default();
        for target in ["127.0.0.1:1", "udp://[::1]:2", "*.web.internal:443", "10.1.0.0/16:*"] {
            doubts.target(target);
        }
        doubts.route(&"tcp#127.0.0.1:4000,[::1]:4000 => worker".parse().unwrap());
        for listen in ["127.0.0.1:1", "udp://0.0.0.0:1", "unix:/tmp/socket"] {
            doubts.clients(listen).unwrap();
        }
        let listeners = ["ws://127.0.0.1:1/path", "unix:/tmp/x"].map(|one| one.parse().unwrap());
        doubts.listeners(&listeners).unwrap();
        assert_eq!(doubts.said, [""; 0]);
        doubts.target("unix:/no/such/socket");
        doubts.target("name.invalid:80");
        doubts.route(&"tcp#127.0.0.1:4000,ws#name.invalid:80/path => worker".parse().unwrap());
        doubts.clients("name.invalid:1").unwrap();
        doubts.clients("unix:/no/such/folder/socket").unwrap();
        doubts.listeners(&["name.invalid:1".parse().unwrap()]).unwrap();
        assert_eq!(doubts.said.len(), 6);
        let mut of_reload = Doubts { is_reload: true, ..Doubts::default() };
        assert!(of_reload.clients("unix:/no/such/folder/socket").is_err());
        assert!(of_reload.listeners(&["unix:/no/such/folder/x".parse().unwrap()]).is_err());
        of_reload.clients("name.invalid:1").unwrap();
        assert_eq!(of_reload.said, [""; 0]);
    }
}
