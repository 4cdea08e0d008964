//! The outlet: starts the other end of a stream for each `Open`, and connects it to the target.
//!
//! * Owns: the outlet's name, and the list of its streams that their inlets do not know yet.
//! * Inbox: `Open`, and what an inlet sends before it has received `Opened`. It has no mailbox:
//!   both are delivered on the arbiter where they came in, so the stream lives there, and what
//!   follows an `Open` cannot overtake it.
//! * Started by [`Outlet::start`]; its name is freed by [`Outlet::stop`] or with the node.
//! * A panic is contained by the node's hand-over, in the task that delivers: one message is lost.

use std::{fmt, sync::Arc, time::Duration};

use ockam_actix_runtime::{
    edge::first_hop::FirstHop,
    message::{undelivered::Undelivered, MessageKind},
    metrics::{
        listing::Recorded,
        portal::{Portal, PortalKind, StreamRecord},
        Metrics,
    },
    node::{
        entry::{AccessRule, Deliver, Description, Entry},
        routing::NextHop,
        Node,
    },
    socket::endpoint::Endpoint,
    text::Shown,
    Address, Class, Host, Message, Origin, Payload, Result, UndeliverableReason,
};

use crate::portal::{
    end::{
        config::{Side, StreamConfig},
        worker::StreamWorker,
    },
    kept_streams::{Found, GoOn, KeptStreams},
    limits::RESUME_FOR,
    opening::Opening,
    pool::StreamPool,
    protocol::{
        introduction::Introduction,
        message::{decode, Control, DecodeError, Decoded},
        offset::Limit,
        reason::StreamRefusal,
        resumption::StreamSecret,
        stream::Stream,
    },
    target::{connect::Dial, permitted::Permitted, proxy_protocol::ProxyProtocol},
};

/// A running outlet. Dropping this does not stop it; [`Outlet::stop`] does.
#[derive(Clone, Debug)]
pub struct Outlet {
    node: Node,
    address: Address,
}

/// What an outlet connects to, and for whom. A target alone (`host:port`) converts into one.
///
/// ```
/// use ockam_actix_workers::{identity::access, portal::OutletOptions};
///
/// let options = OutletOptions::to("127.0.0.1:5000").access(access::secure_channels_only());
/// # let _ = options;
/// ```
#[must_use]
pub struct OutletOptions {
    target: String,
    access: Option<AccessRule>,
    resume_for: Duration,
    proxy_protocol: Option<ProxyProtocol>,
}

impl OutletOptions {
    /// Streams connect to `target`: `host:port`, or `unix:/path` for a Unix socket. Its name is
    /// resolved for each stream, so a target that moves or starts later is found.
    ///
    /// Or to the servers that the clients of a [SOCKS inlet](crate::portal::InletOptions::socks)
    /// name, if they match one of several patterns with commas between them:
    /// `db.internal:5432,*.web.internal:443,10.1.0.0/16:*`. `*.web.internal` are all names below
    /// that one, `*` is any host, `10.1.0.0/16` and `[fd00::/8]` are networks, and the port may be
    /// `*`. Names are looked up here, and patterns are about hosts as they are named: an address
    /// that a client gives literally matches patterns for addresses alone, and to which address a
    /// permitted name leads is not looked at.
    pub fn to(target: impl Into<String>) -> Self {
        Self { target: target.into(), access: None, resume_for: RESUME_FOR, proxy_protocol: None }
    }

    /// Accepts only streams from the origins that `rule` permits, on top of the rules for all: see
    /// [`access`](crate::identity::access) for rules by identity and by policy.
    pub fn access(mut self, rule: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> Self {
        self.access = Some(Arc::new(rule));
        self
    }

    /// Keeps a stream whose path is lost, and the connection to its target, for up to `limit`, so
    /// that its inlet can resume it; [`RESUME_FOR`] if this is not called. Zero has streams end
    /// with their paths.
    pub const fn resume_for(mut self, limit: Duration) -> Self {
        self.resume_for = limit;
        self
    }

    /// Tells the target where each client comes from, by first bytes in this version of the [PROXY
    /// protocol](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt), which the target has
    /// to expect.
    ///
    /// The address is what the inlet says, so it is as true as the inlet's node: narrow who reaches
    /// the outlet with [`access`](Self::access) where it counts. Of a client at a Unix socket, and
    /// of an inlet that hides its clients, the target hears `UNKNOWN`, or `LOCAL`.
    pub const fn proxy_protocol(mut self, version: ProxyProtocol) -> Self {
        self.proxy_protocol = Some(version);
        self
    }
}

impl OutletOptions {
    /// Checks what needs nothing to be started.
    ///
    /// # Errors
    /// If the target is none.
    pub fn check(&self) -> Result<()> {
        self.target.parse::<Permitted>().map(drop)
    }

