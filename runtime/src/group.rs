//! Named groups: workers, here or on other nodes, that share one address.
//!
//! * Owns: its members, each a route that is [watched](crate::watch).
//! * States: none; members join and leave.
//! * Inbox: raw messages, which it passes on to the member whose turn it is, or to all.
//! * Started by [`GroupBuilder::start`]; stops with [`Group::stop`], `Node::stop_worker`, or its
//!   node.
//! * A panic would end it and free its address; there is nothing in it that could. Its members are
//!   no longer watched then.
//!
//! The return route is not changed: answers and notices go from the members straight to the sender
//! of the message, and do not pass the group.

pub mod members;

use std::{fmt, sync::Arc};

use actix::{Actor, Context as ActorContext, Handler};
use tokio::sync::oneshot;

use crate::{
    address::{route::Route, Address},
    error::{Error, Result},
    group::members::{MemberId, Members, NotJoined},
    limits::MAX_MEMBERS,
    lock::Lock,
    message::{
        notice::UndeliverableReason, payload::Payload, undelivered::Undelivered, Message,
        MessageKind, MessageParts,
    },
    node::{entry::AccessRule, routing::NextHop, Node},
    trust::origin::Origin,
    worker::{handle::WorkerHandle, routed::Routed},
};

/// A member's guard: its watch ends when this is dropped.
type Watched = oneshot::Sender<()>;
type SharedMembers = Arc<Lock<Members<Watched>>>;

/// A group that is to be started: see [`Node::group`].
#[must_use = "the group is started by `start`"]
pub struct GroupBuilder {
    node: Node,
    address: Address,
    to_all: bool,
    access: Option<AccessRule>,
}

impl GroupBuilder {
    /// Passes each message on to all members; by default, one member in turn gets it.
    ///
    /// A question is passed on to all too, but has one answer: the first reply, or the first notice
    /// of a member that took it and gives none, ends it. Members that do not take it are passed
    /// over, unless none does. The address of the question ends with it, so for later members
    /// [`Reply::send`](crate::Reply::send) is an error: nobody asks any more.
    pub fn to_all(mut self) -> Self {
        self.to_all = true;
        self
    }

    /// Lets it be reached from outside only where `rule` permits it too: see
    /// [`WorkerBuilder::access`](crate::WorkerBuilder::access). It decides for the members too, as
    /// the group has chosen them.
    pub fn access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }

    /// Starts the group, without members.
    ///
    /// # Errors
    /// If the address is invalid, already in use, or stands for a peer.
    pub fn start(self) -> Result<Group> {
        let Self { node, address, to_all, access } = self;
        let members = SharedMembers::default();
        let actor = GroupActor { node: node.unheld(), members: members.clone(), to_all };
        let mut worker = node.worker(address, actor);
        if let Some(rule) = access {
            worker = worker.access(move |origin| rule(origin));
        }
        Ok(Group { worker: worker.start()?, node, members })
    }
}

impl fmt::Debug for GroupBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupBuilder")
            .field("address", &self.address)
            .field("to_all", &self.to_all)
            .finish_non_exhaustive()
    }
}

/// A started group. Clones stand for the same one; dropping this does not stop it.
///
/// ```
/// # async fn example(ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::route;
///
/// let printers = ctx.group("printers").start()?;
/// printers.add("laser")?;
/// printers.add(route!["tcp#10.0.0.7:4000", "inkjet"])?;
/// let answer: String = ctx.ask("printers", String::from("a page")).reply_as().await?;
/// # let _ = answer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Group {
    node: Node,
    worker: WorkerHandle,
    members: SharedMembers,
}

impl Group {
    /// The group's address.
    pub fn address(&self) -> &Address {
        self.worker.address()
    }

    /// Adds the worker at the end of `route`, on this node or on another one. The group
    /// [watches](Node::watch) it: when it has ended or cannot be reached, it is a member no longer.
    /// A member that is one already stays one.
    ///
    /// # Errors
    /// If the route is empty, invalid, or begins with the group itself, if the group has stopped,
    /// or if it has 1,024 members.
    pub fn add(&self, route: impl Into<Route>) -> Result<()> {
        let route = route.into();
        route.validate()?;
        if route.is_empty() {
            return Err(Error::EmptyRoute);
        }
        if route.first() == Some(self.address()) {
            let text = format!("the group \"{}\" cannot be a member of itself", self.address());
            return Err(Error::Usage(text));
        }
        let (guard, removed) = oneshot::channel();
        let mut joined = None;
        let joining = self.members.lock().join(route.clone(), |id| {
            joined = Some(id);
            guard
        });
        match (joining, joined) {
            (Ok(()), Some(id)) => self.watch(id, route, removed),
            (Ok(()), None) | (Err(NotJoined::IsMember), _) => {}
            (Err(NotJoined::Closed), _) => {
                return Err(Error::WorkerEnded(self.address().clone()));
            }
            (Err(NotJoined::Full), _) => {
                let group = self.address();
                let text = format!("the group \"{group}\" has {MAX_MEMBERS} members: stop some");
                return Err(Error::Usage(text));
            }
        }
        Ok(())
    }

