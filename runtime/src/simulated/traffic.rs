//! How segments travel: when each arrives, what it does there, and what happens if it does not.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::{
    clock::Instant,
    simulated::{
        connection::{Awaited, Fin, Probing, Segment, What, FIRST_RETRY},
        state::{Event, State},
    },
    socket::Keepalive,
};

/// Bytes of the largest segment. Real ones are smaller, but systems send and take many at once.
const SEGMENT: usize = 16 * 1024;

/// The longest pause before what was lost is sent again.
const MAX_RETRY: Duration = Duration::from_secs(120);

/// How long a system goes on sending what nobody acknowledges, as Linux does by default.
const GIVE_UP: Duration = Duration::from_secs(924);

impl State {
    // ----- sending -------------------------------------------------------------------------------

    /// Puts a segment on its way.
    pub(super) fn send(&mut self, number: u64, from: usize, what: What) {
        let Some(connection) = self.connections.get(&number) else { return };
        let hosts = connection.hosts;
        let bytes = if let What::Data(data) = &what { data.len() } else { 0 };
        let at = self.arrival(hosts[from], hosts[1 - from], bytes);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let flow = &mut connection.flows[from];
        let due = flow.wire.back().map_or(at, |last| last.due.max(at));
        flow.wire.push_back(Segment { due, what });
        if !std::mem::replace(&mut flow.is_scheduled, true) {
            self.schedule(due, Event::Arrive { connection: number, from });
        }
    }

    /// Sends as much as the other end has room for, and then the end.
    pub(super) fn pump(&mut self, number: u64, from: usize) {
        loop {
            let Some(connection) = self.connections.get_mut(&number) else { return };
            let window = connection.window(from);
            let end = &mut connection.ends[from];
            let flow = &mut connection.flows[from];
            if end.is_dead || !end.is_established {
                return;
            }
            if flow.unsent.is_empty() {
                flow.blocked = None;
                if flow.fin == Fin::Queued {
                    flow.fin = Fin::Sent;
                    self.send(number, from, What::Fin);
                }
                return;
            }
            if window == 0 {
                let waits = flow.wire.is_empty() && flow.blocked.is_none();
                if let (true, Some(limit)) = (waits, end.user_timeout) {
                    let since = self.now;
                    flow.blocked = Some(since);
                    let event = Event::Blocked { connection: number, from, since };
                    self.schedule(since + limit, event);
                }
                return;
            }
            flow.blocked = None;
            let data = flow.unsent.split_to(SEGMENT.min(flow.unsent.len()).min(window)).freeze();
            flow.in_flight += data.len();
            end.wake(Awaited::Write, &mut self.woken);
            self.send(number, from, What::Data(data));
        }
    }

    pub(super) fn check_blocked(&mut self, number: u64, from: usize, since: Instant) {
        let flow = self.connections.get(&number).map(|connection| &connection.flows[from]);
        if flow.is_some_and(|flow| flow.blocked == Some(since)) {
            self.give_up(number, from, "the other end takes nothing");
        }
    }

