//! TLS on a socket, by rustls with the cryptography of ring.
//!
//! With TLS, a connection passes where only web traffic does, and observers of the network do not
//! see that nodes talk, or along which routes. TLS does not authenticate the node: only the secure
//! channel does, which ends at the node at the end of the route, wherever TLS ends.
//!
//! | idea | module |
//! |---|---|
//! | the certificate that a listener shows, which follows its files | `certificate` |
//! | the authorities that are trusted | `options` |
//!
//! rustls is used directly: its sessions do not block, and so fit a socket with readiness as they
//! are.

mod certificate;
mod options;

use std::{
    future::poll_fn,
    io::{self, BufRead, ErrorKind, IoSlice, Write},
};

use bytes::{Buf, BytesMut};
use ockam_actix_runtime::{socket::stream::Socket, Error, Result};
use rustls::{
    pki_types::ServerName, CertificateError, ClientConnection, Connection, Error as TlsError,
    ServerConnection,
};

use crate::limits::RECORDS_BYTES;

pub use certificate::ServerTls;
pub use options::ClientTls;

/// A socket after the handshake of TLS.
#[derive(Debug)]
pub(crate) struct TlsStream {
    socket: Socket,
    session: Connection,
    /// Records that have arrived and are not decrypted yet.
    records: BytesMut,
}

impl TlsStream {
    /// Makes the handshake of a client, which expects a certificate of `host`. `peer` names the
    /// server for people.
    pub(crate) async fn connect(
        socket: Socket,
        tls: &ClientTls,
        host: &str,
        peer: &str,
    ) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| Error::Usage(format!("{peer}: {error}")))?;
        let session = ClientConnection::new(tls.config().await?, name);
        Self::shake_hands(socket, session.map(Connection::Client), peer).await
    }

    /// Makes the handshake of a server.
    pub(crate) async fn accept(socket: Socket, tls: &ServerTls, peer: &str) -> Result<Self> {
        let session = ServerConnection::new(tls.config().await);
        Self::shake_hands(socket, session.map(Connection::Server), peer).await
    }

    async fn shake_hands(
        socket: Socket,
        session: Result<Connection, TlsError>,
        peer: &str,
    ) -> Result<Self> {
        let mut session = session.map_err(|error| Error::Bug(error.to_string()))?;
        session.set_buffer_limit(Some(RECORDS_BYTES));
        let mut stream = Self { socket, session, records: BytesMut::new() };
        loop {
            let step = stream.step();
            match step {
                Ok(true) => return Ok(stream),
                Ok(false) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let ready = match stream.session.wants_write() {
                        true => poll_fn(|task| stream.socket.poll_write_ready(task)).await,
                        false => poll_fn(|task| stream.socket.poll_read_ready(task)).await,
                    };
                    ready.map_err(|error| failed(peer, error))?;
                }
                Err(error) => return Err(failed(peer, error)),
            }
        }
    }

    /// Takes the handshake further; true once it is complete.
    fn step(&mut self) -> io::Result<bool> {
        self.send()?;
        if !self.session.is_handshaking() {
            return Ok(true);
        }
        match self.take_records()? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(false),
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    // ----- reading -------------------------------------------------------------------------------

    /// Appends what has arrived to `buffer`, as far as it has room; 0 bytes are the end.
    pub(crate) fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let mut read = 0;
        loop {
            let room = buffer.capacity() - buffer.len();
            let mut reader = self.session.reader();
            match reader.fill_buf() {
                Ok(decrypted) if room > 0 && !decrypted.is_empty() => {
                    let length = decrypted.len().min(room);
                    buffer.extend_from_slice(&decrypted[..length]);
                    reader.consume(length);
                    read += length;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // An end is one whether or not it was announced: frames say where they end.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(read),
                Ok(_) => return Ok(read),
                Err(error) => return Err(error),
            }
            match self.take_records() {
                Ok(0) => return Ok(read),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && read > 0 => return Ok(read),
                Err(error) => return Err(error),
            }
        }
    }

    /// Decrypts records that have arrived, and returns their bytes; 0 are the end.
    fn take_records(&mut self) -> io::Result<usize> {
        if self.records.is_empty() {
            self.records.reserve(RECORDS_BYTES);
            match self.socket.try_read_buf(&mut self.records) {
                Ok(0) => return Ok(0),
                Ok(read) if read < RECORDS_BYTES => self.socket.drained(),
                Ok(_) => {}
                Err(error) => {
                    // An idle connection keeps no large buffer.
                    self.records = BytesMut::new();
                    return Err(error);
                }
            }
        }
        let taken = self.session.read_tls(&mut &self.records[..])?;
        self.records.advance(taken);
        if let Err(error) = self.session.process_new_packets() {
            // The peer is told why, as far as it still listens.
            let _ = self.send();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(taken)
    }

    // ----- writing -------------------------------------------------------------------------------

    /// Encrypts as much of `slices` as may wait, once all before has left.
    pub(crate) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send()?;
        let written = self.session.writer().write_vectored(slices)?;
        match self.send() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(written),
            outcome => outcome.map(|()| written),
        }
    }

    /// Hands records that wait to the socket.
    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        self.send()
    }

    /// Announces the end, if that is possible at once.
    pub(crate) fn end(&mut self) {
        self.session.send_close_notify();
        // Otherwise the peer sees the end of the connection.
        let _ = self.send();
    }

    fn send(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            if self.session.write_tls(&mut Records(&self.socket))? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

/// Where records are written to.
struct Records<'a>(&'a Socket);

impl Write for Records<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why there is no TLS with a peer, and what can be done.
fn failed(peer: &str, error: io::Error) -> Error {
    let cause = error.get_ref().and_then(|error| error.downcast_ref());
    let what = match cause {
        None => return Error::transport(format!("no TLS with {peer}"), error),
        Some(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "has a certificate of an authority that this node does not trust: give it the \
             authority's certificate, or have one of a known authority"
                .into()
        }
        Some(TlsError::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "has a certificate that has expired: renew it, or check this machine's clock".into(),
        Some(TlsError::InvalidCertificate(
            error @ (CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }),
        )) => format!("has a certificate for another name: {error}"),
        Some(TlsError::InvalidMessage(_)) => "does not speak TLS".into(),
        Some(error) => format!("could not agree on TLS: {error}"),
    };
    Error::Peer { who: peer.to_owned(), what }
}
