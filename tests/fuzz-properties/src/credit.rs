//! A send window: never more is sent than was granted.

use arbitrary::Arbitrary;
use ockam_actix_workers::portal::protocol::{credit::SendWindow, offset::Limit};

use crate::structured;

#[derive(Arbitrary, Debug)]
enum Operation {
    Send(u64),
    Raise(u64),
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
        }
        assert!(window.sent().value() <= highest);
        assert_eq!(window.available(), highest - window.sent().value());
    }
}
