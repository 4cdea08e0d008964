//! The transports of a command's node, and its portals for UDP.

use ockam::{
    Address, Context, ListenOptions, QuicTransport, Result, TcpTransport, UdpPortals,
    UnixTransport, WsTransport, WssTransport, QUIC, UNIX, WS, WSS,
};

use crate::command::{dial_args::DialArguments, listeners::Listeners, node_address::NodeAddress};

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

    /// Listens for nodes, which reach the worker at `exposed`, whoever they are; returns what the
    /// listeners are bound to.
    pub(crate) async fn listen(
        &self,
        listeners: &Listeners,
        exposed: Option<Address>,
    ) -> Result<Vec<NodeAddress>> {
        let mut bound = Vec::new();
        for address in &listeners.addresses {
            let mut options = ListenOptions::on(&address.text);
            if let Some(exposed) = &exposed {
                options = options.expose(exposed.clone());
            }
            let text = match address.transport {
                QUIC => self.quic.listen(options).await?.address().to_string(),
                UNIX => self.unix.listen(options).await?.address().display().to_string(),
                WS => address.bound_to(self.ws.listen(options).await?.address()),
                WSS => {
                    let listener =
                        self.wss.listen(options, listeners.certificate.certificate()?).await?;
                    address.bound_to(listener.address())
                }
                _ => self.tcp.listen(options).await?.address().to_string(),
            };
            bound.push(NodeAddress { transport: address.transport, text });
        }
        Ok(bound)
    }
}
