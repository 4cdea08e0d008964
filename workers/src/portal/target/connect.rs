//! The connection to an outlet's target, or the reason why there is none.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use ockam_actix_runtime::socket::{
    connect::{first_to_answer, refuse_self_connected},
    network::Network,
    stream::Socket,
};
use socket2::{Domain, Protocol, SockRef, Socket as SystemSocket, Type};
use tokio::{
    net::{TcpStream, UnixStream},
    time::{sleep, timeout_at, Instant},
};

use crate::portal::{
    first_bytes::write_all,
    limits::{CONNECT_TIMEOUT, UNIX_CONNECT_PAUSE},
    protocol::{introduction::ClientAddresses, reason::StreamRefusal},
    target::{proxy_protocol::ProxyProtocol, Target},
};

/// What a stream connects to, and how it begins there.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) target: Arc<Target>,
    /// The version in which the target is told of the client, and its addresses, if they are known.
    pub(crate) proxy: Option<(ProxyProtocol, Option<ClientAddresses>)>,
}

/// Why there is no connection to the target.
pub(crate) struct NoTarget {
    /// For the other end.
    pub(crate) reason: StreamRefusal,
    /// For the log at this end.
    pub(crate) why: String,
}

/// A connection to the target.
pub(crate) struct Connected {
    pub(crate) socket: Socket,
    /// The target accepted and reset the connection at once; what it sent before can still be read.
    pub(crate) reset: Option<io::Error>,
}

/// Connects to a target: to the first of its addresses that answers. It is told of the client
/// first, if it is to be told at all.
pub(crate) async fn connect_target(network: Network, dial: Dial) -> Result<Connected, NoTarget> {
    let end = Instant::now() + CONNECT_TIMEOUT;
    let timed_out = || no_target(io::ErrorKind::TimedOut.into());
    let mut connected = match &*dial.target {
        Target::Tcp(server) => connect_tcp(&network, &server.to_string(), end).await?,
        Target::Unix(path) => match timeout_at(end, connect_unix(&network, path)).await {
            Ok(connected) => connected.map_err(no_server)?,
            Err(_) => return Err(timed_out()),
        },
    };
    if let Some((version, client)) = dial.proxy {
        let header = version.header(client);
        let told = timeout_at(end, write_all(&connected.socket, &header)).await;
        if let Err(error) = told.map_err(|_| timed_out())? {
            connected.reset.get_or_insert(error);
        }
    }
    Ok(connected)
}

async fn connect_tcp(network: &Network, name: &str, end: Instant) -> Result<Connected, NoTarget> {
    let Ok(found) = timeout_at(end, network.resolve(name)).await else {
        return Err(no_target(io::ErrorKind::TimedOut.into()));
    };
    let addresses = found.map_err(|error| no_address(error, is_socket_to_be_had()))?;
    let connected = match network {
        Network::System => first_to_answer(addresses, end, connect_to).await,
        // Only in tests.
        #[allow(unreachable_patterns)]
        simulated => first_to_answer(addresses, end, |at| connect_simulated(simulated, at)).await,
    };
    connected.map_err(no_target)
}

async fn connect_simulated(network: &Network, address: SocketAddr) -> io::Result<Connected> {
    let socket = network.connect(address).await?;
    socket.set_resets_on_close(true)?;
    Ok(Connected { socket, reset: None })
}

async fn connect_unix(network: &Network, path: &Path) -> io::Result<Connected> {
    if !matches!(network, Network::System) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it has no Unix sockets"));
    }
    loop {
        match UnixStream::connect(path).await {
            // The server's queue is full, and nothing tells when there is room.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(UNIX_CONNECT_PAUSE).await;
            }
            connected => {
                return connected.map(|socket| Connected { socket: socket.into(), reset: None });
            }
        }
    }
}

