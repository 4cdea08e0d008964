//! Immediate use of the application's socket, without an event: the first bytes for a target, the
//! last before a reset, and the end. What waits for events is in [`Io`](super::super::io::Io).

use std::io;

use crate::portal::{
    end::{io::is_transient, worker::StreamWorker},
    limits::KEEPALIVE,
};

impl StreamWorker {
    /// Notes that a write or the connecting failed: the application has reset its connection. The
    /// first error tells, on Linux, whether a FIN came before the RST; later errors do not.
    pub(crate) fn note_reset(&mut self, error: &io::Error) {
        if !self.was_reset {
            self.was_reset = true;
            self.ended_first =
                cfg!(target_os = "linux") && error.kind() == io::ErrorKind::BrokenPipe;
        }
    }

    /// Whether something came before a reset and the target is not connected yet: it is written
    /// once it is.
    pub(super) fn has_last_words(&self) -> bool {
        self.is_connecting && (!self.write_buffer.is_empty() || self.stream.has_all())
    }

    /// Lets the application see what came before a reset, as it would without a tunnel: as many
    /// bytes as its socket takes at once, and the end after the last.
    pub(super) fn write_last(&mut self) {
        self.write_speculative();
        if self.write_buffer.is_empty() && self.stream.has_all() {
            self.shut_down();
        }
        self.write_buffer.clear();
    }

    pub(super) fn shut_down(&self) {
        if let Some(socket) = &self.socket {
            // A socket that was reset meanwhile reports it to the next read.
            let _ = socket.shut_down();
        }
    }

    /// Writes what the socket takes at once, although no event has said yet that it takes any. The
    /// rest stays in the buffer.
    pub(super) fn write_speculative(&mut self) -> usize {
        let Some(socket) = self.socket.clone() else { return 0 };
        let mut all = 0;
        while !self.write_buffer.is_empty() {
            let (slices, count) = self.write_buffer.slices();
            match socket.write_now(&slices[..count]) {
                Ok(written) => {
                    self.write_buffer.advance(written);
                    all += written;
                }
                Err(error) => {
                    if !is_transient(&error) {
                        self.note_reset(&error);
                    }
                    break;
                }
            }
        }
        all
    }

    /// Sets keep-alive for a stream that has lasted, so that an application whose host has vanished
    /// does not hold its stream, and the other application's session, for ever. It takes four
    /// system calls, which a short stream is spared; repeating it changes nothing.
    pub(super) fn keep_alive(&self) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.set_keepalive(KEEPALIVE) {
            log::debug!("an application's socket takes no keep-alive: {error}");
        }
    }
}
