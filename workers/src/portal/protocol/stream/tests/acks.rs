//! When a stream acknowledges what has come, and what the other end's acknowledgements are for.

use crate::portal::{
    limits::INITIAL_WINDOW,
    protocol::{
        action::{Action, End},
        message::Control,
        offset::{Limit, Offset},
        stream::tests::resumes::{ack, actions, data, fin, hear, inlet, outlet, says, MS},
    },
};

#[test]
fn a_quarter_window_is_acknowledged_at_once() {
    let mut stream = outlet();
    let quarter = INITIAL_WINDOW / 4;
    data(&mut stream, 0, quarter as usize - 1);
    says(&mut stream, []);
    data(&mut stream, quarter - 1, 1);
    says(&mut stream, [ack(quarter)]);
}

#[test]
fn fewer_bytes_are_owed_and_told_once() {
    let mut stream = outlet();
    assert!(!stream.owes_ack() && stream.take_ack().is_none());
    data(&mut stream, 0, 10);
    assert!(stream.owes_ack());
    says(&mut stream, []);
    assert_eq!(stream.take_ack(), Some(ack(10)));
    stream.acknowledge();
    says(&mut stream, []);
    data(&mut stream, 10, 10);
    stream.acknowledge();
    says(&mut stream, [ack(20)]);
    assert!(!stream.owes_ack());
}

#[test]
fn a_window_and_a_fin_bring_an_ack() {
    let mut stream = outlet();
    let half = INITIAL_WINDOW / 2;
    data(&mut stream, 0, half as usize);
    says(&mut stream, [ack(half)]);
    data(&mut stream, half, 10);
    stream.socket_wrote(half as usize, 900 * MS, MS).unwrap();
    let limit = Limit::new(half + INITIAL_WINDOW);
    says(&mut stream, [ack(half + 10), Control::Window { limit }]);
    data(&mut stream, half + 10, 10);
    stream.socket_eof();
    says(&mut stream, [ack(half + 20), fin(0)]);
}

#[test]
fn a_fin_is_acknowledged_at_once_after_ours() {
    let mut stream = outlet();
    hear(&mut stream, fin(0)).unwrap();
    assert!(stream.owes_ack());
    assert_eq!(actions(&mut stream), [Action::ShutdownWrite]);
    let mut stream = outlet();
    stream.socket_eof();
    says(&mut stream, [fin(0)]);
    hear(&mut stream, fin(0)).unwrap();
    assert_eq!(actions(&mut stream), [Action::Send(ack(1)), Action::ShutdownWrite]);
}

#[test]
fn the_end_waits_until_the_fin_is_acknowledged() {
    let mut stream = inlet();
    stream.socket_read(10).unwrap();
    hear(&mut stream, fin(0)).unwrap();
    stream.socket_eof();
    let expected = [Action::Send(ack(1)), Action::Send(fin(10)), Action::ShutdownWrite];
    assert_eq!(actions(&mut stream), expected);
    hear(&mut stream, ack(10)).unwrap();
    assert_eq!(actions(&mut stream), []);
    // The application is served: what happens to its connection does not matter.
    stream.socket_reset();
    assert_eq!(actions(&mut stream), []);
    hear(&mut stream, ack(11)).unwrap();
    assert_eq!(actions(&mut stream), [Action::Finished(End::Clean)]);
}

#[test]
fn nothing_is_kept_beyond_its_cap() {
    let mut stream = inlet();
    stream.set_retain_cap(1000);
    assert_eq!(stream.readable(), 1000);
    stream.socket_read(900).unwrap();
    assert_eq!(stream.readable(), 100);
    hear(&mut stream, ack(500)).unwrap();
    assert_eq!((stream.readable(), stream.acknowledged()), (600, Offset::new(500)));
    hear(&mut stream, ack(400)).unwrap();
    assert_eq!(stream.acknowledged(), Offset::new(500), "an old one changes nothing");
    stream.set_retain_cap(100);
    assert_eq!(stream.readable(), 0);
}
