//! What programs do with connections.

use std::{
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    time::Duration,
};

use bytes::BufMut;

use crate::{
    simulated::{
        connection::{Connection, Fin, Probing, What, SEND_BUFFER},
        state::{ip_of, Event, State, FIRST_PORT},
    },
    socket::Keepalive,
};

/// The pause before the first segment of a connection is sent again.
const FIRST_SYN_RETRY: Duration = Duration::from_secs(1);

impl State {
    /// A port of `host` that nothing listens on.
    pub(super) fn free_port(&mut self, host: usize) -> u16 {
        let state = &mut self.hosts[host];
        let port = state.next_port;
        state.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    /// Begins to connect; returns the connection's number.
    pub(super) fn connect(&mut self, from: usize, to: SocketAddr) -> io::Result<u64> {
        let host = self.host_at(from, to.ip()).ok_or(ErrorKind::HostUnreachable)?;
        let own = if to.ip().is_loopback() { to.ip() } else { ip_of(from).into() };
        let own = SocketAddr::new(own, self.free_port(from));
        let number = self.next_connection;
        self.next_connection += 1;
        let connection = Connection::new([from, host], [own, to], FIRST_SYN_RETRY);
        let (own, to) = (self.name(from, own), self.name(host, to));
        self.note(format_args!("#{number} {own} connects to {to}"));
        self.connections.insert(number, connection);
        self.send(number, 0, What::Syn);
        Ok(number)
    }

    pub(super) fn read(
        &mut self,
        number: u64,
        end: usize,
        buffer: &mut impl BufMut,
    ) -> io::Result<usize> {
        let connection = self.connections.get_mut(&number).ok_or(ErrorKind::NotConnected)?;
        let own = &mut connection.ends[end];
        if !own.received.is_empty() {
            let read = own.received.len().min(buffer.remaining_mut());
            buffer.put_slice(&own.received.split_to(read));
            self.pump(number, 1 - end);
            return Ok(read);
        }
        match own.error.take() {
            Some(error) => Err(error.into()),
            None if own.has_received_fin || own.is_dead => Ok(0),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    pub(super) fn write(
        &mut self,
        number: u64,
        end: usize,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let connection = self.connections.get_mut(&number).ok_or(ErrorKind::NotConnected)?;
        let own = &mut connection.ends[end];
        if let Some(error) = own.error.take() {
            return Err(error.into());
        }
        let flow = &mut connection.flows[end];
        if own.is_dead || flow.fin != Fin::None {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut written = 0;
        for slice in slices {
            let room = SEND_BUFFER.saturating_sub(flow.unsent.len()).min(slice.len());
            flow.unsent.extend_from_slice(&slice[..room]);
            written += room;
        }
        if written == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.pump(number, end);
        Ok(written)
    }

    /// Ends the direction of an end, after what was written.
    pub(super) fn shut_down(&mut self, number: u64, end: usize) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if connection.flows[end].fin == Fin::None {
            connection.flows[end].fin = Fin::Queued;
            self.pump(number, end);
        }
    }

    /// A program has closed its end.
    pub(super) fn close(&mut self, number: u64, end: usize) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let own = &mut connection.ends[end];
        own.is_held = false;
        own.wake_all(&mut self.woken);
        let has_ended = own.has_received_fin && connection.flows[end].fin == Fin::Sent;
        let is_rude = !own.received.is_empty() || (own.resets_on_close && !has_ended);
        if own.is_dead {
            // Nobody is left to be told.
        } else if !own.is_established {
            own.is_dead = true;
            connection.flows[end].clear();
        } else if is_rude {
            own.is_dead = true;
            let flow = &mut connection.flows[end];
            flow.unsent.clear();
            self.send(number, end, What::Reset);
        } else {
            self.shut_down(number, end);
        }
        if self.connections.get(&number).is_some_and(Connection::is_over) {
            self.connections.remove(&number);
        }
    }

    pub(super) fn set_keepalive(&mut self, number: u64, end: usize, options: Keepalive) {
        let heard_at = self.now;
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let keepalive = &mut connection.ends[end].keepalive;
        let before = *keepalive;
        let probing = before.unwrap_or(Probing { options, heard_at, unanswered: 0 });
        *keepalive = Some(Probing { options, ..probing });
        if before.is_none() {
            self.schedule(heard_at + options.idle, Event::Probe { connection: number, end });
        }
    }
}
