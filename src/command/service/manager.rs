//! Notifications to systemd, or another manager of services, by the protocol of `sd_notify`.

use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::{ffi::OsStrExt, net::UnixDatagram},
};

/// Tells the manager that `NOTIFY_SOCKET` names, if there is one.
pub(crate) fn notify(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state) {
        log::warn!("the manager of services was not told {state}: {error}");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let from = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        let to = SocketAddr::from_abstract_name(name)?;
        return from.send_to_addr(state.as_bytes(), &to).map(drop);
    }
    from.send_to(state.as_bytes(), socket).map(drop)
}