    /// Whether clients name what they connect to, so that their inlet has to ask them.
    pub fn has_patterns(&self) -> bool {
        matches!(self.target.parse(), Ok(Permitted::Listed(_)))
    }
}

impl<T: Into<String>> From<T> for OutletOptions {
    fn from(target: T) -> Self {
        Self::to(target)
    }
}

impl fmt::Debug for OutletOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let narrowed = self.access.is_some();
        f.debug_struct("OutletOptions")
            .field("target", &self.target)
            .field("narrowed", &narrowed)
            .field("resume_for", &self.resume_for)
            .field("proxy_protocol", &self.proxy_protocol)
            .finish()
    }
}

impl Outlet {
    /// Registers an outlet at `address` whose streams connect to a target: `"127.0.0.1:5000"`, or
    /// [`OutletOptions`] with more.
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the target is none of what
    /// [`OutletOptions::to`] takes.
    pub fn start(
        node: &impl AsRef<Node>,
        address: impl Into<Address>,
        options: impl Into<OutletOptions>,
    ) -> Result<Self> {
        let (node, options) = (node.as_ref(), options.into());
        let OutletOptions { target, access, resume_for, proxy_protocol } = options;
        let target: Permitted = target.parse()?;
        let mut description = Description::new(address, Class::User);
        description.access = access;
        let address = description.address.clone();
        let portal = Portal::new(PortalKind::Outlet, address.to_string(), target.to_string());
        let delivery = OutletDelivery {
            node: node.unheld(),
            target: target.clone(),
            opening: Opening::default(),
            kept: KeptStreams::new(),
            resume_for,
            proxy_protocol,
            portal: Metrics::of(node).portals.list(portal).into(),
        };
        node.register_delivery(description, delivery)?.detach();
        log::info!("outlet \"{address}\" for the target {target}");
        Ok(Self { node: node.clone(), address })
    }

    /// The outlet's name.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Frees the outlet's name; open streams go on.
    ///
    /// # Errors
    /// If it has been stopped before.
    pub fn stop(&self) -> Result<()> {
        self.node.stop_worker(self.address.clone())
    }
}

struct OutletDelivery {
    node: Node,
    target: Permitted,
    opening: Opening,
    kept: KeptStreams,
    resume_for: Duration,
    proxy_protocol: Option<ProxyProtocol>,
    portal: Arc<Recorded<Portal>>,
}

impl Deliver for OutletDelivery {
    fn deliver(&self, entry: &Entry, mut message: Message) -> Result<(), Box<Undelivered>> {
        if message.kind == MessageKind::Notice {
            return Ok(());
        }
        if let Some(stream) = self.opening.find(&message.return_route) {
            return self.pass_on(stream, message);
        }
        match decode(&message.payload) {
            Ok((Decoded::Control(Control::Open { limit, secret, introduction }), length)) => {
                let dial = self.dial(&introduction, &message.origin);
                let client = introduction.client().map(|client| client.client.into());
                message.payload.narrow(length..usize::MAX);
                match dial {
                    Some(dial) => self.open(entry, (limit, secret), (dial, client), message),
                    None => {
                        self.refuse(entry, message, StreamRefusal::NotAllowed);
                        Ok(())
                    }
                }
            }
            Ok((
                Decoded::Control(Control::Resume { secret, attempt, received, limit }),
                length,
            )) => {
                message.payload.narrow(length..usize::MAX);
                let go_on = |first_hop, rest| GoOn { first_hop, attempt, received, limit, rest };
                self.resume(entry, (&secret, attempt), go_on, message)
            }
            Ok((Decoded::Control(Control::Reset { .. }), _)) => Ok(()),
            Err(DecodeError::UnsupportedVersion(_)) => {
                self.refuse(entry, message, StreamRefusal::UnsupportedVersion);
                Ok(())
            }
            Ok(_) | Err(_) => {
                let reason = UndeliverableReason::BodyNotUnderstood;
                Err(Undelivered::new(message, &entry.address, reason))
            }
        }
    }
}

impl OutletDelivery {
    /// Passes an early message on to its stream: it has the return route of the stream's `Open`, so
    /// it came by the same way.
    fn pass_on(&self, stream: Address, mut message: Message) -> Result<(), Box<Undelivered>> {
        message.onward_route.push_front(stream);
        self.node.try_route(message, NextHop::Chosen)
    }

    /// What the stream of such a client connects to, if that is permitted.
    fn dial(&self, client: &Introduction<'_>, origin: &Origin) -> Option<Dial> {
        let Some(target) = self.target.named(client.target()) else {
            let named = Shown(client.target());
            let what = format_args!("refused {origin} a stream to {named}: not permitted");
            self.node.refusals().warn("target-not-permitted", what);
            return None;
        };
        let proxy = self.proxy_protocol.map(|version| (version, client.client()));
        Some(Dial { target, proxy })
    }

