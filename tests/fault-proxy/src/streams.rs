//! Passing streams of bytes: for each connection accepted, one of its own to the node.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Mutex,
    task::JoinSet,
    time::sleep,
};

use crate::{
    journal::{Direction, Journal},
    line::Line,
    script::{Operation, HEADER},
    socket::Socket,
};

/// Bytes of the longest frame that is passed, far more than nodes send.
const MAX_FRAME: usize = 1 << 20;

/// Bytes that are taken at once where frames are not known.
const CHUNK: usize = 16 << 10;

/// What connections come in by.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => Socket::tcp(listener.accept().await?.0),
            Self::Unix(listener) => Ok(Socket::Unix(listener.accept().await?.0)),
        }
    }
}

pub(crate) async fn accept(listener: Listener, line: Line, journal: Arc<Journal>) {
    let mut number = 0;
    // They are cut when the proxy is dropped.
    let mut connections = JoinSet::new();
    while let Ok(client) = listener.accept().await {
        connections.spawn(pass(client, line.clone(), number, journal.clone()));
        while connections.try_join_next().is_some() {}
        number += 1;
    }
}

async fn connect(line: &Line) -> io::Result<Socket> {
    match line {
        Line::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?)),
        Line::Tcp(address) | Line::Opaque(address) | Line::Udp(address) => {
            Socket::tcp(TcpStream::connect(address).await?)
        }
    }
}

/// Passes one connection in both directions until one of them is over.
async fn pass(client: Socket, line: Line, number: u64, journal: Arc<Journal>) {
    let Ok(server) = connect(&line).await else { return };
    let [client, server] = [client, server].map(|socket| End { socket, writing: Mutex::default() });
    let pump = |from, to, up| {
        let (direction, has_frames) = (Direction::new(&journal, number, up), line.has_frames());
        Pump { from, to, has_frames, direction, journal: &journal }
    };
    let (mut up, mut down) = (pump(&client, &server, true), pump(&server, &client, false));
    let ended = tokio::select! {
        ended = up.run() => ended,
        ended = down.run() => ended,
    };
    if matches!(ended, Ok(Ended::Reset)) {
        [&client, &server].into_iter().for_each(|end| end.socket.reset_when_closed());
    }
}

/// One of the two sockets of a connection.
struct End {
    socket: Socket,
    /// Held while a frame is written: grants come in between.
    writing: Mutex<()>,
}

impl End {
    async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let _turn = self.writing.lock().await;
        self.socket.write_all(bytes).await
    }
}

/// How a direction ended.
enum Ended {
    Quietly,
    Reset,
}

/// One direction.
struct Pump<'a> {
    from: &'a End,
    to: &'a End,
    has_frames: bool,
    direction: Direction,
    journal: &'a Journal,
}

impl Pump<'_> {
    async fn run(&mut self) -> io::Result<Ended> {
        loop {
            let next = tokio::select! {
                next = self.next() => next?,
                () = self.journal.wait_for_calm(), if self.direction.is_faulty() => {
                    return Ok(Ended::Reset);
                }
            };
            let Some(unit) = next else { return Ok(Ended::Quietly) };
            // Credit is a matter of each connection, and a hub that hurts its peers keeps to that:
            // a frame that it drops has moved on. Of a chunk the end is lost, since a whole one may
            // be a frame, and credit with it.
            let when_dropped = match self.has_frames {
                true => grant(&unit),
                false => unit[..unit.len() / 2].to_vec(),
            };
            let grants = self.has_frames && unit[4..6] == [0, 0];
            for operation in self.direction.handle(unit, grants) {
                match operation {
                    Operation::Send(bytes) => self.to.write(&bytes).await?,
                    Operation::Drop if self.has_frames => self.from.write(&when_dropped).await?,
                    Operation::Drop => self.to.write(&when_dropped).await?,
                    Operation::Wait(Duration::ZERO) => tokio::task::yield_now().await,
                    Operation::Wait(time) => sleep(time).await,
                    Operation::End => return Ok(Ended::Quietly),
                    Operation::Reset => return Ok(Ended::Reset),
                    Operation::Stall => {
                        self.journal.wait_for_calm().await;
                        return Ok(Ended::Reset);
                    }
                }
            }
        }
    }

    /// The next frame, or what has come at once; `None` at the end.
    async fn next(&self) -> io::Result<Option<Vec<u8>>> {
        if self.has_frames {
            return read_frame(&self.from.socket).await;
        }
        let mut chunk = vec![0; CHUNK];
        let read = self.from.socket.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }
}

/// The frame that grants credit for `frame` to its sender.
fn grant(frame: &[u8]) -> Vec<u8> {
    let cost = u32::try_from(frame.len() - HEADER + 512).unwrap_or(u32::MAX);
    [&[0, 0, 0, 10, 0, 0], &frame[4..6], &cost.to_be_bytes()[..], &[0; 4]].concat()
}

/// The next frame with its header; `None` at the end.
async fn read_frame(input: &Socket) -> io::Result<Option<Vec<u8>>> {
    let mut frame = vec![0; HEADER];
    match input.read_exact(&mut frame).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    frame.resize(HEADER + length, 0);
    input.read_exact(&mut frame[HEADER..]).await?;
    Ok(Some(frame))
}
