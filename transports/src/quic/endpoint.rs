//! The UDP sockets of QUIC, and what all connections have in common.
//!
//! A server proves with a key that it makes at its start that the handshake was with itself, and
//! clients accept any. That says nothing about who it is: identities belong to secure channels,
//! which run inside, and a node without one is no more open here than on TCP. It is a raw public
//! key ([RFC 7250]), as a certificate around it would claim things that nobody checks.
//!
//! [RFC 7250]: https://www.rfc-editor.org/rfc/rfc7250

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use ockam_actix_runtime::random;
use quinn::{
    congestion::BbrConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
    rustls::{
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        client::Resumption,
        crypto::{
            ring::{default_provider, sign::any_eddsa_type},
            verify_tls13_signature_with_raw_key, CryptoProvider,
        },
        pki_types::{
            CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
        },
        server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage},
        sign::CertifiedKey,
        version::TLS13,
        ClientConfig as TlsClient, DigitallySignedStruct, Error as TlsError,
        ServerConfig as TlsServer, SignatureScheme,
    },
    ClientConfig, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, IdleTimeout,
    ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use ring::{hmac, rand::SystemRandom, signature::Ed25519KeyPair};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    limits::UNSENT_BYTES,
    quic::limits::{
        CONNECTION_ID_BYTES, DATAGRAM_BYTES, IDLE_TIMEOUT, INITIAL_ROUND_TRIP, MAX_RECEIVE_BYTES,
        MIN_RECEIVE_BYTES, PROTOCOL, RESET_INTERVAL, SOCKET_BYTES, UNSEEN_BYTES,
        UNSEEN_BYTES_IN_ALL, UNSEEN_CONNECTIONS,
    },
};

/// The number that Linux has made at its start.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A socket that accepts connections as `config` says, on the runtime of this thread.
///
/// # Errors
/// If the system refuses.
pub fn server(socket: UdpSocket, config: ServerConfig) -> io::Result<Endpoint> {
    let mut settings = EndpointConfig::default();
    if let Some(key) = lasting_reset_key(socket.local_addr()?) {
        settings.reset_key(Arc::new(key));
    }
    settings.cid_generator(|| Box::new(RandomIds));
    settings.min_reset_interval(RESET_INTERVAL);
    Endpoint::new(settings, Some(config), socket, Arc::new(TokioRuntime))
}

/// A key that a process has again when it is killed and started again.
///
/// So it can tell the peers of its former life, by a stateless reset ([RFC 9000, section 10.3]),
/// that their connections are no more, and they need not find out by silence. Nothing has to be
/// stored for that: the key follows from the random number that Linux makes when it starts. That
/// never leaves the machine, and whoever is on the machine and knows it can end a connection only
/// if they also see its packets on the way, as with TCP. The address keeps apart the listeners of a
/// machine: none answers with the reset of another's connection. On other systems a listener has a
/// key of its own.
///
/// [RFC 9000, section 10.3]: https://www.rfc-editor.org/rfc/rfc9000#section-10.3
fn lasting_reset_key(address: SocketAddr) -> Option<hmac::Key> {
    let boot = std::fs::read(BOOT_ID).ok().filter(|id| !id.is_empty())?;
    let boot = hmac::Key::new(hmac::HMAC_SHA256, &boot);
    let key = hmac::sign(&boot, format!("ockam quic reset {address}").as_bytes());
    Some(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
}

/// Names of connections that any listener might have given: quinn's own show whether a listener has
/// given them in its present life, and those of a former one would get no answer.
#[derive(Debug)]
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&random::bytes::<CONNECTION_ID_BYTES>())
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// A socket that dials peers of the same family of addresses as `peer`, from whatever address of
/// this host leads there at the time. So a connection goes on when that changes.
///
/// # Errors
/// If the system has none.
pub fn client(peer: SocketAddr) -> io::Result<Endpoint> {
    let any = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let (settings, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
    let mut endpoint = Endpoint::new(settings, None, bind(any)?, runtime)?;
    endpoint.set_default_client_config(client_config().map_err(io::Error::other)?);
    Ok(endpoint)
}

/// A socket on `address`.
///
/// # Errors
/// If the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Less is no reason to fail.
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// What a listener says in handshakes, with a key of its own.
///
/// # Errors
/// If there are no random bits for the key.
pub fn server_config() -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(default_provider());
    let key = own_key()?;
    let mut tls = TlsServer::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(key))));
    tls.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Nothing is kept of a connection that has ended.
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    let tls =
        QuicServerConfig::try_from(tls).map_err(|error| TlsError::General(error.to_string()))?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(Arc::new(transport_config(1)))
        .max_incoming(UNSEEN_CONNECTIONS)
        .incoming_buffer_size(UNSEEN_BYTES)
        .incoming_buffer_size_total(UNSEEN_BYTES_IN_ALL);
    Ok(config)
}

/// A new key to sign handshakes with.
fn own_key() -> Result<CertifiedKey, TlsError> {
    let failed = |what: &str| TlsError::General(format!("cannot make a key: {what}"));
    let secret = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let secret = secret.map_err(|_| failed("the system has no random bits"))?;
    let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(secret.as_ref()))?;
    let public = key.public_key().ok_or_else(|| failed("it has no public part"))?;
    let public = CertificateDer::from(public.as_ref().to_vec());
    Ok(CertifiedKey::new(vec![public], key))
}

/// What a dialling end says in handshakes.
///
/// # Errors
/// If TLS has nothing that QUIC needs, which it has.
pub fn client_config() -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(default_provider());
    let mut tls = TlsClient::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![PROTOCOL.to_vec()];
    tls.enable_sni = false;
    tls.resumption = Resumption::disabled();
    let tls =
        QuicClientConfig::try_from(tls).map_err(|error| TlsError::General(error.to_string()))?;
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport_config(0)));
    Ok(config)
}

/// What both ends say of a connection on which the peer may open `streams` streams.
fn transport_config(streams: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(0_u32.into())
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BYTES)
        .max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok())
        .initial_rtt(INITIAL_ROUND_TRIP)
        .stream_receive_window(VarInt::from_u64(MAX_RECEIVE_BYTES).unwrap_or(VarInt::MAX))
        .receive_window(VarInt::from_u64(MIN_RECEIVE_BYTES).unwrap_or(VarInt::MAX))
        .send_window(UNSENT_BYTES.into())
        // It takes no loss for a full path: at 1 % loss and a round trip of 50 ms, where it fills a
        // line of 25 MB/s by two thirds, quinn's Cubic and New Reno bring 0.3 MB/s, as TCP does.
        .congestion_controller_factory(Arc::new(BbrConfig::default()));
    config
}

/// Accepts whatever key the server has, if the server has it.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _key: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("QUIC has no TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
