//! Whole lives of a stream in random order, between honest ends and with a hostile one.

use std::time::Duration;

use proptest::prelude::*;

use crate::portal::{
    limits::MIN_WINDOW,
    protocol::{
        action::{Action, End},
        message::{Control, Decoded},
        offset::{Limit, Offset},
        reason::{ResetReason, StreamRefusal},
        resumption::{OutletLife, StreamSecret},
        stream::{
            tests::link::{Pair, Seen, INLET, OUTLET},
            Stream,
        },
    },
};

const LIFE: Option<OutletLife> = OutletLife::new(3);
const RTT: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug)]
enum Step {
    Read(usize, usize),
    Write(usize, usize),
    Carry(usize),
    Eof(usize),
    Connect,
    Pass(u64),
    Cut(Cut),
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Reset(usize),
    Stop(usize),
    Link,
    Refuse,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => (0..2usize, 1..100_000usize).prop_map(|(at, n)| Step::Read(at, n)),
        30 => (0..2usize, 1..100_000usize).prop_map(|(at, n)| Step::Write(at, n)),
        40 => (0..2usize).prop_map(Step::Carry),
        3 => (0..2usize).prop_map(Step::Eof),
        3 => Just(Step::Connect),
        5 => (0..20u64).prop_map(Step::Pass),
    ]
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![
        3 => (0..2usize).prop_map(Cut::Reset),
        2 => (0..2usize).prop_map(Cut::Stop),
        2 => Just(Cut::Link),
        1 => Just(Cut::Refuse),
    ]
}

/// Steps with up to two cuts at random points.
fn script() -> impl Strategy<Value = Vec<Step>> {
    let steps = prop::collection::vec(step(), 0..250);
    let cuts = prop::collection::vec((cut(), any::<prop::sample::Index>()), 0..3);
    (steps, cuts).prop_map(|(mut steps, cuts)| {
        for (cut, at) in cuts {
            steps.insert(at.index(steps.len() + 1), Step::Cut(cut));
        }
        steps
    })
}

fn pattern(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_mul(31) ^ (at >> 8) as u8 ^ seed).collect()
}

fn take(pair: &mut Pair, step: Step) {
    match step {
        Step::Read(at, n) => drop(pair.read(at, n)),
        Step::Write(at, n) => drop(pair.write(at, n, RTT)),
        Step::Carry(to) => drop(pair.carry(to)),
        Step::Eof(at) => drop(pair.eof(at)),
        Step::Connect => pair.connect(),
        Step::Pass(ms) => pair.now += Duration::from_millis(ms),
        Step::Cut(Cut::Reset(at)) => pair.reset(at),
        Step::Cut(Cut::Stop(at)) => pair.with_stream(at, |s| s.stop(ResetReason::Stopped)),
        Step::Cut(Cut::Link) => pair.lose_link(),
        Step::Cut(Cut::Refuse) => pair.refuse(StreamRefusal::TargetRefused),
    }
}

