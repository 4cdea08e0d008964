//! Figure 11: readers that stop. Memory stays bounded, streams beside them go on, and nothing is
//! lost.

use crate::{
    client,
    exchange::{Order, Request},
    nodes::{Program, Tunnel},
    traffic::{Traffic, SILENCE},
    verdict::{Figure, Violation},
};
use ockam_actix_harness::transfer::receive_all;
use std::{
    io,
    net::TcpStream,
    sync::atomic::Ordering::Relaxed,
    thread,
    time::{Duration, Instant},
};

/// Readers that stop.
pub(crate) const STALLED: u64 = 4;
/// Streams that go on beside them.
pub(crate) const LIVE: u64 = 2;
/// Measurements of the live streams, with and without the others; the median counts.
const ROUNDS: usize = 5;
/// What the live streams must keep of their speed.
pub(crate) const KEEP: f64 = 0.8;
/// Resident bytes that no node may ever exceed.
pub(crate) const MOST_MEMORY: u64 = 64 << 20;
/// Timeout of readers that stop: they stand still for a while.
const PATIENCE: Duration = Duration::from_secs(300);

/// The figures for the report.
pub(crate) struct Stalled {
    /// Bytes offered to all readers together.
    pub(crate) offered: u64,
    /// What the live streams keep.
    pub(crate) kept: f64,
    /// The peak of each program's memory by then.
    pub(crate) peaks: Vec<(Program, u64)>,
    /// Whether speed was measured long enough to judge.
    pub(crate) judged: bool,
}

/// Offers `offered` bytes to readers that stop, beside streams that carry `live` bytes each.
pub(crate) fn run(
    tunnel: &mut Tunnel,
    traffic: &Traffic,
    (offered, live): (u64, u64),
    judged: bool,
) -> Result<Stalled, Violation> {
    let failed = |error: io::Error| Violation::new(Figure::Stall, error);
    let alone = speed(traffic, live)?;
    let requests: Vec<Request> =
        (0..STALLED).map(|_| traffic.request(Order::TargetFirst, 0, offered / STALLED)).collect();
    let open = |request| client::open(traffic.inlet, request, PATIENCE);
    let streams: Vec<TcpStream> =
        requests.iter().map(open).collect::<io::Result<_>>().map_err(failed)?;
    traffic.opened.fetch_add(STALLED, Relaxed);
    let beside = speed(traffic, live)?;
    resume(traffic, &requests, streams).map_err(failed)?;
    // Other work on the machine may have come or gone meanwhile: the slower of the two counts.
    let alone = alone.min(speed(traffic, live)?);
    let stalled = Stalled { offered, kept: beside / alone, peaks: tunnel.peaks(), judged };
    stalled.judge()?;
    Ok(stalled)
}

/// Bytes a second of all live streams together.
fn speed(traffic: &Traffic, live: u64) -> Result<f64, Violation> {
    let round = |_| {
        let begun = Instant::now();
        thread::scope(|scope| {
            let carry = || traffic.carry(Order::TargetFirst, 0, live);
            let streams: Vec<_> = (0..LIVE).map(|_| scope.spawn(carry)).collect();
            streams.into_iter().try_for_each(|live| live.join().expect("carrying does not panic"))
        })?;
        Ok((LIVE * live) as f64 / begun.elapsed().as_secs_f64())
    };
    let mut rounds: Vec<f64> = (0..ROUNDS).map(round).collect::<Result<_, Violation>>()?;
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[ROUNDS / 2])
}

/// Reads all that was held back, all streams at a time, and checks every byte.
fn resume(traffic: &Traffic, requests: &[Request], streams: Vec<TcpStream>) -> io::Result<()> {
    let read = |request: &Request, stream: TcpStream| {
        stream.set_read_timeout(Some(SILENCE))?;
        let mut received = 0;
        receive_all(&stream, request.down, &request.downward(), &mut received).map_err(
            |error| {
                let text = format!("{request:?} broke after {received} bytes: {error}");
                io::Error::other(text)
            },
        )?;
        traffic.bytes.fetch_add(received, Relaxed);
        Ok(())
    };
    thread::scope(|scope| {
        let readers: Vec<_> = requests
            .iter()
            .zip(streams)
            .map(|(request, stream)| scope.spawn(move || read(request, stream)))
            .collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("reading does not panic"))
    })
}

/// Fails if a node had more memory than any may.
pub(crate) fn judge_memory(peaks: &[(Program, u64)]) -> Result<(), Violation> {
    match peaks.iter().find(|(_, peak)| *peak >= MOST_MEMORY) {
        Some((program, peak)) => {
            let text = format!("the {program} had {:.1} MB resident", *peak as f64 / 1e6);
            Err(Violation::new(Figure::Stall, text))
        }
        None => Ok(()),
    }
}

impl Stalled {
    fn judge(&self) -> Result<(), Violation> {
        judge_memory(&self.peaks)?;
        if self.judged && self.kept < KEEP {
            let text = format!("streams beside keep {:.0} % of their speed", self.kept * 100.0);
            return Err(Violation::new(Figure::Stall, text));
        }
        Ok(())
    }
}
