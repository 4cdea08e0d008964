//! Both windows against naive models, and the growth of a window over simulated time.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
enum Sent {
    Consume(u64),
    Raise(u64),
}

#[derive(Clone, Copy, Debug)]
enum Got {
    /// Data this far from the expected offset, of this length.
    Data(i64, u64),
    Deliver(u64, u64),
    Cap(u64),
    Fin(i64),
}

fn sends() -> impl Strategy<Value = Sent> {
    prop_oneof![
        (0..200_000u64).prop_map(Sent::Consume),
        (0..4_000_000u64).prop_map(Sent::Raise),
        any::<u64>().prop_map(Sent::Raise),
        any::<u64>().prop_map(Sent::Consume),
    ]
}

fn gots() -> impl Strategy<Value = Got> {
    prop_oneof![
        20 => (0..300_000u64).prop_map(|len| Got::Data(0, len)),
        2 => (-10..10i64, 0..10u64).prop_map(|(shift, len)| Got::Data(shift, len)),
        1 => any::<u64>().prop_map(|len| Got::Data(0, len)),
        20 => (0..600_000u64, 0..300u64).prop_map(|(n, ms)| Got::Deliver(n, ms)),
        1 => any::<u64>().prop_map(|n| Got::Deliver(n, 0)),
        1 => (0..40_000_000u64).prop_map(Got::Cap),
        1 => (-1..2i64).prop_map(Got::Fin),
    ]
}

proptest! {
    #[test]
    fn send_window_numbers_only_rise(steps in prop::collection::vec(sends(), 0..200)) {
        let mut window = SendWindow::new(Limit::new(1000));
        let (mut sent, mut limit) = (0u64, 1000u64);
        for step in steps {
            match step {
                Sent::Consume(n) if n <= limit - sent => {
                    prop_assert_eq!(window.consume(n), Ok(Offset::new(sent)));
                    sent += n;
                }
                Sent::Consume(n) => {
                    prop_assert_eq!(window.consume(n), Err(Misuse::Read { readable: limit - sent, read: n }));
                }
                Sent::Raise(to) if to <= sent || to - sent <= MAX_GRANT => {
                    prop_assert_eq!(window.raise(Limit::new(to)), Ok(()));
                    limit = limit.max(to);
                }
                Sent::Raise(to) => prop_assert!(window.raise(Limit::new(to)).is_err()),
            }
            prop_assert_eq!(window.available(), limit - sent);
            prop_assert_eq!(window.sent().value(), sent);
        }
    }

    #[test]
    fn receive_windows_count_exactly_and_respect_the_cap(
        cap in 0..20_000_000u64,
        steps in prop::collection::vec(gots(), 0..300),
    ) {
        let mut window = ReceiveWindow::new(cap);
        let mut largest = cap.clamp(MIN_WINDOW, MAX_WINDOW);
        let (mut received, mut delivered, mut granted) = (0u64, 0u64, window.granted().value());
        let (mut fin, mut now) = (false, Duration::ZERO);
        for step in steps {
            match step {
                Got::Data(shift, len) => {
                    let offset = received.saturating_add_signed(shift);
                    let fits = received.checked_add(len).is_some_and(|end| end <= granted);
                    let result = window.receive(Offset::new(offset), len);
                    match result {
                        Ok(()) => prop_assert!(!fin && offset == received && fits),
                        Err(Violation::AfterFin { .. }) => prop_assert!(fin),
                        Err(Violation::Gap { .. }) => prop_assert!(offset > received),
                        Err(Violation::Overlap { .. }) => prop_assert!(offset < received),
                        Err(Violation::BeyondLimit { .. }) => prop_assert!(offset == received && !fits),
                        Err(other) => prop_assert!(false, "{}", other),
                    }
                    received += if result.is_ok() { len } else { 0 };
                }
                Got::Deliver(n, ms) => {
                    now += MS * ms as u32;
                    match window.deliver(n, now, 50 * MS) {
                        Ok(limit) => {
                            prop_assert!(n <= received - delivered);
                            delivered += n;
                            if let Some(limit) = limit {
                                prop_assert!(!fin && limit.value() > granted);
                                prop_assert!(limit.value() - granted >= (window.window() / 2).min(MAX_STEP));
                                prop_assert_eq!(limit.value(), delivered + window.window());
                                granted = limit.value();
                            }
                        }
                        Err(misuse) => {
                            prop_assert!(n > received - delivered);
                            prop_assert_eq!(misuse, Misuse::Wrote { buffered: received - delivered, wrote: n });
                        }
                    }
                }
                Got::Cap(cap) => {
                    window.set_cap(cap);
                    largest = largest.max(cap.clamp(MIN_WINDOW, MAX_WINDOW));
                }
                Got::Fin(shift) => {
                    let at = received.saturating_add_signed(shift);
                    match window.finish(Offset::new(at)) {
                        Ok(()) => {
                            prop_assert!(!fin && at == received);
                            fin = true;
                        }
                        Err(Violation::AfterFin { .. }) => prop_assert!(fin),
                        Err(violation) => {
                            let expected = Violation::WrongFin { received: window.received(), fin: Offset::new(at) };
                            prop_assert_eq!(violation, expected);
                        }
                    }
                }
            }
            prop_assert_eq!(window.buffered(), received - delivered);
            prop_assert_eq!(window.granted().value(), granted);
            prop_assert!(window.window() <= largest);
            prop_assert!(window.buffered() <= largest, "{} held under {}", window.buffered(), largest);
        }
    }
}

