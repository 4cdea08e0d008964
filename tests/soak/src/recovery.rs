//! Recovery: from the start of a program until a new connection comes through the tunnel.

use crate::{
    client,
    exchange::{End, Order, Seen},
    traffic::{Traffic, SILENCE},
    verdict::{Figure, Violation},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long that may take.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(5);

/// When to stop waiting: later than allowed, to see how much longer it took.
const GIVE_UP: Duration = Duration::from_secs(20);

/// The pause between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// Bytes each way that have to come through.
const SOME: u64 = 100;

/// Tries until a connection comes through; returns the time since `started`, which must not be too
/// long.
pub(crate) fn await_recovery(traffic: &Traffic, started: Instant) -> Result<Duration, Violation> {
    let whole = Seen { received: SOME, end: End::Fin };
    let took = loop {
        let request = traffic.request(Order::ClientFirst, SOME, SOME);
        let outcome = client::exchange(traffic.inlet, &request, SILENCE);
        let took = started.elapsed();
        if matches!(outcome, Ok(seen) if seen == whole) {
            break took;
        }
        if took > GIVE_UP {
            let text = format!("nothing comes through {took:?} after the start: {outcome:?}");
            return Err(Violation::new(Figure::Kills, text));
        }
        thread::sleep(TRY_AGAIN);
    };
    if took > BACK_WITHIN {
        let text = format!("nothing came through until {took:?} after the start");
        return Err(Violation::new(Figure::Kills, text));
    }
    Ok(took)
}
