//! A stream over a network path with bandwidth and delay, in simulated time.

use std::{collections::VecDeque, ops::Range, time::Duration};

use crate::portal::{
    limits::{INITIAL_WINDOW, MAX_WINDOW},
    protocol::{
        action::Action,
        message::{Control, Decoded},
        stream::Stream,
    },
};

/// Bytes a millisecond, and milliseconds one way.
struct Path {
    rate: usize,
    one_way: u64,
    reader: usize,
}

/// Bytes that the reader took in the counted time, and the largest window and buffer of the whole
/// run.
struct Run {
    delivered: usize,
    window: u64,
    buffered: u64,
}

fn run(path: Path, counted: Range<u64>) -> Run {
    let mut inlet = Stream::inlet(MAX_WINDOW);
    let Some(Action::Send(Control::Open { limit, .. })) = inlet.poll_action() else {
        panic!("no Open");
    };
    let mut outlet = Stream::outlet(limit, MAX_WINDOW).unwrap();
    outlet.connected();
    let (mut to_outlet, mut to_inlet) = (VecDeque::new(), VecDeque::new());
    let mut run = Run { delivered: 0, window: 0, buffered: 0 };
    for ms in 0..counted.end {
        let arrival = ms + path.one_way;
        let mut budget = path.rate;
        while budget.min(inlet.readable()) > 0 {
            let len = budget.min(inlet.readable()).min(32 * 1024);
            budget -= len;
            let offset = inlet.socket_read(len).unwrap();
            to_outlet.push_back((arrival, Decoded::Data { offset, range: 16..16 + len }));
        }
        while to_outlet.front().is_some_and(|(at, _)| *at <= ms) {
            outlet.handle_message(to_outlet.pop_front().unwrap().1).unwrap();
        }
        run.buffered = run.buffered.max(outlet.buffered());
        let wrote = path.reader.min(outlet.buffered() as usize);
        let rtt = Duration::from_millis(2 * path.one_way);
        outlet.socket_wrote(wrote, Duration::from_millis(ms), rtt).unwrap();
        run.delivered += if counted.contains(&ms) { wrote } else { 0 };
        run.window = run.window.max(outlet.receive_window());
        while let Some(Action::Send(message)) = outlet.poll_action() {
            to_inlet.push_back((arrival, Decoded::Control(message)));
        }
        while to_inlet.front().is_some_and(|(at, _)| *at <= ms) {
            inlet.handle_message(to_inlet.pop_front().unwrap().1).unwrap();
        }
    }
    run
}

#[test]
fn a_stream_fills_a_long_fast_path() {
    let path = || Path { rate: 100_000, one_way: 50, reader: usize::MAX };
    for second in 0..3 {
        let mb = run(path(), second * 1000..(second + 1) * 1000).delivered / 1_000_000;
        println!("second {second}: {mb} MB");
    }
    let steady = run(path(), 2000..6000);
    println!("then {} MB/s with a window of {}", steady.delivered / 4_000_000, steady.window);
    assert!(steady.delivered >= 360_000_000);
    assert!(steady.window <= MAX_WINDOW && steady.buffered <= MAX_WINDOW);
}

#[test]
fn a_slow_reader_keeps_its_first_window() {
    // 1 MB/s over 100 ms needs 100 KB; the sender would send a hundred times as much.
    let slow = run(Path { rate: 100_000, one_way: 50, reader: 1_000 }, 0..20_000);
    assert!(slow.window == INITIAL_WINDOW && slow.buffered <= INITIAL_WINDOW);
    assert!(slow.delivered > 19_000_000);
}

#[test]
fn a_reader_that_stops_holds_one_window() {
    let stalled = run(Path { rate: 100_000, one_way: 50, reader: 0 }, 0..20_000);
    assert_eq!((stalled.window, stalled.buffered), (INITIAL_WINDOW, INITIAL_WINDOW));
}
