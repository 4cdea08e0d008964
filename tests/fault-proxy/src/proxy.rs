//! The proxy between two nodes, which passes what comes as the scripts say.

use std::{io, sync::Arc};

use tokio::{
    net::{TcpListener, UdpSocket, UnixListener},
    task::JoinHandle,
};

use crate::{
    datagrams::Datagrams,
    fault::Fault,
    journal::Journal,
    line::Line,
    streams::{accept, Listener},
};

/// A running proxy; dropping it cuts its connections.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    journal: Arc<Journal>,
    passing: JoinHandle<()>,
}

impl Proxy {
    /// Listens on `listen`, an address or the path of a Unix socket as the line is, and passes what
    /// comes on to the other end of the line.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub async fn start(listen: &str, line: Line, fault: Fault, seed: u64) -> io::Result<Self> {
        let journal = Journal::new(fault, seed);
        let (address, passing) = match line {
            Line::Unix(_) => {
                let listener = Listener::Unix(UnixListener::bind(listen)?);
                (listen.to_owned(), tokio::spawn(accept(listener, line, journal.clone())))
            }
            Line::Tcp(_) | Line::Opaque(_) => {
                let listener = TcpListener::bind(listen).await?;
                let address = listener.local_addr()?.to_string();
                let passing = accept(Listener::Tcp(listener), line, journal.clone());
                (address, tokio::spawn(passing))
            }
            Line::Udp(node) => {
                let front = UdpSocket::bind(listen).await?;
                let address = front.local_addr()?.to_string();
                let passing = Datagrams::new(front, node, journal.clone()).await?.pass();
                (address, tokio::spawn(passing))
            }
        };
        Ok(Self { address, journal, passing })
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How often there was a fault.
    pub fn faults(&self) -> usize {
        self.journal.faults()
    }

    /// What was done, a line each: microseconds, connection, direction, which frame, chunk or
    /// datagram, its bytes, the fault.
    pub fn log(&self) -> String {
        self.journal.log()
    }

    /// From now on there are no faults; connections of streams that met one are reset.
    pub fn calm(&self) {
        self.journal.calm.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.passing.abort();
        // Stalled connections wait for this, and then close.
        self.calm();
    }
}
