//! The arbiter of a simulated node: a task that polls the node's own tasks, on the thread of the
//! test.
//!
//! A node has its own set of tasks, so that all of them end at once when the node is stopped or
//! killed, as they do with a thread. Whatever runs in it runs in the node's [`Scope`].

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::{poll_fn, Future},
    pin::Pin,
    rc::Rc,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    task::{Context, Poll},
};

use tokio::{sync::mpsc, task::LocalSet};

use crate::{
    node::current,
    simulated::{host::Host, scope::Scope},
};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type LocalTask = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// What runs on this thread, by the nodes' ids.
    static RUNNING: RefCell<BTreeMap<u64, Rc<Running>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A reference to the arbiter of one node.
#[derive(Clone)]
pub(crate) struct LocalArbiter {
    id: u64,
    tasks: mpsc::UnboundedSender<Task>,
    stopped: Arc<AtomicBool>,
}

/// What runs on one arbiter.
struct Running {
    id: u64,
    /// `None` while they are polled, and after a stop.
    tasks: RefCell<Option<LocalSet>>,
    scope: RefCell<Option<Scope>>,
    /// Tasks that came from this thread and are not among the others yet.
    local: RefCell<Vec<LocalTask>>,
}

impl LocalArbiter {
    /// Starts the arbiter of the node with this `id` on `host`, in the actix `System` of this
    /// thread.
    pub(crate) fn start(host: &Host, id: u64) -> Self {
        let (tasks, mut arrived) = mpsc::unbounded_channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let running = Rc::new(Running {
            id,
            tasks: RefCell::new(Some(LocalSet::new())),
            scope: RefCell::new(Some(host.scope())),
            local: RefCell::default(),
        });
        RUNNING.with_borrow_mut(|all| all.insert(id, running.clone()));
        let (until, ends) = (stopped.clone(), Ends(running));
        actix_rt::spawn(poll_fn(move |task| {
            let over = ends.0.poll(task, &mut arrived, &until);
            if over {
                ends.0.end();
                return Poll::Ready(());
            }
            Poll::Pending
        }));
        Self { id, tasks, stopped }
    }

    /// Runs `task`. After a stop nothing happens.
    pub(crate) fn spawn(&self, task: Task) {
        // An error says that it has stopped.
        let _ = self.tasks.send(task);
    }

    /// Runs a `task` that cannot be sent; called on the thread of the network.
    pub(crate) fn spawn_local(&self, task: LocalTask) {
        if let Some(running) = self.running() {
            running.local.borrow_mut().push(task);
            self.spawn(Box::pin(async {}));
        }
    }

    /// Ends all tasks: they are dropped now, or, if one of them calls this, when it has returned.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(running) = self.running() {
            running.end();
        }
        self.spawn(Box::pin(async {}));
    }

    fn running(&self) -> Option<Rc<Running>> {
        // The thread may be ending.
        RUNNING.try_with(|all| all.borrow().get(&self.id).cloned()).ok().flatten()
    }
}

/// Ends what runs when the `System` drops the task that polls it.
struct Ends(Rc<Running>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Running {
    /// Takes up the tasks that have arrived, and polls those that were woken; true after a stop.
    fn poll(
        &self,
        task: &mut Context<'_>,
        arrived: &mut mpsc::UnboundedReceiver<Task>,
        stopped: &AtomicBool,
    ) -> bool {
        let Some(mut tasks) = self.tasks.take() else { return true };
        self.enter(|| {
            while let Poll::Ready(next) = arrived.poll_recv(task) {
                match next {
                    Some(next) => drop(tasks.spawn_local(next)),
                    None => break,
                }
            }
            self.local.take().into_iter().for_each(|next| drop(tasks.spawn_local(next)));
            if !stopped.load(Ordering::Acquire) {
                // Ready means only that no task is left at this moment.
                let _ = Pin::new(&mut tasks).poll(task);
            }
        });
        self.tasks.replace(Some(tasks));
        stopped.load(Ordering::Acquire)
    }

    /// Drops all tasks, unless they are polled at this moment, and what they own with them.
    fn end(&self) {
        let tasks = self.tasks.take();
        if tasks.is_some() {
            let _ = RUNNING.try_with(|all| all.borrow_mut().remove(&self.id));
            let local = self.local.take();
            self.enter(|| drop((tasks, local)));
        }
    }

    /// Runs `inside` as code of this arbiter.
    fn enter<T>(&self, inside: impl FnOnce() -> T) -> T {
        let mut scope = self.scope.take();
        let result = Scope::run(&mut scope, || {
            let before = current::enter(Some((self.id, 0)));
            let result = inside();
            current::enter(before);
            result
        });
        self.scope.replace(scope);
        result
    }
}
