//! Peer: two `haproxy` in TCP mode, TLS 1.3 with certificates on both sides, as many threads as it
//! likes.

use crate::{
    certificates::Certificates,
    tunnel::{await_listening, free_address, Running},
};
use ockam_actix_harness::{installed::installed, process::Process, scratch::Scratch};
use std::{io, net::SocketAddr, process::Command};

/// Starts both.
pub(crate) fn start(target: SocketAddr) -> io::Result<Running> {
    let scratch = Scratch::new()?;
    let certificates = Certificates::generate(&scratch)?;
    let (listen, middle) = (free_address()?, free_address()?);
    let authority = certificates.authority.display();
    let tls = format!(
        "ca-file {authority} verify required ssl-min-ver TLSv1.3 \
         ciphersuites TLS_AES_256_GCM_SHA384"
    );
    let bind = format!("{middle} ssl crt {} {tls}", certificates.exit.display());
    let mut exit = process("exit", &bind, &target.to_string(), &scratch)?;
    await_listening(&mut exit, middle)?;
    let server = format!("{middle} ssl crt {} {tls}", certificates.entry.display());
    let entry = process("entry", &listen.to_string(), &server, &scratch)?;
    Running::when_ready(listen, vec![entry, exit], Some(scratch))
}

fn process(
    title: &'static str,
    bind: &str,
    server: &str,
    scratch: &Scratch,
) -> io::Result<Process> {
    let text = format!(
        "global\n maxconn 9000\ndefaults\n mode tcp\n timeout connect 10s\n \
         timeout client 1h\n timeout server 1h\n\
         listen tunnel\n bind {bind}\n server next {server}\n"
    );
    let config = scratch.write(&format!("{title}.cfg"), &text)?;
    Process::start(title, Command::new(installed("haproxy")?).arg("-db").arg("-f").arg(config))
}
