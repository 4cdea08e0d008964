//! Asking a proxy for a connection to a peer, on one to the proxy.

use ockam_actix_runtime::{socket::stream::Socket, Error, Result};

use crate::{
    peer,
    proxy::{
        http,
        server::{Protocol, ProxyServer},
        socks,
        wire::Failure,
    },
};

impl ProxyServer {
    /// Has the proxy at the other end of `socket` connect to `target` (`host:port`). From then on
    /// the bytes on it are the peer's, the first one included. It waits for as long as the proxy
    /// does not answer.
    ///
    /// # Errors
    /// If it refuses, or does not speak its protocol.
    pub(crate) async fn tunnel(&self, socket: &Socket, target: &str) -> Result<()> {
        let credentials = self.credentials.as_ref();
        let asked = match self.protocol {
            Protocol::Http => http::connect(socket, target, credentials).await,
            Protocol::Socks5 { .. } => {
                socks::connect(socket, &peer::parse(target)?, credentials).await
            }
        };
        asked.map_err(|failure| self.error(target, failure))
    }

    fn error(&self, target: &str, failure: Failure) -> Error {
        let what = match failure {
            Failure::Lost(source) => {
                let what = format!("the proxy {self} has not connected to {target}");
                return Error::transport(what, source);
            }
            Failure::Refused(why) => format!("refused {target}: {why}"),
            Failure::Unauthorized(why) => {
                let named_by = &self.named_by;
                let hint = match self.credentials {
                    None => format!("put user:password@ into {named_by}"),
                    Some(_) => format!("the user or the password in {named_by} is wrong"),
                };
                format!("refused {target}: {why}; {hint}")
            }
            Failure::Invalid(what) => {
                format!("was asked for {target}, and has sent {what}: see {}", self.named_by)
            }
        };
        Error::Peer { who: format!("the proxy {self}"), what }
    }
}