    /// Starts the stream of a message that began with `Open`; the stream gets the rest.
    fn open(
        &self,
        entry: &Entry,
        (limit, secret): (Limit, Option<StreamSecret>),
        (dial, client): (Dial, Option<Endpoint>),
        message: Message,
    ) -> Result<(), Box<Undelivered>> {
        let node = &self.node;
        let inlet = message.return_route.clone();
        let Ok(first_hop) = node.first_hop(&inlet) else {
            let reason = UndeliverableReason::Unreachable;
            return Err(Undelivered::new(message, &entry.address, reason));
        };
        let slot = match StreamPool::of(node).enter(&message.origin) {
            Ok(slot) => slot,
            Err(full) => {
                let (target, origin) = (&dial.target, &message.origin);
                let what = format_args!("refused a stream from {origin} to {target}: {full}");
                node.refusals().warn(full.rule(), what);
                self.refuse(entry, message, StreamRefusal::Busy);
                return Ok(());
            }
        };
        let not_understood = UndeliverableReason::BodyNotUnderstood;
        let Ok(mut stream) = Stream::outlet(limit, slot.first_window()) else {
            return Err(Undelivered::new(message, &entry.address, not_understood));
        };
        let mut kept = None;
        if let Some(secret) = secret.filter(|_| self.keeps(&message.origin)) {
            kept = self.kept.keep(secret, message.origin.peer(), &inlet);
            if kept.is_none() {
                // It was sent before a resume that has come already.
                return Err(Undelivered::new(message, &entry.address, not_understood));
            }
            stream = stream.kept_by(self.kept.life());
        }
        let over = Some(first_hop.address.clone());
        let mut record = StreamRecord::new(self.portal.clone(), over);
        (record.client, record.peer) = (client, message.origin.peer());
        record.target = self.target.is_list().then(|| dial.target.to_string().into());
        let record = Metrics::of(node).streams.list(record);
        let description = Description::answered_over(&first_hop);
        let address = description.address.clone();
        let listed = self.opening.list(inlet.clone(), address.clone());
        let side = Side::Outlet { dial, kept, _listed: Some(listed) };
        let arbiter = node.arbiter_for(&first_hop);
        let config = StreamConfig {
            node: node.clone(),
            stream,
            first_hop,
            route: inlet,
            side,
            slot,
            resume_for: self.resume_for,
            record,
        };
        let launched = if node.current_arbiter() == Some(arbiter) {
            node.launch_here(description, StreamWorker::new(config, None)).map(drop)
        } else {
            node.launch(description.on(arbiter), move |_| StreamWorker::new(config, None)).map(drop)
        };
        if launched.is_err() {
            return Err(Undelivered::new(
                message,
                &entry.address,
                UndeliverableReason::Unreachable,
            ));
        }
        match message.payload.is_empty() {
            true => Ok(()),
            false => self.pass_on(address, message),
        }
    }

    /// Whether streams from `origin` outlive their paths: those of this node have none to lose.
    fn keeps(&self, origin: &Origin) -> bool {
        !self.resume_for.is_zero() && matches!(origin, Origin::Remote(_))
    }

    /// Has the actor of a kept stream go on along the path of a message that began with `Resume`.
    fn resume(
        &self,
        entry: &Entry,
        (secret, attempt): (&StreamSecret, u64),
        go_on: impl FnOnce(FirstHop, Message) -> GoOn,
        rest: Message,
    ) -> Result<(), Box<Undelivered>> {
        let actor = match self.kept.find(secret, rest.origin.peer(), (attempt, &rest.return_route))
        {
            Found::Kept(actor) => actor,
            Found::Busy => return Ok(()),
            Found::Unknown(life) => {
                // Streams that are not kept may have been forgotten in any life.
                let life = self.keeps(&rest.origin).then_some(life);
                self.answer(entry, rest, &Control::Unknown { life });
                return Ok(());
            }
        };
        let Ok(first_hop) = self.node.first_hop(&rest.return_route) else {
            let reason = UndeliverableReason::Unreachable;
            return Err(Undelivered::new(rest, &entry.address, reason));
        };
        // One control message for each path of a stream, from who knows its secret.
        #[allow(clippy::disallowed_methods)]
        actor.do_send(go_on(first_hop, rest));
        Ok(())
    }

    /// Answers an `Open` that no stream was made for.
    fn refuse(&self, entry: &Entry, message: Message, reason: StreamRefusal) {
        self.answer(entry, message, &Control::Refused { reason, text: reason.text() });
    }

    fn answer(&self, entry: &Entry, message: Message, control: &Control<'_>) {
        let payload = Payload::from(&control.encode()[..]);
        if let Err(undelivered) = self.node.answer(message, entry.address.clone(), payload) {
            log::debug!("an outlet's answer was not delivered: {}", undelivered.notice);
        }
    }
}