    /// Has the member leave when it has ended, or its guard is dropped.
    fn watch(&self, id: MemberId, route: Route, removed: oneshot::Receiver<()>) {
        let (members, group) = (self.members.clone(), self.address().clone());
        let watch = self.node.watch(route.clone());
        self.node.spawn_on(self.node.next_arbiter(), async move {
            tokio::select! {
                biased;
                ended = watch => {
                    if members.lock().leave(id) {
                        log::info!("{route} has left the group \"{group}\": {ended}");
                    }
                }
                _ = removed => {}
            }
        });
    }

    /// Removes a member; whether it was one.
    pub fn remove(&self, route: impl Into<Route>) -> bool {
        self.members.lock().remove(&route.into())
    }

    /// The members, in the order in which they have joined.
    pub fn members(&self) -> Vec<Route> {
        self.members.lock().all()
    }

    /// The member whose turn it is now, for a message that is sent to it alone.
    pub fn in_turn(&self) -> Option<Route> {
        self.members.lock().in_turn()
    }

    /// Stops the group; its members go on.
    ///
    /// # Errors
    /// If it has already stopped.
    pub fn stop(&self) -> Result<()> {
        self.worker.stop()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("address", self.address())
            .field("members", &self.members.lock().len())
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A group of workers at `address`: [`start`](GroupBuilder::start) starts it, and
    /// [`Group::add`] adds members, here or on other nodes.
    ///
    /// Whoever sends to the address sends to one member in turn, or to all, as the builder says.
    /// Answers come from the members. A message that the member whose turn it is does not take goes
    /// to the next one; what it has taken and lost yields the usual notice.
    pub fn group(&self, address: impl Into<Address>) -> GroupBuilder {
        GroupBuilder { node: self.clone(), address: address.into(), to_all: false, access: None }
    }
}

/// See the documentation of this module.
struct GroupActor {
    /// Does not keep the node running.
    node: Node,
    members: SharedMembers,
    to_all: bool,
}

impl Actor for GroupActor {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for GroupActor {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        let own = message.address().clone();
        let mut message = message.into_message();
        if message.kind == MessageKind::Notice {
            // The group sends nothing of its own, so this is about nothing.
            return;
        }
        let Some(hops) = message.hops.checked_sub(1) else {
            return self.node.bounce(Undelivered::new(
                message,
                &own,
                UndeliverableReason::HopsSpent,
            ));
        };
        message.hops = hops;
        match self.to_all {
            true => self.pass_to_all(&own, message),
            false => self.pass_to_one(&own, message),
        }
    }
}

impl GroupActor {
    fn pass_to_one(&self, own: &Address, message: Message) {
        let tries = self.members.lock().len();
        let rest = message.onward_route.clone();
        let mut undelivered = Undelivered::new(message, own, UndeliverableReason::Unreachable);
        for _ in 0..tries {
            let Some(route) = self.members.lock().in_turn() else { break };
            let mut message = undelivered.message;
            message.onward_route.clone_from(&rest);
            message.onward_route.prepend(&route);
            match self.node.try_route(message, NextHop::Chosen) {
                Ok(()) => return,
                Err(returned) => undelivered = returned,
            }
        }
        self.node.bounce(undelivered);
    }

    fn pass_to_all(&self, own: &Address, message: Message) {
        let members = self.members.lock().all();
        if members.is_empty() {
            let reason = UndeliverableReason::Unreachable;
            return self.node.bounce(Undelivered::new(message, own, reason));
        }
        let (count, mut failed) = (members.len(), Vec::new());
        for route in members {
            failed.extend(self.pass_copy(&route, &message).err());
        }
        // A question may still be answered by the others.
        if message.kind == MessageKind::Request && failed.len() < count {
            return;
        }
        failed.into_iter().for_each(|undelivered| self.node.bounce(undelivered));
    }

    /// Passes a copy on, for which there must be room on the first edge: nobody waits for a member.
    fn pass_copy(&self, route: &Route, message: &Message) -> Result<(), Box<Undelivered>> {
        let mut onward_route = message.onward_route.clone();
        onward_route.prepend(route);
        let first_hop = self.node.first_hop(&onward_route);
        let permit = first_hop.as_ref().map(|hop| hop.budget.try_acquire(message.payload.len()));
        let copy = Message::from(MessageParts {
            kind: message.kind,
            expendable: message.expendable,
            hops: message.hops,
            onward_route,
            return_route: message.return_route.clone(),
            payload: message.payload.clone(),
            origin: message.origin.clone(),
            permit: None,
        });
        match permit {
            Ok(Some(permit)) => self.node.try_route(copy.with_permit(permit), NextHop::Chosen),
            Ok(None) => {
                let hop = route.first().cloned().unwrap_or_else(|| "?".into());
                Err(Undelivered::new(copy, &hop, UndeliverableReason::Overloaded))
            }
            // Routing says what is wrong with it.
            Err(_) => self.node.try_route(copy, NextHop::Chosen),
        }
    }
}

impl Drop for GroupActor {
    /// Nobody is watched for a group that has ended.
    fn drop(&mut self) {
        self.members.lock().close();
    }
}
