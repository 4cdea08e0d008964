//! Readers that stop: do they slow down readers that go on, does memory stay bounded, and does
//! everything arrive in the end?

use crate::{
    client::{self, Direction},
    figures::{Answer, Figure},
    measure,
    options::Options,
    summary::median,
    target::{self, HOLD, RELEASE, SOURCE},
    tunnel::{self, parse, Kind, Running},
};
use ockam_actix_harness::{process::Process, table::table, usage};
use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

/// Resident bytes that every process must stay below to the end: 64 MiB.
const BOUND: u64 = 64 << 20;
/// Timeout of streams that are meant to stand still.
const STILL: std::time::Duration = std::time::Duration::from_secs(300);

/// Measures the chosen tunnels, the floor and step 03 unless told otherwise.
pub(crate) fn run(options: &Options) -> io::Result<Answer> {
    let heading = [
        "tunnel",
        "direction",
        "live alone GB/s",
        "beside stalled GB/s",
        "keeps",
        "MB before",
        "MB while stalled",
        "MB in the end",
        "below 64 MiB each",
        "after resuming",
    ];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    let (mut notes, mut figures) = (String::new(), Vec::new());
    for kind in tunnel::chosen(options, ["floor", "step03"])? {
        for direction in [Direction::Up, Direction::Down] {
            eprintln!("{}: {} readers that stop, {direction:?}", kind.name, options.stalled);
            match measure_direction(kind, direction, options, &mut figures) {
                Ok(line) => lines.push(line),
                Err(error) => {
                    notes += &format!("\n{}, {direction:?}, is left out: {error}\n", kind.name)
                }
            }
        }
    }
    let (stalled, live, offered) = (options.stalled, options.live, options.offer);
    let text = format!(
        "Streams whose reader stops: {stalled}, and {offered} GiB are offered to each; beside them, \
         live streams: {live}. All bytes of all of them are checked by their offset. Memory is the \
         peak of each process so far.\n\n{}{notes}",
        table(&lines)
    );
    Ok(Answer { text, figures })
}

fn measure_direction(
    kind: &Kind,
    direction: Direction,
    options: &Options,
    figures: &mut Vec<Figure>,
) -> io::Result<Vec<String>> {
    let (_target, address) = Process::role("target", "target", &[])?;
    let target = parse(&address)?;
    let running = kind.start(target, options)?;
    let alone = live(&running, direction, options)?;
    let before = Peaks::of(&running);
    let offered = options.offer << 30;
    let stalled = (0..options.stalled).map(|_| Stalled::start(running.listen, direction, offered));
    let stalled: Vec<Stalled> = stalled.collect::<io::Result<_>>()?;
    let beside = live(&running, direction, options).map_err(|error| error.to_string());
    let during = Peaks::of(&running);
    let resumed = resume(target, stalled, offered);
    let after = Peaks::of(&running);
    let name = format!("{direction:?}").to_lowercase();
    let of = |figure: String, unit, value| {
        Figure::new("stall", kind.name, (format!("{name}, {figure}"), unit), value)
    };
    figures.push(of("live alone".to_owned(), "GB/s", alone));
    figures.extend(beside.iter().map(|rate| of("beside stalled".to_owned(), "GB/s", *rate)));
    let peaks = after.0.iter();
    figures.extend(
        peaks.map(|(title, peak)| of(format!("peak memory, {title}"), "MB", *peak as f64 / 1e6)),
    );
    figures.push(of("all bytes, in order".to_owned(), "yes", f64::from(resumed.is_ok())));
    Ok(vec![
        kind.name.to_owned(),
        name.clone(),
        format!("{alone:.2}"),
        beside.as_ref().map_or_else(String::clone, |rate| format!("{rate:.2}")),
        beside
            .map_or_else(|_| "nothing".to_owned(), |rate| format!("{:.0} %", rate / alone * 100.0)),
        before.text(),
        during.text(),
        after.text(),
        if after.all_below(BOUND) { "yes" } else { "no" }.to_owned(),
        resumed.map_or_else(|error| error.to_string(), |()| "all bytes, in order".to_owned()),
    ])
}

/// The median rate of all live streams together.
fn live(running: &Running, direction: Direction, options: &Options) -> io::Result<f64> {
    let rate = |_| {
        let run = measure::carry(running, direction, options.live.into(), options.bytes())?;
        Ok(run.gigabytes_per_second())
    };
    let rates: Vec<f64> = (0..options.rounds()).map(rate).collect::<io::Result<_>>()?;
    median(rates).ok_or_else(|| io::Error::other("no rounds"))
}

/// The most memory that each process has had resident so far, in bytes.
struct Peaks(Vec<(String, u64)>);

impl Peaks {
    fn of(running: &Running) -> Self {
        let peak =
            |process: &Process| (process.title().to_owned(), usage::peak_memory(process.id()));
        Self(running.processes.iter().map(peak).collect())
    }

    fn text(&self) -> String {
        let one = |(title, bytes): &(String, u64)| format!("{title} {:.1}", *bytes as f64 / 1e6);
        self.0.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn all_below(&self, bound: u64) -> bool {
        // A process that has ended reports no memory.
        self.0.iter().all(|(_, bytes)| (1..bound).contains(bytes))
    }
}

/// A stream whose sender writes all that it can, and whose reader does not read.
struct Stalled {
    stream: TcpStream,
    /// Uploads need a writer on this side; downloads are written by the target.
    sender: Option<thread::JoinHandle<io::Result<()>>>,
}

impl Stalled {
    fn start(address: SocketAddr, direction: Direction, offered: u64) -> io::Result<Self> {
        let service = match direction {
            Direction::Up => HOLD,
            Direction::Down => SOURCE,
        };
        let mut stream = client::open(address, service, offered)?;
        stream.set_read_timeout(Some(STILL))?;
        stream.set_write_timeout(Some(STILL))?;
        let mut writer = stream.try_clone()?;
        let sender = match direction {
            Direction::Up => Some(thread::spawn(move || target::send(&mut writer, offered))),
            Direction::Down => {
                stream.write_all(&[0])?;
                None
            }
        };
        Ok(Self { stream, sender })
    }

    /// Reads and checks all that was held back; of an upload the target does so and reports the
    /// count.
    fn resume(mut self, offered: u64) -> io::Result<()> {
        let Some(sender) = self.sender else {
            return client::receive_all(&mut self.stream, offered);
        };
        sender.join().expect("sending does not panic")?;
        client::expect_count(&mut self.stream, offered)
    }
}

fn resume(target: SocketAddr, stalled: Vec<Stalled>, offered: u64) -> io::Result<()> {
    // Straight to the target, not through the tunnel under test.
    client::open(target, RELEASE, 0)?;
    thread::scope(|scope| {
        let readers: Vec<_> = stalled
            .into_iter()
            .map(|stalled| scope.spawn(move || stalled.resume(offered)))
            .collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("reading does not panic"))
    })
}
