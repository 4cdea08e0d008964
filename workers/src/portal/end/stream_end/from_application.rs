//! What comes from the application: its bytes, its end and its reset.

use std::task::{Context, Poll};

use ockam_actix_runtime::{Payload, Permit};

use crate::portal::{
    end::{
        app_socket::{reads::AppRead, AppReset},
        stream_end::StreamEnd,
    },
    limits::CHUNKS_IN_A_ROW,
    protocol::{message::data_header, reason::ResetReason},
};

impl StreamEnd {
    pub(super) fn poll_read(&mut self, task: &mut Context<'_>) {
        if !self.socket.is_open() {
            return;
        }
        if self.socket.poll_end(task) {
            self.stream.socket_eof();
        }
        if let Err(reset) = self.read(task) {
            if reset.ended_first {
                // The end came before the reset; there is no more yielding.
                self.stream.socket_eof();
            }
            self.stream.socket_reset();
        }
    }

    /// Reads up to [`CHUNKS_IN_A_ROW`] chunks, as far as credit and the first edge allow. They go
    /// ahead of a reset that was seen meanwhile.
    fn read(&mut self, task: &mut Context<'_>) -> Result<(), AppReset> {
        self.stream.set_retain_cap(self.slot.retain_cap());
        if self.socket.has_ended() || self.stream.readable() == 0 {
            match self.socket.poll_reset(task) {
                Err(reset) if self.stream.let_early_bytes_go() => self.socket.read_before(reset),
                result => return result,
            }
        }
        self.socket.begin_reads();
        let mut chunks = 0;
        while self.socket.poll_readable(task)? {
            let bytes = self.socket.next_read_bytes();
            let permit = match self.path.poll_data_room(bytes, task) {
                Poll::Ready(Ok(permit)) => permit,
                Poll::Ready(Err(_)) => {
                    self.lose_path();
                    return Ok(());
                }
                Poll::Pending => return Ok(()),
            };
            match self.socket.read(self.stream.readable())? {
                AppRead::Nothing => self.path.keep_data_room(permit),
                AppRead::End => {
                    if self.socket.poll_end(task) {
                        self.stream.socket_eof();
                    }
                    return self.socket.poll_reset(task);
                }
                AppRead::Chunk(payload) => {
                    self.send_data(payload, permit);
                    chunks += 1;
                    let is_last = chunks == CHUNKS_IN_A_ROW || self.stream.readable() == 0;
                    if is_last || self.socket.was_reset() {
                        // The actors that the chunks pass take their turn before more is read.
                        task.waker().wake_by_ref();
                        return Ok(());
                    }
                }
            }
        }
        // Nothing to read for now: the room on the edge goes to others.
        self.path.give_data_room_up();
        Ok(())
    }

    /// Sends bytes that were read, and an acknowledgement with them if one is owed.
    fn send_data(&mut self, mut payload: Payload, mut permit: Permit) {
        let length = payload.len();
        let Ok(offset) = self.stream.socket_read(length) else {
            // Only more than `readable()` is refused, and no more was read.
            return self.stream.stop(ResetReason::Stopped);
        };
        self.record.traffic.count_sent(length);
        self.retain(&payload);
        if let Some(ack) = self.stream.take_ack() {
            self.queue_control(ack);
        }
        permit.shrink_to(length);
        payload.prepend(&data_header(offset, u32::try_from(length).unwrap_or(u32::MAX)));
        self.path.send_data(payload, permit);
    }
}