/// The socket is prepared before it connects: if the client leaves meanwhile, the target may have
/// accepted already, and has to see that reset too.
async fn connect_to(address: SocketAddr) -> io::Result<Connected> {
    let kind = Type::STREAM.nonblocking();
    let socket = SystemSocket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    prepare(&SockRef::from(&socket))?;
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => return Err(error),
        _ => {}
    }
    let socket = TcpStream::from_std(socket.into())?;
    if socket.peer_addr().is_ok() {
        // A target on this host has accepted by now.
        return Ok(Connected { socket: refuse_self_connected(socket)?.into(), reset: None });
    }
    socket.writable().await?;
    match SockRef::from(&socket).take_error()? {
        Some(error) if !is_reset(&error) => Err(error),
        reset => Ok(Connected { socket: socket.into(), reset }),
    }
}

/// Whether the error is that of a RST, or of one after a FIN.
fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// What the systems' resolvers say when they are sure that a name has no address. Of a lookup that
/// has failed, the standard library keeps the text alone; everything else may go away by itself.
const NO_SUCH_NAME: [&str; 5] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
    "nodename nor servname provided, or not known",
];

/// Why a name has given no address. Without a descriptor, a resolver cannot read its files or ask,
/// and some say then that there is no such name.
fn no_address(error: io::Error, is_socket_to_be_had: bool) -> NoTarget {
    let why = error.to_string();
    let reason = match NO_SUCH_NAME.iter().any(|text| why.contains(text)) {
        _ if is_exhausted(&error) || !is_socket_to_be_had => StreamRefusal::Busy,
        true => StreamRefusal::NameUnknown,
        false => StreamRefusal::NameUnresolved,
    };
    NoTarget { reason, why }
}

/// Whether the process could open a socket now.
fn is_socket_to_be_had() -> bool {
    !SystemSocket::new(Domain::IPV4, Type::DGRAM, None).is_err_and(|error| is_exhausted(&error))
}

/// Whether the process, or the system, has no descriptor or no memory for one more socket.
fn is_exhausted(error: &io::Error) -> bool {
    const LIMITS: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| LIMITS.contains(&code))
}

fn no_target(error: io::Error) -> NoTarget {
    let reason = match error.kind() {
        _ if is_exhausted(&error) => StreamRefusal::Busy,
        io::ErrorKind::ConnectionRefused => StreamRefusal::TargetRefused,
        io::ErrorKind::TimedOut => {
            let why = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
            return NoTarget { reason: StreamRefusal::TimedOut, why };
        }
        // The name has no address.
        io::ErrorKind::NotFound => StreamRefusal::NameUnknown,
        _ => StreamRefusal::Unreachable,
    };
    NoTarget { reason, why: error.to_string() }
}

/// Why there is no connection to a Unix socket, whose server makes the file when it starts.
fn no_server(error: io::Error) -> NoTarget {
    match error.kind() {
        io::ErrorKind::NotFound => {
            NoTarget { reason: StreamRefusal::TargetRefused, why: error.to_string() }
        }
        _ => no_target(error),
    }
}

