//! The transports of a command's node, and its portals for UDP.

use ockam::{
    Address, Context, ListenOptions, QuicTransport, Result, TcpTransport, UdpPortals,
    UnixTransport, QUIC, UNIX,
};

use crate::command::node_address::NodeAddress;

/// All transports, so that every route and every address that a command is given can be used.
pub(crate) struct Transports {
    pub(crate) tcp: TcpTransport,
    quic: QuicTransport,
    pub(crate) udp: UdpPortals,
    unix: UnixTransport,
}

impl Transports {
    pub(crate) async fn create(ctx: &Context) -> Result<Self> {
        Ok(Self {
            tcp: TcpTransport::create(ctx).await?,
            quic: QuicTransport::create(ctx).await?,
            udp: UdpPortals::create(ctx).await?,
            unix: UnixTransport::create(ctx).await?,
        })
    }

    /// Listens for nodes on each of `all`, through which anybody reaches the worker at `exposed`;
    /// returns what they are bound to.
    pub(crate) async fn listen(
        &self,
        all: &[NodeAddress],
        exposed: Option<Address>,
    ) -> Result<Vec<NodeAddress>> {
        let mut bound = Vec::new();
        for address in all {
            let mut options = ListenOptions::on(&address.text);
            if let Some(exposed) = &exposed {
                options = options.expose(exposed.clone());
            }
            let text = match address.transport {
                QUIC => self.quic.listen(options).await?.address().to_string(),
                UNIX => self.unix.listen(options).await?.address().display().to_string(),
                _ => self.tcp.listen(options).await?.address().to_string(),
            };
            bound.push(NodeAddress { transport: address.transport, text });
        }
        Ok(bound)
    }
}
