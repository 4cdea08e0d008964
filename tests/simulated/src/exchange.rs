//! Clients and the target: each side sends bytes that show where they belong, checks what it gets,
//! and notes both.

use std::{io, pin::pin, time::Duration};

use futures::future::{join, select};
use ockam::testing::{Host, Listener, Network, Stream};
use ockam_actix_harness::pattern::Pattern;
use tokio::{
    io::{split, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    task::JoinHandle,
    time::sleep,
};

use crate::history::{Direction, End, History, Noted};

/// Bytes of what the client tells the target, before its own bytes: the number, the amount that it
/// asks for, and how slowly the target is to read.
const HEADER: usize = 24;

/// Writes of one client at most, so that it is done within minutes also with pauses.
const MOST_CHUNKS: u64 = 100;

/// What one client sends and asks for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of the exchange.
    pub number: u64,
    /// Bytes that the client sends.
    pub up: u64,
    /// Bytes that the target sends.
    pub down: u64,
    /// Bytes of each write.
    pub chunk: u64,
    /// The pause after each write.
    pub pause: Duration,
    /// The target's pause after each read.
    pub drag: Duration,
    /// Whether the client closes its connection halfway.
    pub gives_up: bool,
}

impl Plan {
    /// A plan by chance: from a short question to a long transfer.
    pub fn random(net: &Network, number: u64) -> Self {
        let amount = |net: &Network| net.random(1 << (4 + net.random(16)));
        let pause = Duration::from_millis(net.random(1 << net.random(11)));
        let (up, down) = (amount(net), amount(net));
        let chunk = 1 + amount(net) / 4 + up / MOST_CHUNKS;
        let drag = Duration::from_millis(net.random(4) / 3 * net.random(50));
        Self { number, up, down, chunk, pause, drag, gives_up: net.random(6) == 0 }
    }

    /// A question and an answer.
    pub fn short(number: u64) -> Self {
        let [pause, drag] = [Duration::ZERO; 2];
        Self { number, up: 1_000, down: 3_000, chunk: 500, pause, drag, gives_up: false }
    }

    fn header(&self) -> [u8; HEADER] {
        let drag = u64::try_from(self.drag.as_millis()).unwrap();
        let mut header = [0; HEADER];
        for (field, value) in header.chunks_mut(8).zip([self.number, self.down, drag]) {
            field.copy_from_slice(&value.to_be_bytes());
        }
        header
    }
}

/// The bytes of a direction.
fn pattern(number: u64, is_up: bool) -> Pattern {
    Pattern::new(2 * number + u64::from(is_up))
}

type Choose = fn(&mut Noted) -> &mut Direction;

fn up(noted: &mut Noted) -> &mut Direction {
    &mut noted.up
}

fn down(noted: &mut Noted) -> &mut Direction {
    &mut noted.down
}

/// One direction of an exchange, at one of its ends.
#[derive(Clone)]
struct Way {
    history: History,
    number: u64,
    choose: Choose,
    pattern: Pattern,
}

impl Way {
    fn up(history: &History, number: u64) -> Self {
        Self { history: history.clone(), number, choose: up, pattern: pattern(number, true) }
    }

    fn down(history: &History, number: u64) -> Self {
        Self { history: history.clone(), number, choose: down, pattern: pattern(number, false) }
    }

    fn note(&self, change: impl FnOnce(&mut Direction)) {
        self.history.note(self.number, |noted| change((self.choose)(noted)));
    }

