//! The single rules of a stream that outlives its path, by name.

use std::time::Duration;

use crate::portal::{
    limits::{EARLY_CREDIT, INITIAL_WINDOW},
    protocol::{
        action::{Action, End},
        message::{Control, Decoded},
        offset::{Limit, Offset},
        reason::ResetReason,
        resumption::{OutletLife, StreamSecret},
        stream::Stream,
        violation::Violation,
    },
};

const SECRET: StreamSecret = StreamSecret::from_bytes([9; 16]);
const LIFE: Option<OutletLife> = OutletLife::new(5);
const OTHER: Option<OutletLife> = OutletLife::new(6);
const CAP: u64 = 1 << 20;
pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn actions(stream: &mut Stream) -> Vec<Action> {
    std::iter::from_fn(|| stream.poll_action()).collect()
}

pub(super) fn says<const N: usize>(stream: &mut Stream, controls: [Control<'static>; N]) {
    assert_eq!(actions(stream), controls.map(Action::Send));
}

pub(super) fn hear(stream: &mut Stream, message: Control<'static>) -> Result<(), Violation> {
    stream.handle_message(Decoded::Control(message)).map(|_| ())
}

pub(super) fn data(stream: &mut Stream, at: u64, len: usize) {
    let data = Decoded::Data { offset: Offset::new(at), range: 16..16 + len };
    stream.handle_message(data).unwrap();
}

pub(super) fn ack(received: u64) -> Control<'static> {
    Control::Ack { received: Offset::new(received) }
}

pub(super) fn fin(at: u64) -> Control<'static> {
    Control::Fin { offset: Offset::new(at) }
}

fn resumed(received: u64, limit: u64) -> Control<'static> {
    Control::Resumed { received: Offset::new(received), limit: Limit::new(limit) }
}

/// An inlet that has said `Open`.
fn asking(known: Option<OutletLife>) -> Stream {
    let mut stream = Stream::inlet(CAP).resumable_by(SECRET, known);
    assert_eq!(actions(&mut stream).len(), 1);
    stream
}

/// An inlet whose outlet keeps the stream.
pub(super) fn inlet() -> Stream {
    let mut stream = asking(None);
    hear(&mut stream, Control::Opened { limit: Limit::new(CAP), life: LIFE }).unwrap();
    stream
}

/// An outlet that keeps the stream and has said `Opened`.
pub(super) fn outlet() -> Stream {
    let mut stream = Stream::outlet(Limit::new(CAP), CAP).unwrap().kept_by(LIFE.unwrap());
    stream.connected();
    let limit = Limit::new(INITIAL_WINDOW);
    says(&mut stream, [Control::Opened { limit, life: LIFE }]);
    stream
}

fn resumed_by(stream: &mut Stream, attempt: u64, received: u64) -> Result<(), Violation> {
    stream.resumed_by(attempt, Offset::new(received), Limit::new(CAP))
}

#[test]
fn without_a_life_nothing_is_kept() {
    let mut stream = asking(LIFE);
    stream.socket_read(100).unwrap();
    assert_eq!(stream.acknowledged(), Offset::ZERO);
    hear(&mut stream, Control::Opened { limit: Limit::new(CAP), life: None }).unwrap();
    assert_eq!(stream.acknowledged(), Offset::new(100));
    data(&mut stream, 0, INITIAL_WINDOW as usize);
    assert!(!stream.owes_ack());
    says(&mut stream, []);
    assert!(!stream.suspend());
    let end = End::Here(ResetReason::PathLost);
    assert_eq!(actions(&mut stream), [Action::ResetSocket, Action::Finished(end)]);
}

#[test]
fn a_suspended_stream_only_serves_its_application() {
    let mut stream = outlet();
    data(&mut stream, 0, 200_000);
    hear(&mut stream, fin(200_000)).unwrap();
    assert_eq!(actions(&mut stream).len(), 1);
    assert!(stream.suspend() && stream.is_suspended());
    stream.socket_eof();
    stream.acknowledge();
    stream.handle_silence();
    assert_eq!((stream.readable(), actions(&mut stream)), (0, vec![]));
    data(&mut stream, 200_000, 10);
    stream.socket_wrote(200_000, 900 * MS, MS).unwrap();
    assert_eq!(actions(&mut stream), [Action::ShutdownWrite]);
    resumed_by(&mut stream, 1, 0).unwrap();
    let limit = Limit::new(200_000 + INITIAL_WINDOW);
    says(
        &mut stream,
        [resumed(200_001, INITIAL_WINDOW), Control::Opened { limit, life: LIFE }, fin(0)],
    );
}

