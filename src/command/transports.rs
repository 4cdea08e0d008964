//! The transports of a command's node, and its portals for UDP.

use ockam::{
    Address, Context, ListenOptions, QuicTransport, Result, TcpTransport, UdpPortals,
    UnixTransport, WsTransport, WssTransport, QUIC, UNIX, WS, WSS,
};

use crate::command::{
    dial_args::DialArguments, node_address::NodeAddress, tls_args::CertificateArguments,
};

/// All transports, so that every route and every address that a command is given can be used.
pub(crate) struct Transports {
    pub(crate) tcp: TcpTransport,
    quic: QuicTransport,
    pub(crate) udp: UdpPortals,
    unix: UnixTransport,
    ws: WsTransport,
    wss: WssTransport,
}

impl Transports {
    pub(crate) async fn create(ctx: &Context, dial: &DialArguments) -> Result<Self> {
        Ok(Self {
            tcp: TcpTransport::with_connections(ctx, dial.connections).await?,
            quic: QuicTransport::create(ctx).await?,
            udp: UdpPortals::create(ctx).await?,
            unix: UnixTransport::create(ctx).await?,
            ws: WsTransport::create(ctx).await?,
            wss: WssTransport::trusting(ctx, dial.authorities.authorities()?).await?,
        })
    }

    /// Listens for nodes on each of `all`, through which anybody reaches the worker at `exposed`;
    /// returns what they are bound to.
    pub(crate) async fn listen(
        &self,
        all: &[NodeAddress],
        exposed: Option<Address>,
        tls: &CertificateArguments,
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
                WS => address.bound_to(self.ws.listen(options).await?.address()),
                WSS => {
                    let listener = self.wss.listen(options, tls.certificate()?).await?;
                    address.bound_to(listener.address())
                }
                _ => self.tcp.listen(options).await?.address().to_string(),
            };
            bound.push(NodeAddress { transport: address.transport, text });
        }
        Ok(bound)
    }
}