    /// Ends an end that waits in vain.
    fn give_up(&mut self, number: u64, end: usize, why: &str) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.ends[end].fail(ErrorKind::TimedOut, &mut self.woken);
        connection.flows[end].clear();
        let name = self.name_of(number, end);
        self.note(format_args!("#{number} {name} gives up: {why}"));
        self.send(number, end, What::Reset);
    }

    fn name_of(&self, number: u64, end: usize) -> String {
        let connection = self.connections.get(&number);
        connection.map_or_else(String::new, |connection| {
            self.name(connection.hosts[end], connection.addresses[end])
        })
    }

    // ----- arriving ------------------------------------------------------------------------------

    /// Has the segments of one direction arrive that are due.
    pub(super) fn arrive(&mut self, number: u64, from: usize) {
        loop {
            let Some(connection) = self.connections.get_mut(&number) else { return };
            let hosts = connection.hosts;
            let due = connection.flows[from].wire.front().map(|segment| segment.due);
            match due {
                Some(due) if due <= self.now => {}
                Some(due) => return self.schedule(due, Event::Arrive { connection: number, from }),
                None => {
                    connection.flows[from].is_scheduled = false;
                    if connection.is_over() {
                        self.connections.remove(&number);
                    }
                    return;
                }
            }
            let passes = self.passes(hosts[from], hosts[1 - from]);
            let Some(connection) = self.connections.get_mut(&number) else { return };
            let flow = &mut connection.flows[from];
            let Some(segment) = flow.wire.pop_front() else { return };
            if passes {
                (flow.retry, flow.stalled) = (FIRST_RETRY, None);
                self.handle_segment(number, from, segment.what);
            } else if !matches!(segment.what, What::Reset) {
                flow.wire.push_front(segment);
                self.stall(number, from);
            }
        }
    }

    /// The first segment was lost: it is sent again later.
    fn stall(&mut self, number: u64, from: usize) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let limit = connection.ends[from].user_timeout.unwrap_or(GIVE_UP);
        let flow = &mut connection.flows[from];
        let end = *flow.stalled.get_or_insert(now) + limit;
        if now >= end {
            return self.give_up(number, from, "nothing passes");
        }
        let again = (now + flow.retry).min(end);
        flow.retry = (flow.retry * 2).min(MAX_RETRY);
        if let Some(first) = flow.wire.front_mut() {
            first.due = again;
        }
    }

    fn handle_segment(&mut self, number: u64, from: usize, what: What) {
        let to = 1 - from;
        let name = self.name_of(number, to);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if let Some(probing) = &mut connection.ends[to].keepalive {
            (probing.heard_at, probing.unanswered) = (self.now, 0);
        }
        let end = &mut connection.ends[to];
        match what {
            What::Reset if end.is_dead => {}
            What::Reset => {
                let error = match (end.is_established, end.has_received_fin) {
                    (false, _) => ErrorKind::ConnectionRefused,
                    // The error that Linux gives once both directions had something to say.
                    (true, true) => ErrorKind::BrokenPipe,
                    (true, false) => ErrorKind::ConnectionReset,
                };
                end.fail(error, &mut self.woken);
                connection.flows[to].clear();
                self.note(format_args!("#{number} {name} gets a reset"));
            }
            _ if end.is_dead || (!end.is_held && matches!(what, What::Data(_))) => {
                end.is_dead = true;
                connection.flows[to].clear();
                self.send(number, to, What::Reset);
            }
            What::Syn => self.handle_syn(number),
            What::SynAck => {
                end.is_established = true;
                end.wake_all(&mut self.woken);
                self.note(format_args!("#{number} {name} is connected"));
                self.pump(number, to);
            }
            What::Data(data) => {
                end.received.extend_from_slice(&data);
                connection.flows[from].in_flight -= data.len();
                end.wake(Awaited::Read, &mut self.woken);
                self.note(format_args!("#{number} {name} gets {} bytes", data.len()));
                self.pump(number, from);
            }
            What::Fin => {
                end.has_received_fin = true;
                end.wake(Awaited::Read, &mut self.woken);
                self.note(format_args!("#{number} {name} gets the end"));
            }
        }
    }

    /// A connection has come to a host.
    fn handle_syn(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let (host, to) = (connection.hosts[1], connection.addresses[1]);
        let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), to.port());
        let found = [to, any].into_iter().find(|at| self.listeners.contains_key(&(host, *at)));
        let listening = found.and_then(|at| self.listeners.get_mut(&(host, at)));
        let end = &mut connection.ends[1];
        let Some(listening) = listening else {
            end.is_dead = true;
            return self.send(number, 1, What::Reset);
        };
        (end.is_held, end.is_established) = (true, true);
        listening.backlog.push_back(number);
        self.woken.extend(listening.waker.take());
        self.send(number, 1, What::SynAck);
    }

    /// An idle end asks whether the other one is there.
    pub(super) fn probe(&mut self, number: u64, end: usize) {
        let Some(connection) = self.connections.get(&number) else { return };
        let hosts = connection.hosts;
        let Some(probing) = connection.ends[end].keepalive else { return };
        let Keepalive { idle, interval, probes } = probing.options;
        if connection.ends[end].is_dead {
            return;
        }
        let event = Event::Probe { connection: number, end };
        let quiet = self.now - probing.heard_at;
        if probing.unanswered == 0 && quiet < idle {
            return self.schedule(probing.heard_at + idle, event);
        }
        if self.passes(hosts[end], hosts[1 - end]) {
            let Some(connection) = self.connections.get_mut(&number) else { return };
            let is_known = !connection.ends[1 - end].is_dead;
            connection.ends[end].keepalive =
                Some(Probing { heard_at: self.now, unanswered: 0, ..probing });
            if !is_known {
                // Which may be lost.
                self.send(number, 1 - end, What::Reset);
            }
            return self.schedule(self.now + if is_known { idle } else { interval }, event);
        }
        if probing.unanswered >= probes {
            return self.give_up(number, end, "keep-alive is not answered");
        }
        if let Some(connection) = self.connections.get_mut(&number) {
            let unanswered = probing.unanswered + 1;
            connection.ends[end].keepalive = Some(Probing { unanswered, ..probing });
        }
        self.schedule(self.now + interval, event);
    }
}
