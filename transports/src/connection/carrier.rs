//! What a connection needs from a socket: to be told when it is ready, and to move bytes without
//! waiting.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};

use crate::limits::ASK_AFTER;

/// A connected, reliable, ordered stream of bytes to another node.
///
/// The calls are those of a non-blocking socket. Readiness and moving bytes are separate, so that
/// one task polls both directions and data is read into a buffer and written from slices that the
/// connection chooses.
///
/// An error of the kind [`InvalidData`](io::ErrorKind::InvalidData) says that the peer did not keep
/// to the protocol of the carrier itself.
pub trait Carrier: 'static {
    /// The name of its transport, for figures: `tcp`, for example.
    fn transport(&self) -> &'static str {
        "other"
    }

    /// How many connections of the network it consists of.
    fn parts(&self) -> usize {
        1
    }

    /// Silence after which the peer is asked whether it is there, while something is unanswered.
    fn ask_after(&self) -> Duration {
        ASK_AFTER
    }

    /// Ready when [`try_read`](Self::try_read) may have something, or the carrier has ended.
    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Appends what has arrived to `buffer`, at most what that has room for; 0 bytes are the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing has arrived; any other ends the connection.
    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize>;

    /// Notes that a read has taken all there was, because it returned fewer bytes than there was
    /// room for. That saves the read that would find nothing. A carrier that cannot know does
    /// nothing.
    fn clear_read_ready(&self) {}

    /// Whether more may have arrived although the last read returned fewer bytes than there was
    /// room for. Readiness is then kept.
    fn may_have_more(&self) -> bool {
        false
    }

    /// Ready when [`try_write_vectored`](Self::try_write_vectored) may take something.
    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Writes as many bytes of `slices` as the carrier takes now.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if it takes none; any other ends the connection.
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ready when all that was written has left the carrier. It is polled after all that was to be
    /// written was taken; while the carrier takes nothing,
    /// [`poll_write_ready`](Self::poll_write_ready) is polled in its place. A carrier that keeps
    /// nothing back is always ready.
    ///
    /// # Errors
    /// Any ends the connection.
    fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = task;
        Poll::Ready(Ok(()))
    }

    /// Sends a datagram beside the stream: it may be lost, doubled and overtaken, and waits for
    /// nothing that was written. Returns whether the carrier has taken it; it does not if it, or
    /// the peer, knows no datagrams, or none of this size.
    fn try_send_datagram(&self, slices: &[IoSlice<'_>]) -> bool {
        let _ = slices;
        false
    }

    /// Ready when another datagram may be sent. Until then the carrier keeps the last one, and has
    /// to be polled for that one to leave.
    fn poll_datagram_room(&self, task: &mut Context<'_>) -> Poll<()> {
        let _ = task;
        Poll::Ready(())
    }

    /// The next datagram that has come from the peer; never ready on a carrier that has ended.
    fn poll_datagram(&self, task: &mut Context<'_>) -> Poll<Bytes> {
        let _ = task;
        Poll::Pending
    }
}

impl Carrier for Box<dyn Carrier> {
    fn transport(&self) -> &'static str {
        (**self).transport()
    }

    fn parts(&self) -> usize {
        (**self).parts()
    }

    fn ask_after(&self) -> Duration {
        (**self).ask_after()
    }

    fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_read_ready(task)
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        (**self).try_read(buffer)
    }

    fn clear_read_ready(&self) {
        (**self).clear_read_ready();
    }

    fn may_have_more(&self) -> bool {
        (**self).may_have_more()
    }

    fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_write_ready(task)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (**self).try_write_vectored(slices)
    }

    fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(task)
    }

    fn try_send_datagram(&self, slices: &[IoSlice<'_>]) -> bool {
        (**self).try_send_datagram(slices)
    }

    fn poll_datagram_room(&self, task: &mut Context<'_>) -> Poll<()> {
        (**self).poll_datagram_room(task)
    }

    fn poll_datagram(&self, task: &mut Context<'_>) -> Poll<Bytes> {
        (**self).poll_datagram(task)
    }
}
