//! Runs scripts between clients at one entry and a target, many at a time.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    time::timeout,
};

use super::{
    application::{Application, Bytes},
    expected::History,
    script::{Script, Side},
};
use ockam_actix_harness::{deadline::PATIENCE, pattern::Pattern};

/// Scripts that wait for their connection to the target, by the number that the client sends first.
type Awaited = Arc<Mutex<HashMap<u64, oneshot::Sender<TcpStream>>>>;

/// The number of a bare connection, which sends none.
const BARE: u64 = 0;

/// The target's server, and the patterns of both directions.
pub(super) struct Runner {
    address: SocketAddr,
    awaited: Awaited,
    patterns: [Pattern; 2],
}

impl Runner {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let awaited = Awaited::default();
        tokio::spawn(accept(listener, awaited.clone()));
        Self { address, awaited, patterns: [1, 2].map(Pattern::new) }
    }

    /// Where the target listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs `script` between a client of `entry` and the target; the error is a violation.
    pub(super) async fn run(
        &self,
        entry: SocketAddr,
        script: &Script,
        number: u64,
    ) -> Result<[History; 2], String> {
        let sockets = timeout(PATIENCE, self.connect(entry, script, number));
        let sockets = sockets.await.map_err(|_| "waited for the connection")?;
        let [client, target] = sockets.map_err(|error| error.to_string())?;
        // A prime, so that each script begins elsewhere in the pattern.
        let begin = number * 7_919;
        let [own, other] = [0, 1].map(|side| Bytes { pattern: &self.patterns[side], begin });
        let client = Application::new(client, own, other);
        let target = Application::new(target, other, own);
        let progress = watch::Sender::new(vec![false; script.lines.len()]);
        let (client, target) = tokio::try_join!(
            play(client, Side::Client, script, &progress),
            play(target, Side::Target, script, &progress)
        )?;
        let histories = [client.history(), target.history()];
        for (side, expected) in script.expected.iter().enumerate() {
            if !expected.allows(&histories[side], &histories[1 - side]) {
                let side = Side::BOTH[side];
                return Err(format!("{side:?}: expected {expected:?}, but: {histories:?}"));
            }
        }
        Ok(histories)
    }

    async fn connect(
        &self,
        entry: SocketAddr,
        script: &Script,
        number: u64,
    ) -> std::io::Result<[TcpStream; 2]> {
        let (accepted, target) = oneshot::channel();
        let own = if script.is_bare { BARE } else { number };
        self.awaited.lock().unwrap().insert(own, accepted);
        let mut client = TcpStream::connect(entry).await?;
        client.set_nodelay(true)?;
        if !script.is_bare {
            client.write_u64(number).await?;
        }
        let target = target.await.map_err(std::io::Error::other)?;
        Ok([client, target])
    }
}

async fn accept(listener: TcpListener, awaited: Awaited) {
    while let Ok((mut socket, _)) = listener.accept().await {
        let bare = awaited.lock().unwrap().remove(&BARE);
        if let Some(bare) = bare {
            // An error means that its script was given up, which was reported.
            let _ = bare.send(socket);
            continue;
        }
        let awaited = awaited.clone();
        tokio::spawn(async move {
            let Ok(number) = socket.read_u64().await else { return };
            if let Some(script) = awaited.lock().unwrap().remove(&number) {
                let _ = script.send(socket);
            }
        });
    }
}

/// Plays one side's lines of a script. Returns the application, with its socket, when all are done.
async fn play<'a>(
    mut application: Application<'a>,
    side: Side,
    script: &Script,
    progress: &watch::Sender<Vec<bool>>,
) -> Result<Application<'a>, String> {
    let mut seen = progress.subscribe();
    for (index, line) in script.lines.iter().enumerate().filter(|(_, line)| line.side == side) {
        let step = async {
            if line.in_turn {
                let before = |done: &Vec<bool>| done.iter().take(index).all(|done| *done);
                seen.wait_for(before).await.map_err(|error| error.to_string())?;
            }
            application.perform(line.step).await
        };
        let failed = |why: String| format!("{side:?} {:?}: {why}", line.step);
        let done = timeout(PATIENCE, step).await.unwrap_or_else(|_| Err("hung".into()));
        done.map_err(failed)?;
        progress.send_modify(|done| done[index] = true);
    }
    Ok(application)
}
