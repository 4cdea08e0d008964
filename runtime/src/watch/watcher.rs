//! The task of a watch: it repeats the watch, listens for notices and for the loss of the first
//! hop, and ends with the first word of the worker's end, or when its [`Watch`] is dropped.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use futures::FutureExt;
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep_until, Instant},
};

use crate::{
    address::{route::Route, Address},
    edge::first_hop::FirstHop,
    error::{Error, Result},
    limits::{MAX_WAITING_NOTICES, WATCH_LEASE},
    message::{
        notice::{Notice, UndeliverableReason},
        undelivered::Undelivered,
        Message, MessageKind,
    },
    node::{
        directory::Registration,
        entry::{Deliver, Description, Entry},
        life::Ended,
        routing::NextHop,
        Node,
    },
    watch::{
        encode,
        watching::{Next, Watching},
    },
};

/// A watch that has begun: a future that tells once how the worker has ended. Dropping it ends the
/// watch.
#[derive(Debug)]
#[must_use = "dropping a watch ends it"]
pub struct Watch {
    worker: Address,
    ended: oneshot::Receiver<Ended>,
}

impl Future for Watch {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Ended> {
        self.ended.poll_unpin(task).map(|ended| {
            ended.unwrap_or_else(|_| {
                let notice = Notice::new(self.worker.clone(), UndeliverableReason::Disconnected);
                Ended::Unreachable(notice.with_detail("this node has stopped"))
            })
        })
    }
}

impl Node {
    /// Watches the worker at the end of `route`, on this node or on another one: the watch tells
    /// once when it has stopped, has panicked, or cannot be reached.
    ///
    /// It cannot be reached if there is no such worker, or none for us, from the start; when the
    /// connection or the channel that the route begins with is lost, even if it is made again; and
    /// when nothing has been heard of the worker's node for
    /// [15 s](crate::limits::WATCH_PATIENCE). To go on then, watch again. A worker that is
    /// [started again](crate::RestartPolicy) after a panic has not ended.
    ///
    /// As with all notices, any node on the route can make one up: only what comes through a secure
    /// channel is known to come from its end.
    ///
    /// ```
    /// # async fn example(node: ockam_actix_runtime::Node) {
    /// use ockam_actix_runtime::{route, Ended};
    ///
    /// match node.watch(route!["tcp#127.0.0.1:4000", "shop"]).await {
    ///     Ended::Stopped => println!("the shop has closed"),
    ///     Ended::Panicked => println!("the shop has a bug"),
    ///     Ended::Unreachable(notice) => println!("the shop is out of reach: {notice}"),
    /// }
    /// # }
    /// ```
    pub fn watch(&self, route: impl Into<Route>) -> Watch {
        let route = route.into();
        let worker = route.last().cloned().unwrap_or_else(|| "?".into());
        let (tell, ended) = oneshot::channel();
        if let Err(error) = self.begin_watch(route, worker.clone(), tell) {
            log::debug!("a watch of {worker} has not begun: {}", error.one_line());
        }
        Watch { worker, ended }
    }

    fn begin_watch(
        &self,
        route: Route,
        worker: Address,
        tell: oneshot::Sender<Ended>,
    ) -> Result<()> {
        let first_hop = match self.first_hop(&route) {
            Ok(first_hop) => first_hop,
            // Dropping `tell` tells that.
            Err(Error::Stopped) => return Err(Error::Stopped),
            Err(error) => {
                let notice = Notice::new(worker, UndeliverableReason::Unreachable);
                let ended = Ended::Unreachable(notice.with_detail(error.one_line()));
                // Nobody may want to know.
                return tell.send(ended).map_err(|_| error);
            }
        };
        let arbiter = self.arbiter_for(&first_hop);
        let epoch = first_hop.state().epoch;
        let (notices, heard) = mpsc::channel(MAX_WAITING_NOTICES);
        let own = self.register_delivery(Description::mailbox(), Notices(notices))?;
        let watching = Watching::new(worker);
        let (node, began) = (self.unheld(), Instant::now());
        let mut watcher = Watcher { node, route, own, first_hop, epoch, heard, watching, began };
        // What happens to the worker from now on is told, even before the task has its turn.
        let ended = watcher.act();
        self.spawn_on(arbiter, watcher.run(ended, tell));
        Ok(())
    }
}

/// The delivery of a watcher, which takes notices and nothing else.
pub(super) struct Notices(pub(super) mpsc::Sender<Notice>);

impl Deliver for Notices {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        match (message.kind, Notice::decode(&message.payload)) {
            (MessageKind::Notice, Some(notice)) => {
                // Whoever sends more than are read has nothing new to say.
                let _ = self.0.try_send(notice);
                Ok(())
            }
            _ => {
                let reason = UndeliverableReason::BodyNotUnderstood;
                Err(Undelivered::new(message, &entry.address, reason))
            }
        }
    }
}

struct Watcher {
    /// Does not keep the node running.
    node: Node,
    route: Route,
    own: Registration,
    first_hop: FirstHop,
    /// The epoch of the first hop's link when the watch began.
    epoch: u64,
    heard: mpsc::Receiver<Notice>,
    watching: Watching,
    began: Instant,
}

impl Watcher {
    async fn run(mut self, mut ended: Option<Ended>, mut tell: oneshot::Sender<Ended>) {
        let ended = loop {
            if let Some(ended) = ended {
                break ended;
            }
            let until = match self.watching.poll(self.began.elapsed()) {
                Next::WaitUntil(until) => self.began + until,
                Next::Send => {
                    ended = self.send(WATCH_LEASE);
                    continue;
                }
                Next::End(ended) => break ended,
            };
            ended = tokio::select! {
                biased;
                notice = self.heard.recv() => notice.and_then(|notice| {
                    self.watching.handle_notice(notice, self.began.elapsed())
                }),
                () = self.first_hop.lost(self.epoch) => Some(self.lost()),
                () = tell.closed() => {
                    let _ = self.send(Duration::ZERO);
                    return;
                }
                () = sleep_until(until) => None,
            };
        };
        // An error says that nobody waits any more.
        let _ = tell.send(ended);
    }

    /// Does what is to be done at once.
    fn act(&mut self) -> Option<Ended> {
        match self.watching.poll(self.began.elapsed()) {
            Next::Send => self.send(WATCH_LEASE),
            Next::WaitUntil(_) => None,
            Next::End(ended) => Some(ended),
        }
    }

    /// Sends the watch; says what it has ended with if it did not even leave.
    fn send(&mut self, lease: Duration) -> Option<Ended> {
        let back = Route::from(self.own.address().clone());
        let mut message = Message::new(self.route.clone(), back, encode(lease));
        message.kind = MessageKind::Watch;
        let sent = self.node.try_route(message, NextHop::Checked);
        let notice = sent.err()?.notice;
        self.watching.handle_notice(notice, self.began.elapsed())
    }

    fn lost(&self) -> Ended {
        let notice = Notice::new(self.first_hop.address.clone(), UndeliverableReason::Disconnected);
        let why = self.first_hop.state().failure;
        Ended::Unreachable(notice.with_detail(why.as_deref().unwrap_or_default()))
    }
}
