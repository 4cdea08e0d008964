//! The inbox of a worker: messages wait in it until its actor's task takes them.
//!
//! It exists beside the actor's mailbox and replaces it for routed messages, because
//!
//! * messages still queued when the worker ends are returned to their senders as notices, while a
//!   mailbox drops them;
//! * the task takes all waiting messages in one batch, and a message costs no allocation of its
//!   own: `benches/routing.rs` shows what that is worth.
//!
//! Each message brings its permit, which bounds the inbox in bytes: a message from a source of this
//! node has a permit of the first hop's budget, one from outside has a permit of its connection's
//! ingress budget.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    task::{Context as TaskContext, Poll, Waker},
};

use actix::{fut::ActorFuture, Actor, ActorContext as _, AsyncContext, Context as ActorContext};

use crate::{
    lock::Lock,
    message::{notice::UndeliverableReason, undelivered::Undelivered, Message},
    node::{
        entry::{Deliver, Description, Entry, InboxCount},
        Node,
    },
    trust::reachability::Class,
    worker::{
        letter::{Letter, LetterFor},
        recipient::Recipient,
    },
};

/// Messages that wait for one worker. An [`Arc`] of it is the worker's delivery.
///
/// It may outlive its actor: what waits then waits for the next one.
pub(crate) struct Inbox<L> {
    queue: Lock<Queue<L>>,
    /// Set when the worker has ended, before its queue is emptied for the last time, or when it is
    /// to end.
    closed: AtomicBool,
    recipient: Arc<Recipient>,
}

struct Queue<L> {
    messages: VecDeque<L>,
    /// The actor's task, and whether it sleeps until a message comes.
    waker: Option<Waker>,
    asleep: bool,
}

impl<L: Letter> Inbox<L> {
    /// An empty inbox.
    pub(crate) fn new(node: &Node, description: &Description) -> Arc<Self> {
        let recipient = Recipient::new(node, description);
        let queue = Queue { messages: VecDeque::new(), waker: None, asleep: false };
        Arc::new(Self { queue: Lock::new(queue), closed: AtomicBool::new(false), recipient })
    }

    /// An empty inbox, and the intake of the one actor that ever takes its messages.
    pub(crate) fn of_one(node: &Node, description: &Description) -> (Arc<Self>, Intake<L>) {
        let inbox = Self::new(node, description);
        let mut intake = inbox.intake();
        intake.is_last = true;
        intake.counted = description.inbox_count();
        (inbox, intake)
    }

    /// The intake with which an actor takes messages, until another actor or
    /// [`end`](Self::end) follows.
    pub(crate) fn intake(self: &Arc<Self>) -> Intake<L> {
        let inbox = self.clone();
        Intake {
            inbox,
            batch: VecDeque::new(),
            counted: None,
            began: false,
            waited: false,
            is_last: false,
        }
    }

    /// Ends the worker, because it could not be registered.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(waker) = &self.queue.lock().waker {
            waker.wake_by_ref();
        }
    }

    /// Takes no more messages, and returns those that wait to their senders: no actor follows.
    pub(crate) fn end(&self) {
        self.closed.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut self.queue.lock().messages);
        waiting.into_iter().for_each(Letter::return_to_sender);
    }

    /// Puts messages that an actor has taken and not handled before those that wait.
    fn put_back(&self, batch: &mut VecDeque<L>) {
        let mut queue = self.queue.lock();
        batch.append(&mut queue.messages);
        std::mem::swap(batch, &mut queue.messages);
        drop(queue);
        if self.closed.load(Ordering::Acquire) {
            self.end();
        }
    }
}

impl<L: Letter> Deliver for Arc<Inbox<L>> {
    fn deliver(&self, entry: &Entry, mut message: Message) -> Result<(), Box<Undelivered>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Undelivered::new(
                message,
                &entry.address,
                UndeliverableReason::WorkerStopped,
            ));
        }
        if entry.class == Class::User {
            entry.keep(&mut message);
        }
        let Some(letter) = L::open(&self.recipient, message)? else { return Ok(()) };
        let mut queue = self.queue.lock();
        if self.closed.load(Ordering::Acquire) {
            drop(queue);
            letter.return_to_sender();
            return Ok(());
        }
        queue.messages.push_back(letter);
        if std::mem::take(&mut queue.asleep) {
            if let Some(waker) = &queue.waker {
                waker.wake_by_ref();
            }
        }
        Ok(())
    }

    fn queue_length(&self) -> usize {
        self.recipient.queue_length(1)
    }
}

/// The actor's end of an [`Inbox`]. It must be the first future that is spawned in the actor's
/// context, so that the other futures find the actor's state as the messages left it.
pub(crate) struct Intake<L: Letter> {
    inbox: Arc<Inbox<L>>,
    batch: VecDeque<L>,
    /// Set where an interceptor must know whether messages wait.
    counted: Option<InboxCount>,
    /// Whether it has been polled, which the actor's task does.
    began: bool,
    /// Whether a handler ever made the actor wait: actix then polls the other futures first.
    waited: bool,
    /// Whether the inbox ends with it.
    is_last: bool,
}

impl<L: Letter> Intake<L> {
    /// Takes all waiting messages, if those that were taken before are used up.
    fn fill(&mut self) {
        if self.batch.is_empty() {
            std::mem::swap(&mut self.batch, &mut self.inbox.queue.lock().messages);
        }
    }

    /// Has the task woken by the next message, or at once if one is there already.
    fn sleep(&mut self, task: &TaskContext<'_>) {
        if self.batch.capacity() > KEPT_CAPACITY {
            self.batch = VecDeque::new();
        }
        let mut queue = self.inbox.queue.lock();
        if !queue.messages.is_empty() {
            // The other tasks on this arbiter come first.
            task.waker().wake_by_ref();
            return;
        }
        match &queue.waker {
            Some(waker) if waker.will_wake(task.waker()) => {}
            _ => queue.waker = Some(task.waker().clone()),
        }
        queue.asleep = true;
    }
}

/// No message is ever pinned.
impl<L: Letter> Unpin for Intake<L> {}

/// The number of messages that an idle worker keeps room for.
const KEPT_CAPACITY: usize = 64;

impl<A, L> ActorFuture<A> for Intake<L>
where
    A: Actor<Context = ActorContext<A>>,
    L: LetterFor<A>,
{
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        context: &mut ActorContext<A>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let intake = self.get_mut();
        if !intake.began {
            intake.began = true;
            intake.inbox.recipient.life.runs_here();
        }
        if intake.inbox.closed.load(Ordering::Acquire) {
            context.stop();
            return Poll::Ready(());
        }
        intake.fill();
        let had_messages = !intake.batch.is_empty();
        while !context.waiting() {
            let Some(letter) = intake.batch.pop_front() else {
                intake.sleep(task);
                break;
            };
            if let Some(counted) = &intake.counted {
                counted.lower();
            }
            letter.handle(actor, context);
        }
        if had_messages && intake.waited {
            task.waker().wake_by_ref();
        }
        // If the actor waits now, actix polls this again when the wait is over.
        intake.waited |= context.waiting();
        Poll::Pending
    }
}

impl<L: Letter> Drop for Intake<L> {
    fn drop(&mut self) {
        self.inbox.put_back(&mut self.batch);
        if self.is_last {
            self.inbox.end();
        }
    }
}
