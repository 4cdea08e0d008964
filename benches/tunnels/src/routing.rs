//! Growth inside a node: entries in the routing table, and hops that a message passes; in this
//! process, without sockets.

use crate::{
    entries::{Asked, Filled, NUMBERS},
    figures::Figure,
    ring,
    summary::median,
};
use ockam_actix_harness::table::table;
use std::time::Instant;

/// Hops to compare: addresses on the route, of which a message may name 16.
const HOPS: [usize; 5] = [1, 2, 4, 8, 16];
/// Deliveries in one timing, which takes tenths of a second.
const DELIVERIES: usize = 1_000_000;
/// Look-ups in one timing, which takes tenths of a second, too.
const FINDS: u64 = 2_000_000;
/// Timings, the median of which is the figure.
const ROUNDS: usize = 9;

/// The measurements, ready to be shown.
pub(crate) struct Routing {
    /// Nanoseconds to find an entry, by entries: a few busy ones, and each in turn.
    finds: [Vec<(usize, f64)>; 2],
    /// Nanoseconds of each hop, by hops: with one arbiter, and with two, which share the hops.
    hops: [Vec<(usize, f64)>; 2],
}

impl Routing {
    /// Measures both.
    pub(crate) fn measure() -> Self {
        eprintln!("routing: entries and hops");
        let finds = [Asked::Busy, Asked::All].map(|asked| {
            let nanoseconds = |entries: usize| {
                let filled = Filled::new(entries, asked);
                // The first ones fill the caches.
                filled.find(FINDS / 4);
                medians(|| {
                    let begun = Instant::now();
                    filled.find(FINDS);
                    begun.elapsed().as_secs_f64() * 1e9 / FINDS as f64
                })
            };
            NUMBERS.map(|entries| (entries, nanoseconds(entries))).to_vec()
        });
        let mut hops = [Vec::new(), Vec::new()];
        for number in HOPS {
            let [one, two] = hop_nanoseconds(number);
            hops[0].push((number, one));
            hops[1].push((number, two));
        }
        Self { finds, hops }
    }

    /// The measurements as tables.
    pub(crate) fn text(&self) -> String {
        let mut finds =
            vec![["entries", "64 busy ones, ns", "each in turn, ns"].map(str::to_owned).to_vec()];
        let [busy, all] = &self.finds;
        for ((entries, busy), (_, all)) in busy.iter().zip(all) {
            finds.push(vec![entries.to_string(), format!("{busy:.0}"), format!("{all:.0}")]);
        }
        let heading = [
            "hops",
            "one arbiter, ns for each hop",
            "two arbiters, ns",
            "messages a second with one",
            "with two",
            "two to one",
        ];
        let mut hops = vec![heading.map(str::to_owned).to_vec()];
        let [one, two] = &self.hops;
        for ((number, one), (_, two)) in one.iter().zip(two) {
            let rate = |nanoseconds: &f64| format!("{:.0}", 1e9 / nanoseconds / *number as f64);
            hops.push(vec![
                number.to_string(),
                format!("{one:.0}"),
                format!("{two:.0}"),
                rate(one),
                rate(two),
                format!("{:.2}", one / two),
            ]);
        }
        format!(
            "Finding an entry of the routing table, medians of {ROUNDS}:\n\n{}\n\
             64-byte messages over so many local hops, 64 under way on each arbiter, medians of \
             {ROUNDS} with one and two arbiters in turn:\n\n{}",
            table(&finds),
            table(&hops)
        )
    }

    /// The measurements for programs: nanoseconds, by the number of entries or hops.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let finds = ["64 busy entries", "each in turn"].into_iter().zip(&self.finds);
        let hops = ["one arbiter", "two arbiters"].into_iter().zip(&self.hops);
        let all = finds.map(|of| ("finding an entry", of)).chain(hops.map(|of| ("hop", of)));
        let figures = all.flat_map(|(figure, (row, points))| {
            points.iter().map(move |(number, nanoseconds)| {
                Figure::new("routing", row, (figure, "ns"), *nanoseconds).at(*number)
            })
        });
        figures.collect()
    }
}

/// With one arbiter and with two, in turn, so that a slow minute of the machine falls on both.
fn hop_nanoseconds(hops: usize) -> [f64; 2] {
    let laps = DELIVERIES / hops;
    // A lap ends at its source, which is a hop, too.
    let once = |arbiters: usize| {
        let taken = ring::time(arbiters, hops - 1, laps as u64).as_secs_f64();
        taken * 1e9 / (laps * hops * arbiters) as f64
    };
    let (one, two): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| (once(1), once(2))).unzip();
    [one, two].map(|rounds| median(rounds).expect("there are rounds"))
}

fn medians(mut measured: impl FnMut() -> f64) -> f64 {
    median((0..ROUNDS).map(|_| measured())).expect("there are rounds")
}
