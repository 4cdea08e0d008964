//! The inbox of a worker: messages wait in it until its actor's task takes them.
//!
//! It stands beside the actor's mailbox and replaces it for messages that are routed, because
//!
//! * what waits when the worker ends goes back to its senders as a notice, while a mailbox drops it;
//! * the task takes all that waits at once, in one batch, and a message costs no allocation of its own:
//!   `benches/routing.rs` shows what that is worth.
//!
//! Each message brings its permit, and that bounds the inbox in bytes: what sources of this node sent
//! has one of the first hop's budget, what came from outside one of its connection's ingress budget.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    task::{Context as TaskContext, Poll, Waker},
};

use actix::{
    dev::MessageResponse, fut::ActorFuture, Actor, ActorContext as _, AsyncContext,
    Context as ActorContext, Handler,
};

use crate::{
    lock::Lock,
    message::{body::Body, notice::UndeliverableReason, undelivered::Undelivered, Message},
    node::{
        entry::{Deliver, Description, Entry, InboxCount},
        Node,
    },
    worker::{mailbox::open_for, recipient::Recipient, routed::Routed},
};

/// Messages that wait for one worker. Its sink is the [`Arc`] of it.
pub(crate) struct Inbox<M> {
    queue: Lock<Queue<M>>,
    /// Set when the worker ended, before the last look at the queue, or when it is to end.
    closed: AtomicBool,
    recipient: Arc<Recipient>,
}

struct Queue<M> {
    messages: VecDeque<Routed<M>>,
    /// The actor's task, and whether it sleeps until a message comes.
    waker: Option<Waker>,
    asleep: bool,
}

impl<M> Inbox<M> {
    /// An empty inbox, and what the actor takes its messages with.
    pub(crate) fn new(node: &Node, description: &Description) -> (Arc<Self>, Intake<M>) {
        let recipient = Recipient::new(node, description);
        let queue = Queue { messages: VecDeque::new(), waker: None, asleep: false };
        let (queue, closed) = (Lock::new(queue), AtomicBool::new(false));
        let inbox = Arc::new(Self { queue, closed, recipient });
        let counted = description.inbox_count();
        (inbox.clone(), Intake { inbox, batch: VecDeque::new(), counted, waited: false })
    }

    /// Ends the worker: it could not be registered.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(waker) = &self.queue.lock().waker {
            waker.wake_by_ref();
        }
    }
}

impl<M: Body> Deliver for Arc<Inbox<M>> {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Undelivered::new(
                message,
                &entry.address,
                UndeliverableReason::WorkerStopped,
            ));
        }
        let Some(routed) = open_for(&self.recipient, message)? else { return Ok(()) };
        let mut queue = self.queue.lock();
        if self.closed.load(Ordering::Acquire) {
            drop(queue);
            routed.return_to_sender();
            return Ok(());
        }
        queue.messages.push_back(routed);
        if std::mem::take(&mut queue.asleep) {
            if let Some(waker) = &queue.waker {
                waker.wake_by_ref();
            }
        }
        Ok(())
    }
}

/// The actor's end of an [`Inbox`]. It must be the first future that is spawned in the actor's
/// context, so that what the others do with the actor's state comes after what the messages did.
pub(crate) struct Intake<M> {
    inbox: Arc<Inbox<M>>,
    batch: VecDeque<Routed<M>>,
    /// Where an interceptor must know whether messages wait.
    counted: Option<InboxCount>,
    /// Whether a handler ever made the actor wait: actix then polls the other futures first.
    waited: bool,
}

impl<M> Intake<M> {
    /// Takes all that waits, if what was taken before is used up.
    fn fill(&mut self) {
        if self.batch.is_empty() {
            std::mem::swap(&mut self.batch, &mut self.inbox.queue.lock().messages);
        }
    }

    /// Has the task woken by the next message, or at once if that is there already.
    fn sleep(&mut self, task: &TaskContext<'_>) {
        if self.batch.capacity() > KEPT_CAPACITY {
            self.batch = VecDeque::new();
        }
        let mut queue = self.inbox.queue.lock();
        if !queue.messages.is_empty() {
            // The others on this arbiter come first.
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
impl<M> Unpin for Intake<M> {}

/// Messages that an idle worker keeps room for.
const KEPT_CAPACITY: usize = 64;

impl<A, M> ActorFuture<A> for Intake<M>
where
    A: Actor<Context = ActorContext<A>> + Handler<Routed<M>>,
    M: Body,
{
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        context: &mut ActorContext<A>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let intake = self.get_mut();
        if intake.inbox.closed.load(Ordering::Acquire) {
            context.stop();
            return Poll::Ready(());
        }
        intake.fill();
        let any = !intake.batch.is_empty();
        while !context.waiting() {
            let Some(message) = intake.batch.pop_front() else {
                intake.sleep(task);
                break;
            };
            if let Some(counted) = &intake.counted {
                counted.lower();
            }
            let response = actor.handle(message, context);
            MessageResponse::<A, Routed<M>>::handle(response, context, None);
        }
        if any && intake.waited {
            task.waker().wake_by_ref();
        }
        // Where it waits now, actix polls this again when the wait is over.
        intake.waited |= context.waiting();
        Poll::Pending
    }
}

impl<M> Drop for Intake<M> {
    fn drop(&mut self) {
        self.inbox.closed.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut self.inbox.queue.lock().messages);
        self.batch.drain(..).chain(waiting).for_each(Routed::return_to_sender);
    }
}