#[test]
fn what_has_not_arrived_is_sent_again() {
    let mut stream = inlet();
    for _ in 0..3 {
        stream.socket_read(100_000).unwrap();
    }
    stream.socket_eof();
    says(&mut stream, [fin(300_000)]);
    data(&mut stream, 0, 7);
    assert!(stream.suspend());
    let (received, limit) = (Offset::new(7), Limit::new(INITIAL_WINDOW));
    let resume = Control::Resume { secret: SECRET, attempt: 1, received, limit };
    assert_eq!(stream.resume(), Some(resume));
    assert_eq!((stream.resendable(), actions(&mut stream)), (0, vec![]));
    hear(&mut stream, resumed(150_000, CAP)).unwrap();
    says(&mut stream, []);
    assert_eq!((stream.resendable(), stream.readable()), (131_072, 0));
    assert!(stream.resent(131_073).is_err());
    assert_eq!(stream.resent(100_000), Ok(Offset::new(150_000)));
    assert_eq!((stream.next_offset(), stream.resendable()), (Offset::new(250_000), 50_000));
    stream.resent(50_000).unwrap();
    says(&mut stream, [fin(300_000)]);
    // Lost once more, with nothing but the end missing.
    assert!(stream.suspend() && stream.resume().is_some());
    hear(&mut stream, resumed(300_000, CAP)).unwrap();
    says(&mut stream, [fin(300_000)]);
}

#[test]
fn a_resume_says_what_a_window_would() {
    let mut stream = inlet();
    data(&mut stream, 0, 200_000);
    assert!(stream.suspend());
    stream.socket_wrote(200_000, 900 * MS, MS).unwrap();
    let Some(Control::Resume { received, limit, .. }) = stream.resume() else { panic!() };
    let expected = (Offset::new(200_000), Limit::new(200_000 + INITIAL_WINDOW));
    assert_eq!((received, limit), expected);
    hear(&mut stream, resumed(0, CAP)).unwrap();
    says(&mut stream, []);
    assert!(!stream.owes_ack());
}

#[test]
fn a_loss_while_resuming_is_another_attempt() {
    let mut stream = inlet();
    for attempt in 1..4 {
        assert!(stream.suspend());
        let Some(Control::Resume { attempt: said, .. }) = stream.resume() else { panic!() };
        assert_eq!(said, attempt);
    }
    assert!(hear(&mut stream, resumed(0, CAP)).is_ok() && !stream.is_suspended());
}

#[test]
fn opened_is_repeated_to_who_has_nothing() {
    let mut outlet = outlet();
    outlet.socket_read(10).unwrap();
    resumed_by(&mut outlet, 1, 0).unwrap();
    assert_eq!(outlet.resendable(), 0, "the greeting comes first");
    let opened = Control::Opened { limit: Limit::new(INITIAL_WINDOW), life: LIFE };
    says(&mut outlet, [resumed(0, INITIAL_WINDOW), opened]);
    assert_eq!(outlet.resendable(), 10);
    resumed_by(&mut outlet, 2, 10).unwrap();
    says(&mut outlet, [resumed(0, INITIAL_WINDOW)]);

    let mut inlet = inlet();
    assert!(hear(&mut inlet, opened).is_ok());
    data(&mut inlet, 0, 1);
    assert!(hear(&mut inlet, opened).is_err());
}

#[test]
fn early_bytes_go_on_while_the_target_connects() {
    assert_eq!(asking(None).readable(), 0, "nobody could say whether they had come");
    let mut inlet = asking(LIFE);
    inlet.socket_read(100).unwrap();
    assert!(inlet.suspend() && inlet.resume().is_some());
    let mut outlet = Stream::outlet(Limit::new(CAP), CAP).unwrap().kept_by(LIFE.unwrap());
    resumed_by(&mut outlet, 1, 0).unwrap();
    says(&mut outlet, [resumed(0, EARLY_CREDIT)]);
    hear(&mut inlet, resumed(0, EARLY_CREDIT)).unwrap();
    assert_eq!(inlet.resent(100), Ok(Offset::ZERO));
    assert_eq!(inlet.readable() as u64, EARLY_CREDIT - 100);
    outlet.connected();
    assert_eq!(actions(&mut outlet).len(), 1);
    hear(&mut inlet, Control::Opened { limit: Limit::new(CAP), life: LIFE }).unwrap();
    assert!(inlet.is_established());
}

