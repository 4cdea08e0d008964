//! What carries a connection over TCP: one socket, or a bundle of several.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

use bytes::BytesMut;
use ockam_actix_runtime::{socket::stream::Socket, TransportType};

use crate::{connection::carrier::Carrier, tcp::bundle::Bundle};

/// The transport's name in addresses: `(TCP, "host:port")`.
pub const TCP: TransportType = TransportType::new("tcp");

impl Carrier for Socket {
    fn transport(&self) -> &'static str {
        TCP.name()
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(task)
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        self.try_read_buf(buffer)
    }

    fn clear_read_ready(&self) {
        self.drained();
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(task)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(slices)
    }
}

/// One TCP connection, or several that carry one.
pub enum TcpCarrier {
    /// One connection.
    One(Socket),
    /// Several.
    Several(Bundle),
}

impl Carrier for TcpCarrier {
    fn transport(&self) -> &'static str {
        TCP.name()
    }

    fn parts(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(bundle) => bundle.parts(),
        }
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::One(socket) => socket.poll_read_ready(task),
            Self::Several(bundle) => bundle.poll_read_ready(task),
        }
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::One(socket) => Carrier::try_read(socket, buffer),
            Self::Several(bundle) => bundle.try_read(buffer),
        }
    }

    fn clear_read_ready(&self) {
        if let Self::One(socket) = self {
            Carrier::clear_read_ready(socket);
        }
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::One(socket) => socket.poll_write_ready(task),
            Self::Several(bundle) => bundle.poll_write_ready(task),
        }
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::One(socket) => socket.try_write(slices),
            Self::Several(bundle) => bundle.try_write_vectored(slices),
        }
    }

    fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::One(socket) => socket.poll_flush(task),
            Self::Several(bundle) => bundle.poll_flush(task),
        }
    }
}