/// Both applications read and write on, and everything in flight arrives, until nothing moves.
fn run_out(pair: &mut Pair) {
    let mut moved = true;
    while moved {
        moved = pair.carry(OUTLET);
        pair.connect();
        pair.now += Duration::from_millis(1);
        for at in [INLET, OUTLET] {
            moved |= pair.read(at, 50_000);
            while pair.carry(at) {
                moved = true;
            }
            moved |= pair.write(at, 70_000, RTT);
            moved |= pair.eof(at);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn applications_see_a_prefix_then_end_or_reset(
        lens in [0..700_000usize, 0..300_000usize],
        caps in [MIN_WINDOW..1_000_000u64, MIN_WINDOW..1_000_000u64],
        steps in script(),
    ) {
        let mut pair = Pair::new([pattern(1, lens[0]), pattern(2, lens[1])], caps);
        let cuts = steps.iter().any(|step| matches!(step, Step::Cut(_)));
        for step in steps {
            take(&mut pair, step);
        }
        run_out(&mut pair);

        for at in [INLET, OUTLET] {
            let (here, there) = (&pair.sides[at], &pair.sides[1 - at]);
            prop_assert!(there.to_send.starts_with(&here.got), "not a prefix");
            if here.seen == Seen::Eof {
                prop_assert!(there.sent_eof, "an end that nobody sent");
                prop_assert_eq!(here.got.len(), there.to_send.len(), "a silent truncation");
            }
            // Without a cut all bytes and both ends arrive. With one, every stream still ends, and
            // not silently.
            match here.end {
                Some(End::Clean) => prop_assert!(here.seen == Seen::Eof && here.sent_eof),
                Some(_) => prop_assert!(cuts && here.seen == Seen::Reset),
                None => prop_assert!(cuts && here.stream.is_none()),
            }
        }
        prop_assert!(pair.link.is_none_or(|link| link.iter().all(|queue| queue.is_empty())));
    }
}

#[derive(Clone, Debug)]
enum Hostile {
    Control(Control<'static>),
    /// Data at this offset, or in order, of this length.
    Data(Option<u64>, usize),
    Wrote(usize),
    Read(usize),
    Eof,
    Connected,
    PathLost,
    Suspend,
    Resume,
    ResumedBy(u64, u64),
    Resent(usize),
    Acknowledge,
    Poll,
}

fn any_control((kind, number): (u8, u64)) -> Hostile {
    Hostile::Control(match kind {
        0 => Control::Open {
            limit: Limit::new(number),
            secret: None,
            introduction: Default::default(),
        },
        1 => Control::Opened { limit: Limit::new(number), life: None },
        2 => Control::Refused { reason: StreamRefusal::Busy, text: "" },
        3 => Control::Window { limit: Limit::new(number) },
        4 => Control::Fin { offset: Offset::new(number) },
        5 => Control::Reset { reason: ResetReason::Unknown(77) },
        6 => Control::Opened { limit: Limit::new(number), life: LIFE },
        7 => Control::Ack { received: Offset::new(number) },
        8 => Control::Resumed { received: Offset::new(number), limit: Limit::new(number) },
        _ => Control::Unknown { life: LIFE },
    })
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let number = prop_oneof![4 => 0..200_000u64, 1 => any::<u64>()];
    prop_oneof![
        1 => (number.clone(), 1..5000usize).prop_map(|(at, len)| Hostile::Data(Some(at), len)),
        30 => (1..100_000usize).prop_map(|len| Hostile::Data(None, len)),
        2 => (0..10u8, number.clone()).prop_map(any_control),
        2 => (0..200_000u64).prop_map(|n| any_control((3, n))),
        2 => (0..200_000u64).prop_map(|n| any_control((1, n))),
        20 => (0..100_000usize).prop_map(Hostile::Wrote),
        20 => (0..100_000usize).prop_map(Hostile::Read),
        1 => Just(Hostile::Eof),
        5 => Just(Hostile::Connected),
        1 => Just(Hostile::PathLost),
        3 => Just(Hostile::Suspend),
        3 => Just(Hostile::Resume),
        2 => (0..200_000u64).prop_map(|n| any_control((6, n))),
        4 => (0..3u64).prop_map(|n| any_control((8, n))),
        3 => (1..9u64, number).prop_map(|(attempt, n)| Hostile::ResumedBy(attempt, n)),
        3 => (0..5000usize).prop_map(Hostile::Resent),
        3 => Just(Hostile::Acknowledge),
        20 => Just(Hostile::Poll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn a_hostile_peer_queues_only_bytes_in_order(
        inlet: bool,
        kept: bool,
        cap in 0..2_000_000u64,
        steps in prop::collection::vec(hostile(), 0..120),
    ) {
        let mut stream = match inlet {
            true => Stream::inlet(cap),
            false => Stream::outlet(Limit::new(1 << 20), cap).unwrap(),
        };
        stream = match (inlet, LIFE.filter(|_| kept)) {
            (_, None) => stream,
            (true, known) => stream.resumable_by(StreamSecret::from_bytes([1; 16]), known),
            (false, Some(life)) => stream.kept_by(life),
        };
        let (mut queued, mut reset, mut over) = (0u64, false, false);
        for step in steps {
            match step {
                Hostile::Data(at, len) => {
                    let offset = Offset::new(at.unwrap_or(queued));
                    let ended = stream.end().is_some();
                    let result = stream.handle_message(Decoded::Data { offset, range: 16..16 + len });
                    if let Ok(Some(range)) = &result {
                        prop_assert!(offset.value() == queued && !ended);
                        queued += range.len() as u64;
                    }
                    if result.is_err() {
                        prop_assert_eq!(stream.end(), Some(End::Here(ResetReason::ProtocolViolation)));
                    }
                }
                Hostile::Control(message) => {
                    if stream.handle_message(Decoded::Control(message)).is_err() {
                        prop_assert_eq!(stream.end(), Some(End::Here(ResetReason::ProtocolViolation)));
                    }
                }
                Hostile::Wrote(n) => drop(stream.socket_wrote(n, Duration::ZERO, RTT)),
                Hostile::Read(n) => {
                    let readable = stream.readable();
                    prop_assert_eq!(stream.socket_read(n).is_ok(), n <= readable);
                }
                Hostile::Eof => stream.socket_eof(),
                Hostile::Connected => stream.connected(),
                Hostile::PathLost => stream.give_up(),
                Hostile::Suspend => drop(stream.suspend()),
                Hostile::Resume => drop(stream.resume()),
                Hostile::ResumedBy(attempt, n) => {
                    let _ = stream.resumed_by(attempt, Offset::new(n), Limit::new(n));
                }
                Hostile::Resent(n) => {
                    let resendable = stream.resendable();
                    prop_assert_eq!(stream.resent(n).is_ok(), n <= resendable);
                }
                Hostile::Acknowledge => stream.acknowledge(),
                Hostile::Poll => {
                    while let Some(action) = stream.poll_action() {
                        prop_assert!(!over, "{:?} after the end", action);
                        prop_assert!(!(reset && action == Action::ShutdownWrite));
                        reset |= action == Action::ResetSocket;
                        over |= matches!(action, Action::Finished(_));
                    }
                    // An inlet without a path still has to say that it was reset.
                    let waits = stream.is_suspended() && stream.is_resumable();
                    prop_assert_eq!(over || waits, stream.end().is_some() || waits);
                }
            }
            prop_assert!(stream.buffered() <= cap.max(MIN_WINDOW));
        }
    }
}