#[test]
fn a_reset_lets_early_bytes_go() {
    let mut stream = asking(None);
    assert!(stream.let_early_bytes_go() && !stream.let_early_bytes_go());
    stream.socket_read(100).unwrap();
    stream.socket_reset();
    let end = End::Here(ResetReason::ByApplication);
    let reset = Action::Send(Control::Reset { reason: ResetReason::ByApplication });
    assert_eq!(actions(&mut stream), [reset, Action::ResetSocket, Action::Finished(end)]);
    assert!(!stream.is_resumable());
}

#[test]
fn unknown_opens_anew_only_without_doubt() {
    let unknown = |known, early, life| {
        let mut stream = asking(known);
        stream.socket_read(early).unwrap();
        assert!(stream.suspend() && stream.resume().is_some());
        hear(&mut stream, Control::Unknown { life }).unwrap();
        stream
    };
    for (known, early) in [(LIFE, 100), (OTHER, 0), (None, 0)] {
        let mut stream = unknown(known, early, LIFE);
        let limit = Limit::new(INITIAL_WINDOW);
        says(
            &mut stream,
            [Control::Open { limit, secret: Some(SECRET), introduction: Default::default() }],
        );
        assert_eq!((stream.resendable(), stream.next_offset()), (early, Offset::ZERO));
    }
    let end = End::ByPeer(ResetReason::Forgotten);
    for (known, life) in [(OTHER, LIFE), (LIFE, OTHER), (LIFE, None)] {
        let mut stream = unknown(known, 100, life);
        assert_eq!(actions(&mut stream), [Action::ResetSocket, Action::Finished(end)]);
    }
    let mut opened = inlet();
    assert!(opened.suspend() && opened.resume().is_some());
    hear(&mut opened, Control::Unknown { life: LIFE }).unwrap();
    assert_eq!(opened.end(), Some(end));
}

#[test]
fn a_reset_while_suspended_follows_the_resume() {
    let reset = Control::Reset { reason: ResetReason::ByApplication };
    let end = End::Here(ResetReason::ByApplication);
    let mut stream = inlet();
    assert!(stream.suspend());
    stream.socket_eof();
    stream.socket_reset();
    assert_eq!(actions(&mut stream), [Action::ResetSocket]);
    assert!(stream.is_resumable() && stream.resume().is_some());
    assert_eq!(actions(&mut stream), [Action::Send(reset), Action::Finished(end)]);

    let mut late = inlet();
    assert!(late.suspend());
    late.socket_reset();
    late.give_up();
    assert_eq!(actions(&mut late), [Action::ResetSocket, Action::Finished(end)]);
    assert_eq!(late.resume(), None);

    let mut stream = outlet();
    assert!(stream.suspend());
    stream.socket_reset();
    assert_eq!(actions(&mut stream), [Action::ResetSocket, Action::Finished(end)]);
}

#[test]
fn older_and_impossible_resumes_change_nothing() {
    let mut stream = outlet();
    stream.socket_read(100).unwrap();
    hear(&mut stream, ack(40)).unwrap();
    resumed_by(&mut stream, 3, 50).unwrap();
    says(&mut stream, [resumed(0, INITIAL_WINDOW)]);
    let before = format!("{stream:?}");
    for (attempt, received) in [(3, 60), (2, 60), (0, 60), (4, 49), (4, 101)] {
        assert!(resumed_by(&mut stream, attempt, received).is_err());
    }
    assert!(stream.resumed_by(4, Offset::new(60), Limit::new(u64::MAX)).is_err());
    assert_eq!(format!("{stream:?}"), before);
    assert!(resumed_by(&mut inlet(), 1, 0).is_err());
    stream.stop(ResetReason::Stopped);
    assert!(resumed_by(&mut stream, 4, 60).is_err());
}

