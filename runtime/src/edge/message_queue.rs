//! Messages that wait for a connection or a channel to be established, bounded in bytes.

use std::collections::{vec_deque, VecDeque};

use crate::{limits::MESSAGE_OVERHEAD_BYTES, message::Message};

/// Messages in the order in which they came.
#[derive(Debug)]
pub struct MessageQueue {
    messages: VecDeque<Message>,
    bytes: usize,
    limit: usize,
}

impl MessageQueue {
    /// An empty queue for messages of at most `limit` bytes together, each counted with
    /// [`MESSAGE_OVERHEAD_BYTES`].
    pub fn new(limit: usize) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, limit }
    }

    /// Adds a message.
    ///
    /// # Errors
    /// Gives it back if there is no room for it.
    pub fn push(&mut self, message: Message) -> Result<(), Message> {
        let bytes = self.bytes + message.payload.len() + MESSAGE_OVERHEAD_BYTES;
        if bytes > self.limit {
            return Err(message);
        }
        self.bytes = bytes;
        self.messages.push_back(message);
        Ok(())
    }
}

impl IntoIterator for MessageQueue {
    type Item = Message;
    type IntoIter = vec_deque::IntoIter<Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{message::payload::Payload, route, Route};

    #[test]
    fn holds_as_many_bytes_as_permitted_in_order() {
        let message =
            |byte| Message::new(route!["a"], Route::new(), Payload::from(vec![byte; 100]));
        let mut queue = MessageQueue::new(2 * (100 + MESSAGE_OVERHEAD_BYTES));
        queue.push(message(1)).unwrap();
        queue.push(message(2)).unwrap();
        assert_eq!(queue.push(message(3)).unwrap_err().payload[0], 3);
        let order: Vec<_> = queue.into_iter().map(|message| message.payload[0]).collect();
        assert_eq!(order, [1, 2]);
    }
}
