//! A send window: never more is sent than was granted, nor again than was not acknowledged.

use arbitrary::Arbitrary;
use ockam_actix_workers::portal::{
    limits::MAX_GRANT,
    protocol::{
        credit::SendWindow,
        offset::{Limit, Offset},
    },
};

use crate::structured;

#[derive(Arbitrary, Debug)]
enum Operation {
    Send(u64),
    Raise(u64),
    Resend(u64),
    Acknowledge(u64),
    Resume(u64),
    Finish,
}

/// Checks one input.
pub fn check(input: &[u8]) {
    structured(input, check_one);
}

fn check_one(input: (u64, Vec<Operation>)) {
    let (first, operations) = input;
    let (mut window, mut highest) = (SendWindow::new(Limit::new(first)), first);
    for operation in operations {
        match operation {
            Operation::Send(bytes) => {
                let before = window.sent().value();
                match window.consume(bytes) {
                    Ok(offset) => assert_eq!(offset.value(), before),
                    Err(_) => assert_eq!(window.sent().value(), before),
                }
            }
            Operation::Raise(limit) => {
                if window.raise(Limit::new(limit)).is_ok() {
                    highest = highest.max(limit);
                }
            }
            Operation::Resend(bytes) => {
                let (next, resendable) = (window.next(), window.resendable());
                let result = window.resend(bytes);
                assert_eq!(result.is_ok(), bytes <= resendable);
                if bytes > 0 && result.is_ok() {
                    assert_eq!(result, Ok(next));
                }
            }
            Operation::Acknowledge(received) => {
                let possible = received <= window.end().value();
                assert_eq!(window.acknowledge(Offset::new(received)).is_ok(), possible);
            }
            Operation::Resume(received) => {
                let possible = window.acknowledged().value()..=window.end().value();
                let possible = possible.contains(&received);
                let limit = Limit::new(highest);
                let resumed = window.resume(Offset::new(received), limit);
                let too_far = highest.saturating_sub(window.sent().value()) > MAX_GRANT;
                assert_eq!(resumed.is_ok(), possible && !too_far);
            }
            // A direction ends once all of it was sent, again as well.
            Operation::Finish if window.resendable() > 0 => {}
            Operation::Finish => {
                let sent = window.sent();
                assert_eq!(window.finish(), sent);
                assert!(!window.is_fin_due_again());
            }
        }
        let (sent, end) = (window.sent(), window.end());
        assert!(window.acknowledged() <= end && end.value() - sent.value() <= 1);
        assert!(window.next() <= sent && window.retained() <= sent.value());
        let unsent = if end == sent && window.next() == sent { highest - sent.value() } else { 0 };
        assert_eq!(window.available(), unsent);
        assert!(sent.value() <= highest);
    }
}
