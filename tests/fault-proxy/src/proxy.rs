//! The proxy between two nodes: accepts connections, opens one of its own for each, and passes
//! frames as the scripts say.

use std::{
    fmt::Write,
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpListener, TcpStream,
    },
    sync::{watch, Mutex},
    task::JoinHandle,
    time::sleep,
};

use crate::{
    fault::Fault,
    script::{Operation, Script, HEADER},
};

/// Bytes of the longest frame that is passed, far more than nodes send.
const MAX_FRAME: usize = 1 << 20;

/// A running proxy; dropping it cuts its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    fault: Fault,
    seed: u64,
    begun: Instant,
    log: std::sync::Mutex<String>,
    faults: std::sync::Mutex<usize>,
    /// Whether it passes everything on unchanged.
    calm: watch::Sender<bool>,
}

impl Proxy {
    /// Listens on `listen` and passes what comes on to `upstream`.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub async fn start(
        listen: SocketAddr,
        upstream: SocketAddr,
        fault: Fault,
        seed: u64,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let shared = Arc::new(Shared {
            upstream,
            fault,
            seed,
            begun: Instant::now(),
            log: std::sync::Mutex::default(),
            faults: std::sync::Mutex::default(),
            calm: watch::Sender::new(false),
        });
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many frames met the fault.
    pub fn faults(&self) -> usize {
        *self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was done, a line each: microseconds, connection, direction, frame, bytes, operation.
    pub fn log(&self) -> String {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on there are no faults; connections that met one are reset.
    pub fn calm(&self) {
        self.shared.calm.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        // Stalled connections wait for this, and then close.
        self.shared.calm.send_replace(true);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut number = 0;
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, number, shared.clone()));
        number += 1;
    }
}

/// Passes one connection's frames in both directions until one of them is over.
async fn pass(client: TcpStream, number: u64, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.upstream).await else { return };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let ((client_in, client_out), (server_in, server_out)) =
        (client.into_split(), server.into_split());
    let [client_out, server_out] = [client_out, server_out].map(|half| Arc::new(Mutex::new(half)));
    let pump = |name, input, output, back| {
        let up = u64::from(name == "up");
        let seed = shared.seed ^ ((2 * number + up) << 40);
        let script = Script::new(shared.fault, seed);
        let label = format!("{number} {name}");
        let shared = shared.clone();
        Pump { label, input, output, back, script, frame: 0, faulty: false, shared }
    };
    let mut up = pump("up", client_in, server_out.clone(), client_out.clone());
    let mut down = pump("down", server_in, client_out.clone(), server_out.clone());
    let reset = tokio::select! {
        ended = up.run() => ended,
        ended = down.run() => ended,
    };
    if matches!(reset, Ok(Ended::Reset)) {
        for output in [client_out, server_out] {
            let _ = output.lock().await.as_ref().set_zero_linger();
        }
    }
}

/// How a direction ended.
enum Ended {
    Quietly,
    Reset,
}

/// One direction.
struct Pump {
    label: String,
    input: OwnedReadHalf,
    output: Arc<Mutex<OwnedWriteHalf>>,
    /// The way back to the sender.
    back: Arc<Mutex<OwnedWriteHalf>>,
    script: Script,
    frame: usize,
    faulty: bool,
    shared: Arc<Shared>,
}

impl Pump {
    async fn run(&mut self) -> io::Result<Ended> {
        let mut calm = self.shared.calm.subscribe();
        loop {
            let frame = tokio::select! {
                frame = read_frame(&mut self.input) => frame?,
                _ = calm.wait_for(|calm| *calm && self.faulty) => return Ok(Ended::Reset),
            };
            let Some(frame) = frame else { return Ok(Ended::Quietly) };
            // Credit is a matter of each connection, and a hub that hurts its peers keeps to that:
            // a frame that it drops has moved on.
            let grants = frame[4..6] == [0, 0];
            let grant = grant(&frame);
            let operations = if grants || *self.shared.calm.borrow() {
                vec![Operation::Send(frame)]
            } else {
                let length = frame.len();
                let (operations, due) = self.script.handle_frame(frame);
                if due {
                    self.faulty = true;
                    self.note(length);
                }
                operations
            };
            self.frame += 1;
            for operation in operations {
                match operation {
                    Operation::Send(bytes) => self.output.lock().await.write_all(&bytes).await?,
                    Operation::Drop => self.back.lock().await.write_all(&grant).await?,
                    Operation::Wait(Duration::ZERO) => tokio::task::yield_now().await,
                    Operation::Wait(time) => sleep(time).await,
                    Operation::End => return Ok(Ended::Quietly),
                    Operation::Reset => return Ok(Ended::Reset),
                    Operation::Stall => {
                        let _ = calm.wait_for(|calm| *calm).await;
                        return Ok(Ended::Reset);
                    }
                }
            }
        }
    }

    fn note(&self, length: usize) {
        let Self { label, frame, shared, .. } = self;
        let (after, fault) = (shared.begun.elapsed().as_micros(), shared.fault);
        let mut log = shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(log, "{after} {label} frame {frame} {length} bytes {fault}");
        *shared.faults.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
}

/// The frame that grants credit for `frame` to its sender.
fn grant(frame: &[u8]) -> Vec<u8> {
    let cost = u32::try_from(frame.len() - HEADER + 512).unwrap_or(u32::MAX);
    [&[0, 0, 0, 10, 0, 0], &frame[4..6], &cost.to_be_bytes()[..], &[0; 4]].concat()
}

/// The next frame with its header; `None` at the end.
async fn read_frame(input: &mut OwnedReadHalf) -> io::Result<Option<Vec<u8>>> {
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