#[test]
fn messages_out_of_place_are_violations() {
    let resume = Control::Resume {
        secret: SECRET,
        attempt: 1,
        received: Offset::ZERO,
        limit: Limit::new(CAP),
    };
    for message in [resume, resumed(0, CAP), Control::Unknown { life: LIFE }, ack(1)] {
        assert!(hear(&mut inlet(), message).is_err(), "{message:?}");
        assert!(hear(&mut outlet(), message).is_err(), "{message:?}");
    }
    let opened = Control::Opened { limit: Limit::new(CAP), life: LIFE };
    let window = Control::Window { limit: Limit::new(CAP) };
    for message in [opened, window, ack(0), fin(0), resumed(1, CAP), resumed(0, u64::MAX)] {
        let mut stream = inlet();
        assert!(stream.suspend() && stream.resume().is_some());
        assert!(hear(&mut stream, message).is_err(), "{message:?}");
    }
    let mut plain = Stream::outlet(Limit::new(CAP), CAP).unwrap();
    assert!(hear(&mut plain, ack(0)).is_err());
}

#[test]
fn both_fins_make_an_early_end_clean() {
    let crossed = || {
        let mut stream = inlet();
        data(&mut stream, 0, 10);
        stream.socket_eof();
        actions(&mut stream);
        hear(&mut stream, fin(10)).unwrap();
        assert_eq!(actions(&mut stream), [Action::Send(ack(11))]);
        stream
    };
    let resuming = || {
        let mut stream = crossed();
        assert!(stream.suspend() && stream.resume().is_some());
        stream
    };
    let mut given_up = crossed();
    assert!(given_up.suspend());
    given_up.give_up();
    let mut reset = crossed();
    hear(&mut reset, Control::Reset { reason: ResetReason::ByApplication }).unwrap();
    let mut unknown = resuming();
    hear(&mut unknown, Control::Unknown { life: OTHER }).unwrap();
    for mut stream in [given_up, reset, unknown] {
        assert_eq!(actions(&mut stream), []);
        stream.socket_wrote(10, MS, MS).unwrap();
        let expected = [Action::ShutdownWrite, Action::Finished(End::Clean)];
        assert_eq!(actions(&mut stream), expected);
    }
    let mut stopped = crossed();
    stopped.socket_wrote(10, MS, MS).unwrap();
    assert_eq!(actions(&mut stopped), [Action::ShutdownWrite]);
    stopped.stop(ResetReason::Stopped);
    assert_eq!(actions(&mut stopped), [Action::Finished(End::Clean)]);
}

#[test]
fn a_stop_after_both_fins_acknowledges_theirs() {
    let mut stream = outlet();
    data(&mut stream, 0, 10);
    stream.socket_eof();
    assert_eq!(actions(&mut stream).len(), 2);
    hear(&mut stream, fin(10)).unwrap();
    stream.stop(ResetReason::Stopped);
    let end = End::Here(ResetReason::Stopped);
    let expected = [Action::Send(ack(11)), Action::ResetSocket, Action::Finished(end)];
    assert_eq!(actions(&mut stream), expected);
}

#[test]
fn an_unheard_outlet_leaves_doubt_at_its_end() {
    let end = |received: usize, heard: bool, end: fn(&mut Stream)| {
        let mut stream = outlet();
        if received > 0 {
            data(&mut stream, 0, received);
        }
        if heard {
            hear(&mut stream, ack(0)).unwrap();
        }
        assert!(!stream.leaves_doubt(), "it is not over");
        end(&mut stream);
        assert!(stream.end().is_some());
        stream.leaves_doubt()
    };
    assert!(end(10, false, Stream::socket_reset) && end(10, false, Stream::give_up));
    assert!(!end(0, false, Stream::socket_reset) && !end(10, true, Stream::socket_reset));
    let reset = |stream: &mut Stream| {
        hear(stream, Control::Reset { reason: ResetReason::ByApplication }).unwrap();
    };
    assert!(!end(10, false, reset), "the inlet knows");
    let resumed = |stream: &mut Stream| {
        stream.socket_read(5).unwrap();
        resumed_by(stream, 1, 5).unwrap();
        stream.give_up();
    };
    assert!(!end(10, false, resumed), "the inlet has something from it");
}
