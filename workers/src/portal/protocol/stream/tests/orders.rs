//! Every order of FIN and RST, against a small model of TCP; and the single rules of a stream's
//! end, by name.

use std::{collections::VecDeque, time::Duration};

use crate::portal::{
    limits::{EARLY_CREDIT, INITIAL_WINDOW},
    protocol::{
        action::{Action, End},
        message::{Control, Decoded},
        offset::{Limit, Offset},
        reason::{ResetReason, StreamRefusal},
        stream::{
            tests::link::{Pair, Seen, INLET, OUTLET},
            Stream,
        },
        violation::Violation,
    },
};

const CAPS: [u64; 2] = [1 << 20; 2];
const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Fin,
    Rst,
}

/// A connection without a tunnel, after RFC 9293: segments in order; a RST is noticed by an end
/// that has not both sent and seen FIN.
#[derive(Default)]
struct Tcp {
    sent_fin: [bool; 2],
    seen_fin: [bool; 2],
    /// The end was reset, by its own application or by the other.
    closed: [bool; 2],
    told: [bool; 2],
    /// A byte that arrived and that the application has read.
    read: [bool; 2],
    wire: [VecDeque<Segment>; 2],
}

impl Tcp {
    fn is_over(&self, at: usize) -> bool {
        self.closed[at] || (self.sent_fin[at] && self.seen_fin[at])
    }

    fn fin(&mut self, at: usize) {
        if !self.closed[at] && !self.sent_fin[at] {
            self.sent_fin[at] = true;
            self.wire[1 - at].push_back(Segment::Fin);
        }
    }

    fn rst(&mut self, at: usize) {
        if !self.is_over(at) {
            self.wire[1 - at].push_back(Segment::Rst);
        }
        self.closed[at] = true;
    }

