//! Questions under way, each with the answer that it waits for.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
};

use bytes::Bytes;
use ockam_actix_runtime::lock::Lock;
use tokio::sync::oneshot;

use crate::cluster::Accept;

/// The questions of one hub.
#[derive(Default)]
pub(super) struct Questions {
    last: AtomicU64,
    waiting: Lock<HashMap<u64, Waiting>>,
}

struct Waiting {
    accept: Accept,
    answer: oneshot::Sender<Bytes>,
}

/// One question, which is forgotten when this is dropped.
pub(super) struct Asked {
    questions: Arc<Questions>,
    number: u64,
    answer: oneshot::Receiver<Bytes>,
}

impl Questions {
    /// Waits for an answer that `accept` takes.
    pub(super) fn ask(self: &Arc<Self>, accept: Accept) -> Asked {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().insert(number, Waiting { accept, answer: sender });
        Asked { questions: self.clone(), number, answer }
    }

    /// An answer has come to `subject`; whatever is none is dropped.
    pub(super) fn answered(&self, subject: &str, answer: Bytes) {
        let Some(number) = number_of(subject) else { return };
        let mut waiting = self.waiting.lock();
        if waiting.get(&number).is_some_and(|waiting| (waiting.accept)(&answer)) {
            let asked = waiting.remove(&number);
            drop(waiting);
            // An error says that nobody waits any more.
            let _ = asked.map(|asked| asked.answer.send(answer));
        }
    }

    /// Nobody will answer to `subject`.
    pub(super) fn nobody(&self, subject: &str) {
        let number = number_of(subject);
        // Dropping it says so.
        let _ = number.and_then(|number| self.waiting.lock().remove(&number));
    }
}

/// The last part of a subject.
fn number_of(subject: &str) -> Option<u64> {
    subject.rsplit('.').next()?.parse().ok()
}

impl Asked {
    /// The last part of the subject that is answered to.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Waits for the answer; `None` if none will come.
    pub(super) async fn answer(mut self) -> Option<Bytes> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.questions.waiting.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn the_first_answer_that_is_one_counts() {
        let questions = Arc::<Questions>::default();
        let asked = questions.ask(Box::new(|answer| answer == b"right"));
        let subject = format!("_INBOX.x.{}", asked.number());
        for (subject, answer) in
            [(&subject[..], "wrong"), ("_INBOX.x.77", "right"), ("_INBOX.x.y", "right")]
        {
            questions.answered(subject, answer.into());
            assert_eq!(questions.waiting.lock().len(), 1);
        }
        questions.answered(&subject, "right".into());
        assert_eq!(block_on(asked.answer()), Some("right".into()));
    }

    #[test]
    fn questions_without_answers_are_forgotten() {
        let questions = Arc::<Questions>::default();
        let asked = questions.ask(Box::new(|_| true));
        questions.nobody(&format!("_INBOX.x.{}", asked.number()));
        assert_eq!(block_on(asked.answer()), None);
        drop(questions.ask(Box::new(|_| true)));
        assert!(questions.waiting.lock().is_empty());
    }
}
