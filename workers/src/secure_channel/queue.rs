//! Messages that wait for a channel to be established, bounded in bytes.

use std::collections::VecDeque;

use ockam_actix_runtime::{limits::MESSAGE_OVERHEAD_BYTES, Message};

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Queue {
    /// Adds a message, unless more than `limit` bytes would wait; then it comes back.
    pub(super) fn push(&mut self, message: Message, limit: usize) -> Result<(), Box<Message>> {
        let bytes = self.bytes + message.payload.len() + MESSAGE_OVERHEAD_BYTES;
        if bytes > limit {
            return Err(Box::new(message));
        }
        self.bytes = bytes;
        self.messages.push_back(message);
        Ok(())
    }
}

impl IntoIterator for Queue {
    type Item = Message;
    type IntoIter = std::collections::vec_deque::IntoIter<Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ockam_actix_runtime::{route, Payload, Route};

    #[test]
    fn holds_as_many_bytes_as_permitted_in_order() {
        let message =
            |byte| Message::new(route!["a"], Route::new(), Payload::from(vec![byte; 100]));
        let mut queue = Queue::default();
        let limit = 2 * (100 + MESSAGE_OVERHEAD_BYTES);
        queue.push(message(1), limit).unwrap();
        queue.push(message(2), limit).unwrap();
        assert_eq!(queue.push(message(3), limit).unwrap_err().payload[0], 3);
        let order: Vec<_> = queue.into_iter().map(|message| message.payload[0]).collect();
        assert_eq!(order, [1, 2]);
    }
}