    fn arrive(&mut self, at: usize) {
        match self.wire[at].pop_front() {
            None => {}
            Some(_) if self.is_over(at) => {}
            Some(Segment::Fin) => self.seen_fin[at] = true,
            Some(Segment::Rst) => (self.closed[at], self.told[at]) = (true, true),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Letter {
    Fin(usize),
    Rst(usize),
    Arrive(usize),
    Read(usize),
}

const LETTERS: [Letter; 8] = [
    Letter::Fin(0),
    Letter::Fin(1),
    Letter::Rst(0),
    Letter::Rst(1),
    Letter::Arrive(0),
    Letter::Arrive(1),
    Letter::Read(0),
    Letter::Read(1),
];

fn words(len: u32) -> impl Iterator<Item = Vec<Letter>> {
    (0..8usize.pow(len)).map(move |mut number| {
        let mut letter = || {
            let letter = LETTERS[number % 8];
            number /= 8;
            letter
        };
        (0..len).map(|_| letter()).collect()
    })
}

#[test]
fn every_order_of_fin_and_rst_matches_tcp() {
    for word in (0..=6).flat_map(words) {
        // One byte waits for each application from the start.
        let mut pair = Pair::open([vec![1], vec![2]], CAPS);
        for at in [INLET, OUTLET] {
            pair.read(at, 1);
            pair.carry(1 - at);
        }
        let mut tcp = Tcp::default();
        for letter in &word {
            match *letter {
                Letter::Fin(at) => {
                    pair.eof(at);
                    tcp.fin(at);
                }
                Letter::Rst(at) => {
                    pair.reset(at);
                    tcp.rst(at);
                }
                Letter::Arrive(at) => {
                    pair.carry(at);
                    tcp.arrive(at);
                }
                Letter::Read(at) => {
                    pair.write(at, 1, MS);
                    tcp.read[at] |= !tcp.closed[at];
                }
            }
        }
        for at in [INLET, OUTLET] {
            let side = &pair.sides[at];
            let over = tcp.closed[at] || (tcp.is_over(at) && tcp.read[at]);
            assert_eq!(side.end.is_some(), over, "{word:?} at {at}");
            let expected = match (tcp.told[at], tcp.seen_fin[at] && tcp.read[at]) {
                (true, _) => Seen::Reset,
                (false, true) => Seen::Eof,
                (false, false) => Seen::Nothing,
            };
            // What an application that reset its own connection still sees of it does not matter.
            assert!(side.gone || side.seen == expected, "{word:?} at {at}: {:?}", side.seen);
        }
    }
}

fn actions(stream: &mut Stream) -> Vec<Action> {
    std::iter::from_fn(|| stream.poll_action()).collect()
}

/// The actions of a stream that resets itself.
fn reset_here(reason: ResetReason) -> [Action; 3] {
    let message = Action::Send(Control::Reset { reason });
    [message, Action::ResetSocket, Action::Finished(End::Here(reason))]
}

fn control(stream: &mut Stream, message: Control<'static>) -> Result<(), Violation> {
    stream.handle_message(Decoded::Control(message)).map(|_| ())
}

fn some_data(stream: &mut Stream, at: u64, len: usize) -> Result<(), Violation> {
    let data = Decoded::Data { offset: Offset::new(at), range: 16..16 + len };
    stream.handle_message(data).map(|_| ())
}

fn fin(at: u64) -> Control<'static> {
    Control::Fin { offset: Offset::new(at) }
}

fn open_outlet() -> Stream {
    let mut stream = Stream::outlet(Limit::new(1 << 20), 1 << 20).unwrap();
    stream.connected();
    actions(&mut stream);
    stream
}

#[test]
fn a_half_closed_stream_still_carries_the_answer() {
    let mut pair = Pair::open([b"request".to_vec(), b"answer".to_vec()], CAPS);
    pair.read(INLET, 100);
    pair.eof(INLET);
    while pair.carry(OUTLET) {}
    assert_eq!(pair.sides[OUTLET].seen, Seen::Nothing, "the end waits for the bytes");
    pair.write(OUTLET, 100, MS);
    assert_eq!(pair.sides[OUTLET].seen, Seen::Eof);
    pair.read(OUTLET, 100);
    pair.eof(OUTLET);
    while pair.carry(INLET) {}
    pair.write(INLET, 100, MS);
    for side in &pair.sides {
        assert_eq!((side.seen, side.end), (Seen::Eof, Some(End::Clean)));
    }
    assert_eq!(pair.sides[INLET].got, b"answer");
}

#[test]
fn a_reset_overtakes_waiting_bytes_and_a_fin() {
    let mut stream = open_outlet();
    some_data(&mut stream, 0, 1000).unwrap();
    control(&mut stream, fin(1000)).unwrap();
    assert_eq!(actions(&mut stream), []);
    control(&mut stream, Control::Reset { reason: ResetReason::ByApplication }).unwrap();
    let end = End::ByPeer(ResetReason::ByApplication);
    assert_eq!(actions(&mut stream), [Action::ResetSocket, Action::Finished(end)]);
    assert_eq!(stream.buffered(), 0);
    stream.socket_wrote(500, MS, MS).unwrap();
    assert_eq!(actions(&mut stream), []);
}

#[test]
fn only_the_applications_reset_sends_a_due_fin() {
    let mut stream = open_outlet();
    stream.socket_eof();
    stream.socket_reset();
    let [reset, close, finished] = reset_here(ResetReason::ByApplication);
    assert_eq!(actions(&mut stream), [Action::Send(fin(0)), reset, close, finished]);
    let mut stream = open_outlet();
    stream.socket_eof();
    stream.stop(ResetReason::Stopped);
    assert_eq!(actions(&mut stream), reset_here(ResetReason::Stopped));
}

#[test]
fn after_both_fins_reset_and_loss_take_nothing() {
    for lost in [false, true] {
        let mut stream = open_outlet();
        some_data(&mut stream, 0, 1000).unwrap();
        control(&mut stream, fin(1000)).unwrap();
        stream.socket_eof();
        assert_eq!(actions(&mut stream), [Action::Send(fin(0))]);
        let reset = Control::Reset { reason: ResetReason::ByApplication };
        match lost {
            true => stream.give_up(),
            false => control(&mut stream, reset).unwrap(),
        }
        assert_eq!(actions(&mut stream), []);
        stream.socket_wrote(1000, MS, MS).unwrap();
        let expected = [Action::ShutdownWrite, Action::Finished(End::Clean)];
        assert_eq!(actions(&mut stream), expected);
    }
}

#[test]
fn a_loss_before_the_fin_is_a_reset() {
    let mut stream = open_outlet();
    some_data(&mut stream, 0, 10).unwrap();
    stream.socket_wrote(10, MS, MS).unwrap();
    stream.give_up();
    let end = End::Here(ResetReason::PathLost);
    assert_eq!(actions(&mut stream), [Action::ResetSocket, Action::Finished(end)]);
}

#[test]
fn due_credit_survives_further_writes_before_the_poll() {
    let mut stream = open_outlet();
    some_data(&mut stream, 0, 200_000).unwrap();
    stream.socket_wrote(150_000, 900 * MS, MS).unwrap();
    stream.socket_wrote(10, 900 * MS, MS).unwrap();
    let limit = Limit::new(150_000 + INITIAL_WINDOW);
    assert_eq!(actions(&mut stream), [Action::Send(Control::Window { limit })]);
}

#[test]
fn early_data_and_ends_wait_for_the_target() {
    let mut pair = Pair::new([vec![7; 100_000], Vec::new()], CAPS);
    while pair.read(INLET, 30_000) {}
    assert_eq!(pair.sides[INLET].sent as u64, EARLY_CREDIT);
    while pair.carry(OUTLET) {}
    assert_eq!(pair.sides[OUTLET].stream.as_ref().unwrap().buffered(), EARLY_CREDIT);
    assert!(!pair.write(OUTLET, 10, MS));
    pair.connect();
    pair.carry(INLET);
    while pair.read(INLET, 30_000) {}
    assert_eq!(pair.sides[INLET].sent, 100_000);

    let mut short = Pair::new(Default::default(), CAPS);
    short.eof(INLET);
    while short.carry(OUTLET) {}
    assert_eq!(short.sides[OUTLET].seen, Seen::Nothing);
    short.connect();
    assert_eq!(short.sides[OUTLET].seen, Seen::Eof);
}

#[test]
fn a_refusal_resets_the_client_with_its_reason() {
    let mut pair = Pair::new([vec![7; 100], Vec::new()], CAPS);
    pair.read(INLET, 100);
    pair.carry(OUTLET);
    pair.refuse(StreamRefusal::Unreachable);
    while pair.carry(OUTLET) {}
    pair.carry(INLET);
    for side in &pair.sides {
        let expected = (Seen::Reset, Some(End::Refused(StreamRefusal::Unreachable)));
        assert_eq!((side.seen, side.end), expected);
    }
}

#[test]
fn a_client_that_leaves_stops_the_connect() {
    let mut pair = Pair::new(Default::default(), CAPS);
    pair.carry(OUTLET);
    pair.reset(INLET);
    pair.carry(OUTLET);
    assert_eq!(pair.sides[OUTLET].end, Some(End::ByPeer(ResetReason::ByApplication)));
    pair.connect();
    pair.refuse(StreamRefusal::TimedOut);
    assert!(!pair.carry(INLET), "nothing is said about a stream that ended");
}

#[test]
fn a_stream_without_open_sent_ends_silently() {
    let mut stream = Stream::inlet(1 << 20);
    stream.stop(ResetReason::Stopped);
    let end = End::Here(ResetReason::Stopped);
    assert_eq!(actions(&mut stream), [Action::ResetSocket, Action::Finished(end)]);
}

#[test]
fn messages_out_of_place_reset_the_stream() {
    let mut early = Stream::inlet(1 << 20);
    actions(&mut early);
    let violation = some_data(&mut early, 0, 1).unwrap_err();
    assert_eq!(violation.to_string(), "Data came while the outlet's answer was awaited");
    assert_eq!(actions(&mut early), reset_here(ResetReason::ProtocolViolation));
    assert_eq!(some_data(&mut early, 0, 1), Ok(()), "after the end everything is ignored");

    let outlet = |message| control(&mut open_outlet(), message).unwrap_err();
    let limit = Limit::new(1);
    assert!(matches!(outlet(Control::Opened { limit, life: None }), Violation::Unexpected { .. }));
    assert!(matches!(
        outlet(Control::Open { limit, secret: None, introduction: Default::default() }),
        Violation::Unexpected { .. }
    ));
    assert!(matches!(outlet(fin(1)), Violation::WrongFin { .. }));
    let limit = Limit::new(u64::MAX);
    assert!(matches!(outlet(Control::Window { limit }), Violation::AbsurdLimit { .. }));
    assert!(Stream::outlet(limit, 0).is_err());
    let mut twice = open_outlet();
    control(&mut twice, fin(0)).unwrap();
    assert!(matches!(control(&mut twice, fin(0)), Err(Violation::AfterFin { .. })));
}

#[test]
fn ten_thousand_idle_streams_take_little() {
    println!("{} bytes", size_of::<Stream>());
    assert!(size_of::<Stream>() <= 256, "{} bytes", size_of::<Stream>());
}

#[test]
fn a_limit_repeated_to_silent_peers_changes_nothing() {
    let mut pair = Pair::open([vec![1; 10], vec![2; 10]], CAPS);
    for at in [INLET, OUTLET] {
        let readable = pair.sides[1 - at].stream.as_ref().map(Stream::readable);
        for _ in 0..3 {
            pair.with_stream(at, Stream::handle_silence);
            assert!(pair.carry(1 - at), "a message was sent");
        }
        assert_eq!(pair.sides[1 - at].stream.as_ref().map(Stream::readable), readable);
        assert_eq!(pair.sides[1 - at].end, None);
    }
}

#[test]
fn only_streams_without_crossed_fins_ask() {
    for closing in [INLET, OUTLET] {
        let mut pair = Pair::open([vec![], vec![1]], CAPS);
        assert!(pair.read(OUTLET, 1) && pair.carry(INLET));
        if closing == INLET {
            pair.eof(INLET);
            assert!(pair.carry(OUTLET));
        } else {
            pair.eof(OUTLET);
            assert!(pair.carry(INLET));
        }
        for at in [INLET, OUTLET] {
            pair.with_stream(at, Stream::handle_silence);
            assert!(pair.carry(1 - at), "{at} asks");
        }
        pair.eof(1 - closing);
        assert!(pair.carry(closing));
        // The client has not taken its byte: its end waits for nothing else.
        pair.with_stream(INLET, Stream::handle_silence);
        assert!(!pair.carry(OUTLET), "nobody asks once all was said");
        assert_eq!(pair.sides[INLET].end, None);
    }
}

#[test]
fn before_opened_only_the_inlet_asks() {
    let mut pair = Pair::new([vec![], vec![]], CAPS);
    assert!(pair.carry(OUTLET));
    pair.with_stream(OUTLET, Stream::handle_silence);
    assert!(!pair.carry(INLET), "Opened comes first");
    pair.with_stream(INLET, Stream::handle_silence);
    assert!(pair.carry(OUTLET));
    pair.connect();
    assert!(pair.carry(INLET));
    assert_eq!([pair.sides[INLET].end, pair.sides[OUTLET].end], [None, None]);
}
