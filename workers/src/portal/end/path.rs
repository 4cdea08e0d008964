//! What carries a stream: the first hop, the route to the other end, and our address on it.
//!
//! All that belongs to one path ends with it: the address, the room on the first edge, and the
//! messages that were not sent yet.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ockam_actix_runtime::{
    edge::first_hop::FirstHop, node::directory::Registration, Address, Host, Message, MessageKind,
    Node, Payload, Permit, Route,
};

use crate::portal::{
    end::{
        pending_controls::PendingControls,
        pending_permit::{EdgeClosed, PendingPermit, Room},
    },
    protocol::message::Control,
};

/// The path of a stream, for as long as its first hop's link lasts.
pub(crate) struct Path {
    node: Node,
    first_hop: FirstHop,
    /// The epoch of the first hop's link when the path began; the path ends with it.
    epoch: u64,
    /// The route to the other end: at first to the outlet's name, then to that end's own address.
    route: Route,
    kind: MessageKind,
    /// Our own address, which only the other end may send to; set once the actor has begun.
    registration: Option<Registration>,
    /// Our own address, as a return route.
    back: Route,
    /// Messages that go with the next bytes from the socket, or else alone when this turn ends and
    /// the first edge has room.
    controls: PendingControls,
    data_room: PendingPermit,
    urgent_room: PendingPermit,
    lost: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Path {
    /// A path over `first_hop` along `route`, for messages of `kind`.
    pub(crate) fn new(node: Node, first_hop: FirstHop, route: Route, kind: MessageKind) -> Self {
        Self {
            node,
            epoch: first_hop.state().epoch,
            first_hop,
            route,
            kind,
            registration: None,
            back: Route::new(),
            controls: PendingControls::default(),
            data_room: PendingPermit::default(),
            urgent_room: PendingPermit::default(),
            lost: None,
        }
    }

    /// Takes the address on this path.
    pub(crate) fn begin(&mut self, registration: Registration) {
        self.back = Route::from(registration.address().clone());
        self.registration = Some(registration);
    }

    /// Ends it: nothing comes from it any more, and nothing goes over it.
    pub(crate) fn end(&mut self) {
        self.registration = None;
        self.lost = Some(Box::pin(std::future::pending()));
        self.forget_unsent();
        self.data_room.give_up();
        self.urgent_room.give_up();
    }

    /// Whether it has its address.
    pub(crate) const fn has_begun(&self) -> bool {
        self.registration.is_some()
    }

    /// Gives the address back: nobody else is to know of the stream for the rest of its life.
    pub(crate) fn give_address_back(&mut self) {
        self.registration = None;
    }

    /// The address of its first hop.
    pub(crate) const fn first_hop(&self) -> &Address {
        &self.first_hop.address
    }

    /// The route to the other end.
    pub(crate) const fn route(&self) -> &Route {
        &self.route
    }

    /// Goes on along `route`, to the other end's own address.
    pub(crate) fn turn_to(&mut self, route: Route) {
        self.route = route;
    }

    /// Whether the first hop tells of every loss between the two ends, once they know each other's
    /// addresses: the other end lives right after the connection or the channel.
    pub(crate) fn is_watched(&self) -> bool {
        self.first_hop.is_watched() && self.route.len() <= 2
    }

    /// Ready when the link of the first hop is lost.
    pub(crate) fn poll_lost(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let lost = self.lost.get_or_insert_with(|| {
            let (mut first_hop, epoch) = (self.first_hop.clone(), self.epoch);
            Box::pin(async move { first_hop.lost(epoch).await })
        });
        let polled = lost.as_mut().poll(task);
        if polled.is_ready() {
            self.lost = Some(Box::pin(std::future::pending()));
        }
        polled
    }

    // ----- sending -------------------------------------------------------------------------------

    /// Takes room on the first edge for data of `bytes`.
    pub(crate) fn poll_data_room(
        &mut self,
        bytes: usize,
        task: &mut Context<'_>,
    ) -> Poll<Result<Permit, EdgeClosed>> {
        self.data_room.poll(&self.first_hop.budget, Room::Data(bytes), task)
    }

    /// Keeps room that was not used for the next data.
    pub(crate) fn keep_data_room(&mut self, permit: Permit) {
        self.data_room.put_back(permit);
    }

    /// Leaves room that is waited for, or kept, to others.
    pub(crate) fn give_data_room_up(&mut self) {
        self.data_room.give_up();
    }

    /// Sends data, and ahead of it the messages that wait.
    pub(crate) fn send_data(&mut self, mut payload: Payload, permit: Permit) {
        payload.prepend(&self.controls.take());
        self.send(payload, Some(permit));
    }

    /// Adds a message to those that wait.
    pub(crate) fn queue(&mut self, control: Control<'static>) {
        self.controls.push(control);
    }

    /// Has `Open` say this of the client, which is encoded.
    pub(crate) fn introduce(&mut self, introduction: Option<Arc<[u8]>>) {
        self.controls.introduce(introduction);
    }

    /// Whether messages wait.
    pub(crate) const fn has_unsent(&self) -> bool {
        !self.controls.is_empty()
    }

    /// Forgets the messages that wait.
    pub(crate) fn forget_unsent(&mut self) {
        self.controls.clear();
    }

    /// Sends the messages that found no bytes to go with, if the first edge has room for them.
    pub(crate) fn poll_flush(&mut self, task: &mut Context<'_>) -> Result<(), EdgeClosed> {
        if !self.has_unsent() {
            // They went with bytes meanwhile: the room that was waited for goes to others.
            self.urgent_room.give_up();
            return Ok(());
        }
        if let Poll::Ready(permit) =
            self.urgent_room.poll(&self.first_hop.budget, Room::Urgent, task)
        {
            self.flush(Some(permit?));
        }
        Ok(())
    }

    /// Sends the messages that wait, although nobody is there to wait for room.
    pub(crate) fn flush_last(&mut self) {
        self.flush(self.first_hop.budget.try_acquire_urgent());
    }

    fn flush(&mut self, permit: Option<Permit>) {
        let payload = Payload::from(&self.controls.take()[..]);
        self.send(payload, permit);
    }

    /// Sends a payload in its order, also after the route has changed with the first answer.
    fn send(&self, payload: Payload, permit: Option<Permit>) {
        let mut message = Message::new(self.route.clone(), self.back.clone(), payload);
        message.kind = self.kind;
        message.permit = match self.back.first() {
            Some(own) => permit.map(|permit| permit.of_flow(own.clone())),
            None => permit,
        };
        self.node.route(message);
    }
}