#[test]
fn stalled_and_slow_readers_keep_their_window_size() {
    let mut window = ReceiveWindow::new(MAX_WINDOW);
    let rtt = 100 * MS;
    // One byte every ten milliseconds, from a sender that always uses its credit.
    for step in 0..100_000u32 {
        let room = window.granted().room_from(window.received());
        window.receive(window.received(), room).unwrap();
        window.deliver(1, 10 * MS * step, rtt).unwrap();
        assert_eq!(window.window(), INITIAL_WINDOW);
        assert!(window.buffered() <= INITIAL_WINDOW);
    }
}

#[test]
fn a_slow_senders_window_stays_near_its_need() {
    let mut window = ReceiveWindow::new(MAX_WINDOW);
    // 5 MB/s over 100 ms need 500 KB.
    for step in 0..10_000u32 {
        window.receive(window.received(), 5_000).unwrap();
        window.deliver(5_000, MS * step, 100 * MS).unwrap();
    }
    assert_eq!(window.window(), 1024 * 1024);
}

#[test]
fn a_drained_window_always_leaves_credit() {
    // Whatever the cap, a drained window always leaves the sender credit: no deadlock at an odd
    // size.
    for cap in [0, MIN_WINDOW, 100_001, INITIAL_WINDOW, 777_777, MAX_WINDOW] {
        let mut window = ReceiveWindow::new(cap);
        for _ in 0..1000 {
            let room = window.granted().room_from(window.received());
            assert!(room > 0);
            window.receive(window.received(), room).unwrap();
            window.deliver(room, Duration::ZERO, 10 * MS).unwrap();
        }
    }
}

#[test]
fn violations_say_what_was_expected_and_what_came() {
    let mut window = ReceiveWindow::new(0);
    window.receive(Offset::ZERO, 10).unwrap();
    let text = |result: Result<(), Violation>| result.unwrap_err().to_string();
    let gap = text(window.receive(Offset::new(12), 1));
    assert_eq!(gap, "data at offset 10 was expected, but 12 came: bytes are missing");
    let overlap = text(window.receive(Offset::new(3), 1));
    assert_eq!(overlap, "data at offset 10 was expected, but 3 came: bytes are repeated");
    let beyond = text(window.receive(Offset::new(10), 65_527));
    assert_eq!(beyond, "65527 bytes at offset 10 came, but only up to 65536 was granted");
    assert_eq!(text(window.finish(Offset::new(11))), "10 bytes were received, but Fin says 11");
    window.finish(Offset::new(10)).unwrap();
    let after = text(window.receive(Offset::new(10), 1));
    assert_eq!(after, "the direction ended at offset 10, but more came for offset 10");
}
