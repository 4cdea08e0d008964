//! Peer: two `stunnel`, TLS 1.3 with certificates on both sides, a thread and a handshake for every
//! connection.

use crate::{
    certificates::Certificates,
    tunnel::{await_listening, free_address, Running},
};
use ockam_actix_harness::{installed::installed, process::Process, scratch::Scratch};
use std::{io, net::SocketAddr, path::Path, process::Command};

/// Starts both.
pub(crate) fn start(target: SocketAddr) -> io::Result<Running> {
    let scratch = Scratch::new()?;
    let stunnel = installed("stunnel").or_else(|_| installed("stunnel4"))?;
    let certificates = Certificates::generate(&scratch)?;
    let (listen, middle) = (free_address()?, free_address()?);
    let text = config(&certificates, &certificates.exit, "no", middle, target);
    let mut exit = process("exit", &stunnel, &text, &scratch)?;
    await_listening(&mut exit, middle)?;
    let text = config(&certificates, &certificates.entry, "yes", listen, middle);
    let entry = process("entry", &stunnel, &text, &scratch)?;
    Running::when_ready(listen, vec![entry, exit], Some(scratch))
}

fn config(
    certificates: &Certificates,
    own: &Path,
    client: &str,
    listen: SocketAddr,
    to: SocketAddr,
) -> String {
    format!(
        "foreground = yes\npid =\ndebug = err\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n\
         [tunnel]\nclient = {client}\naccept = {listen}\nconnect = {to}\n\
         cert = {own}\nCAfile = {authority}\n\
         verifyChain = yes\nsslVersion = TLSv1.3\nciphersuites = TLS_AES_256_GCM_SHA384\n",
        own = own.display(),
        authority = certificates.authority.display(),
    )
}

fn process(
    title: &'static str,
    stunnel: &Path,
    config: &str,
    scratch: &Scratch,
) -> io::Result<Process> {
    let config = scratch.write(&format!("{title}.conf"), config)?;
    Process::start(title, Command::new(stunnel).arg(config))
}
