//! The hosts of a simulated network.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use crate::simulated::{
    link::LinkOptions,
    network::SimulatedNetwork,
    scope::{Random, Scope},
    socket::{Listener, Stream},
    state::ip_of,
};

/// A host of a simulated network. Clones are the same host.
#[derive(Clone)]
pub struct Host {
    network: SimulatedNetwork,
    name: Arc<str>,
    index: usize,
}

impl Host {
    /// The host of `network` with this name, which is added if there is none.
    pub fn of(network: &SimulatedNetwork, name: &str) -> Self {
        let index = network.with(|state| state.host(name));
        Self { network: network.clone(), name: name.into(), index }
    }

    /// Sets how the link to another host treats what is sent from now on.
    pub fn set_link(&self, other: &Self, options: LinkOptions) {
        self.network.with(|state| state.link(self.index, other.index).options = options);
    }

    /// Lets nothing pass between two hosts from now on, or all of it again. What is under way when
    /// it would arrive at a cut link is lost, and sent again later.
    pub fn set_up(&self, other: &Self, is_up: bool) {
        self.network.with(|state| {
            let link = state.link(self.index, other.index);
            if std::mem::replace(&mut link.is_up, is_up) != is_up {
                let what = if is_up { "mended" } else { "cut" };
                state.note(format_args!("the link {} - {} is {what}", self.name, other.name));
            }
        });
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network that it is in.
    pub fn network(&self) -> &SimulatedNetwork {
        &self.network
    }

    /// What the next node on it runs in: random bits that follow from the network's seed, the name,
    /// and how many nodes were on it before.
    pub fn scope(&self) -> Scope {
        let before = self.network.with(|state| {
            let begun = &mut state.hosts[self.index].begun;
            std::mem::replace(begun, *begun + 1)
        });
        let mut random = Random::of(self.network.seed().wrapping_add(before), &self.name);
        Scope::new(random.next_u64(), self.network.began())
    }

    /// Takes its power: nothing that it had under way arrives, and nobody is told.
    pub fn switch_off(&self) {
        self.network.with(|state| {
            state.note(format_args!("{} loses its power", self.name));
            state.switch_off(self.index);
        });
    }

    /// Gives its power back.
    pub fn switch_on(&self) {
        self.network.with(|state| {
            state.note(format_args!("{} has power again", self.name));
            state.hosts[self.index].is_on = true;
        });
    }

    /// The addresses of `host:port`: the host is one of this network, `localhost`, or a number.
    ///
    /// No other name is looked up anywhere.
    ///
    /// # Errors
    /// If there is no such host, or no port.
    pub fn resolve(&self, name: &str) -> io::Result<SocketAddr> {
        if let Ok(address) = name.parse() {
            return Ok(address);
        }
        let (host, port) = name.rsplit_once(':').unwrap_or((name, ""));
        let port: u16 = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
        if host == "localhost" {
            return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
        }
        let found = self.network.with(|state| state.hosts.iter().position(|at| at.name == host));
        // With a resolver's words, as whoever reads them takes this for a sure answer.
        let unknown = || {
            let text = "Name or service not known";
            io::Error::other(format!("no host \"{host}\" in this network: {text}"))
        };
        Ok(SocketAddr::new(ip_of(found.ok_or_else(unknown)?).into(), port))
    }

    /// Connects to `host:port` as an application does.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and if the name is unknown.
    pub async fn connect_to(&self, name: &str) -> io::Result<Stream> {
        self.connect(self.resolve(name)?).await
    }

    /// Listens on `host:port` as an application does.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), and if the name is unknown.
    pub fn listen_on(&self, name: &str) -> io::Result<Listener> {
        self.bind(self.resolve(name)?)
    }

    /// Connects to another host, or to this one.
    ///
    /// # Errors
    /// If the host does not exist or refuses. While nothing passes it tries again for long: give it
    /// a time limit.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<Stream> {
        Stream::connect(&self.network, self.index, to).await
    }

    /// Listens on one of its own addresses; port 0 is any that is free.
    ///
    /// # Errors
    /// If the address is in use, or not its own.
    pub fn bind(&self, address: SocketAddr) -> io::Result<Listener> {
        Listener::bind(&self.network, self.index, address)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.name)
    }
}