    async fn write(&self, writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = writer.write(rest).await?;
            self.note(|direction| direction.sent += written as u64);
            rest = &rest[written..];
        }
        Ok(())
    }

    /// Sends `amount` bytes and the end.
    async fn send(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        amount: u64,
        (chunk, pause): (u64, Duration),
    ) -> io::Result<()> {
        let mut offset = 0;
        while offset < amount {
            let bytes = self.pattern.bytes(offset, chunk.min(amount - offset) as usize);
            self.write(writer, &bytes).await?;
            offset += bytes.len() as u64;
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
        // Noted first: the reader may see it before this returns.
        self.note(|direction| direction.was_ended = true);
        writer.shutdown().await
    }

    /// Notes how writing ended. A system tells an error once: to the writer or to the reader, who
    /// then sees an end.
    fn ended(&self, sent: io::Result<()>) {
        if let Err(error) = sent {
            self.note(|direction| direction.end = Some(End::Error(error.kind().to_string())));
        }
    }

    /// Reads to the end, with a pause after each read; `skipped` bytes were read before.
    async fn receive(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        skipped: usize,
        pause: Duration,
    ) {
        let (mut buffer, mut offset) = (vec![0; 16 * 1024], 0);
        self.note(|direction| direction.received += skipped as u64);
        let end = loop {
            match reader.read(&mut buffer).await {
                Ok(0) => break End::Clean,
                Ok(read) => {
                    let wrong = self.pattern.check(offset, &buffer[..read]).err();
                    offset += read as u64;
                    self.note(|direction| {
                        direction.received += read as u64;
                        direction.wrong_at = direction.wrong_at.or(wrong);
                    });
                    if !pause.is_zero() {
                        sleep(pause).await;
                    }
                }
                Err(error) => break End::Error(error.kind().to_string()),
            }
        };
        self.note(|direction| direction.end = Some(end));
    }
}

/// Runs one client of the inlet at `inlet`, on `host`.
pub async fn client(host: Host, inlet: String, history: History, plan: Plan) {
    let connected = host.connect_to(&inlet).await;
    let (sending, receiving) = (Way::up(&history, plan.number), Way::down(&history, plan.number));
    let stream = match connected {
        Ok(stream) => stream,
        Err(error) => {
            let end = End::Error(error.kind().to_string());
            return receiving.note(|direction| direction.end = Some(end));
        }
    };
    let (mut reader, mut writer) = split(stream);
    let receive = receiving.receive(&mut reader, 0, Duration::ZERO);
    if plan.gives_up {
        let send = async {
            sending.write(&mut writer, &plan.header()).await?;
            sending.write(&mut writer, &sending.pattern.bytes(0, plan.up as usize / 2)).await?;
            sleep(plan.pause).await;
            io::Result::Ok(())
        };
        select(pin!(send), pin!(receive)).await;
        // Closing is an end too, unless bytes of the target are left unread.
        return sending.note(|direction| direction.was_ended = true);
    }
    let send = async {
        sending.write(&mut writer, &plan.header()).await?;
        sending.send(&mut writer, plan.up, (plan.chunk, plan.pause)).await
    };
    let (sent, ()) = join(send, receive).await;
    receiving.ended(sent);
}

/// Serves the clients that come through the outlet, until it is aborted.
pub fn target(host: &Host, address: &str, history: &History) -> JoinHandle<()> {
    let listener = host.listen_on(address).unwrap();
    actix_rt::spawn(accept(listener, history.clone()))
}

async fn accept(listener: Listener, history: History) {
    while let Ok((stream, _)) = listener.accept().await {
        actix_rt::spawn(serve(stream, history.clone()));
    }
}

async fn serve(stream: Stream, history: History) {
    let (mut reader, mut writer) = split(stream);
    let mut header = [0; HEADER];
    if reader.read_exact(&mut header).await.is_err() {
        // It was ended before anybody knew which one it was.
        return;
    }
    let field = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().unwrap());
    let (number, amount, drag) = (field(0), field(8), Duration::from_millis(field(16)));
    let (sending, receiving) = (Way::down(&history, number), Way::up(&history, number));
    let send = sending.send(&mut writer, amount, (4_000, Duration::from_millis(3)));
    let (sent, ()) = join(send, receiving.receive(&mut reader, HEADER, drag)).await;
    receiving.ended(sent);
}
