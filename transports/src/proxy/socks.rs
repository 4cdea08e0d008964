//! SOCKS5, as in [RFC 1928](https://www.rfc-editor.org/rfc/rfc1928) and, for names and passwords,
//! [RFC 1929](https://www.rfc-editor.org/rfc/rfc1929).

use std::net::IpAddr;

use ockam_actix_runtime::socket::{host_port::HostPort, stream::Socket};

use crate::proxy::{
    server::Credentials,
    wire::{read_exact, write_all, Failure},
};

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;

const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const NO_METHOD: u8 = 0xff;

const CONNECT: u8 = 1;
const RESERVED: u8 = 0;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks for a connection to `target`.
pub(super) async fn connect(
    socket: &Socket,
    target: &HostPort<'_>,
    credentials: Option<&Credentials>,
) -> Result<(), Failure> {
    let request = request(target)?;
    let methods = match credentials {
        Some(_) => &[VERSION, 2, NO_LOGIN, LOGIN][..],
        None => &[VERSION, 1, NO_LOGIN],
    };
    write_all(socket, methods).await?;
    match (read(socket).await?, credentials) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, LOGIN], Some(credentials)) => log_in(socket, credentials).await?,
        ([VERSION, NO_METHOD], _) => {
            return Err(Failure::Unauthorized("it asks for a user and a password".into()));
        }
        _ => return Err(Failure::Invalid("something else than SOCKS5")),
    }
    write_all(socket, &request).await?;
    let [version, reply, _, kind] = read(socket).await?;
    if version != VERSION {
        return Err(Failure::Invalid("something else than SOCKS5"));
    }
    check(reply)?;
    // Where it has connected from, which is of no use here.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => {
            let [length] = read(socket).await?;
            usize::from(length)
        }
        _ => return Err(Failure::Invalid("an address of no known kind")),
    };
    let mut bound = [0; u8::MAX as usize + 2];
    Ok(read_exact(socket, &mut bound[..length + 2]).await?)
}

async fn log_in(socket: &Socket, credentials: &Credentials) -> Result<(), Failure> {
    let mut request = vec![LOGIN_VERSION];
    for part in [&credentials.user, &credentials.password] {
        // Checked when the URL was read; a longer one would be refused as wrong.
        request.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        request.extend(part.bytes());
    }
    write_all(socket, &request).await?;
    match read(socket).await? {
        [LOGIN_VERSION, 0] => Ok(()),
        [LOGIN_VERSION, _] => Err(Failure::Unauthorized("it does not know who asks".into())),
        _ => Err(Failure::Invalid("something else than an answer about the password")),
    }
}

fn request(target: &HostPort<'_>) -> Result<Vec<u8>, Failure> {
    let mut request = vec![VERSION, CONNECT, RESERVED];
    match target.ip() {
        Some(IpAddr::V4(ip)) => {
            request.push(IPV4);
            request.extend(ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            request.push(IPV6);
            request.extend(ip.octets());
        }
        None => {
            let length = u8::try_from(target.host.len());
            let too_long = |_| Failure::Refused("the name has more than 255 bytes".into());
            request.extend([NAME, length.map_err(too_long)?]);
            request.extend(target.host.bytes());
        }
    }
    request.extend(target.port.to_be_bytes());
    Ok(request)
}

fn check(reply: u8) -> Result<(), Failure> {
    let why = match reply {
        0 => return Ok(()),
        1 => "it failed",
        2 => "its rules do not allow that",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "connection refused",
        6 => "the time to live has expired",
        7 => "it does not know how to connect",
        8 => "it does not know this kind of address",
        _ => "for a reason that SOCKS5 does not name",
    };
    Err(Failure::Refused(format!("{why} (reply {reply})")))
}

async fn read<const N: usize>(socket: &Socket) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    read_exact(socket, &mut bytes).await?;
    Ok(bytes)
}