/// Sets the options of every application's socket; those that an inlet accepts inherit them from
/// its listening socket.
///
/// * No delay of small writes.
/// * `SO_LINGER` 0, so that however this program ends, even by SIGKILL, a stream that is not
///   finished ends with a reset and never with a clean end. A finished stream undoes it.
/// * Urgent bytes stay where they are among the others: a portal carries one sequence of bytes.
pub(crate) fn prepare(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_out_of_band_inline(true)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use futures::FutureExt;

    use super::*;

    /// A target whose queue is full: it takes the next connection once the first one is accepted
    /// and the system tries again, after a second.
    fn busy_target() -> (TcpListener, std::net::TcpStream) {
        let socket = SystemSocket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let target = TcpListener::from(socket);
        let first = std::net::TcpStream::connect(target.local_addr().unwrap()).unwrap();
        (target, first)
    }

    fn dial(target: Target) -> Dial {
        Dial { target: Arc::new(target), proxy: None }
    }

    fn address(target: &TcpListener) -> Dial {
        dial(target.local_addr().unwrap().to_string().parse().unwrap())
    }

    #[test]
    fn out_of_descriptors_is_busy_and_nothing_else() {
        let of = |code| no_target(io::Error::from_raw_os_error(code)).reason;
        assert_eq!([of(libc::EMFILE), of(libc::ENFILE)], [StreamRefusal::Busy; 2]);
        assert_eq!(of(libc::EHOSTUNREACH), StreamRefusal::Unreachable);
        let looked_up = no_address(io::Error::from_raw_os_error(libc::EMFILE), true);
        assert_eq!(looked_up.reason, StreamRefusal::Busy);
    }

    #[test]
    fn only_a_sure_answer_makes_a_name_unknown() {
        const PREFIX: &str = "failed to lookup address information: ";
        let of = |text: &str, is_socket_to_be_had| {
            no_address(io::Error::other(format!("{PREFIX}{text}")), is_socket_to_be_had).reason
        };
        for text in NO_SUCH_NAME {
            assert_eq!(of(text, true), StreamRefusal::NameUnknown);
            assert_eq!(of(text, false), StreamRefusal::Busy, "nobody could be asked");
        }
        for text in ["Temporary failure in name resolution", "Try again", "System error"] {
            assert_eq!(of(text, true), StreamRefusal::NameUnresolved);
        }
    }

    #[test]
    fn a_unix_socket_is_waited_for_and_missed() {
        actix_rt::System::new().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let target = dial(Target::Unix(path.clone()));
            let connect = || connect_target(Network::System, target.clone());
            let missed = connect().await.err().map(|no_target| no_target.reason);
            assert_eq!(missed, Some(StreamRefusal::TargetRefused), "there is no file");
            let listener = SystemSocket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            listener.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
            let missed = connect().await.err().map(|no_target| no_target.reason);
            assert_eq!(missed, Some(StreamRefusal::TargetRefused), "nobody listens");
            listener.listen(0).unwrap();
            let _first = connect().await.unwrap_or_else(|no_target| panic!("{}", no_target.why));
            let mut second = Box::pin(connect());
            assert!(second.as_mut().now_or_never().is_none(), "the queue is full");
            listener.accept().unwrap();
            assert!(second.await.is_ok());
        });
    }

    #[test]
    fn a_target_connected_in_vain_sees_a_reset() {
        actix_rt::System::new().block_on(async {
            let target = TcpListener::bind("127.0.0.1:0").unwrap();
            let connected = connect_target(Network::System, address(&target)).now_or_never();
            assert!(connected.is_some(), "a target on this host answers at once");
            let (mut accepted, _) = target.accept().unwrap();
            drop(connected);
            accepted.set_read_timeout(Some(CONNECT_TIMEOUT)).unwrap();
            let seen = accepted.read(&mut [0]).map_err(|error| error.kind());
            assert_eq!(seen, Err(io::ErrorKind::ConnectionReset));
        });
    }

    #[test]
    fn accepted_sockets_inherit_the_listening_sockets_options() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        prepare(&SockRef::from(&listener)).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let accepted = SockRef::from(&accepted);
        assert!(accepted.tcp_nodelay().unwrap() && accepted.out_of_band_inline().unwrap());
        assert_eq!(accepted.linger().unwrap(), Some(Duration::ZERO));
    }

    #[test]
    fn bytes_sent_before_a_targets_reset_stay_readable() {
        actix_rt::System::new().block_on(async {
            let (target, _first) = busy_target();
            let mut connecting = Box::pin(connect_target(Network::System, address(&target)));
            assert!(connecting.as_mut().now_or_never().is_none());
            target.accept().unwrap();
            // The system has connected; the future has not been polled since.
            let (mut accepted, _) = target.accept().unwrap();
            accepted.write_all(b"busy").unwrap();
            SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).unwrap();
            drop(accepted);
            let connected =
                connecting.await.unwrap_or_else(|no_target| panic!("{}", no_target.why));
            let reset = connected.reset.map(|error| error.kind());
            assert_eq!(reset, Some(io::ErrorKind::ConnectionReset));
            let mut answer = [0; 8];
            assert_eq!(connected.socket.try_read(&mut answer).unwrap(), 4);
        });
    }
}
