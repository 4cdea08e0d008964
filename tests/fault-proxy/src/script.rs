//! Which frames a fault hits, or chunks, or datagrams: a seed decides, so that a run can be
//! repeated.

use std::{collections::VecDeque, time::Duration};

use ockam_actix_harness::random::Random;

use crate::fault::Fault;

/// Frames before the first fault, the greeting not counted: enough for faults to hit handshakes as
/// well as data.
const FIRST_FAULT: usize = 24;

/// Frames between two faults.
const GAP: usize = 40;

/// Bytes of the length and the lane before a frame.
pub(crate) const HEADER: usize = 6;

/// Frames that are kept to be sent again.
const REMEMBERED: usize = 16;

/// What the proxy does next in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Passes nothing on, and grants the sender credit as if it had.
    Drop,
    /// Waits.
    Wait(Duration),
    /// Ends the connection, if it is one of a stream: a FIN in both directions.
    End,
    /// Resets the connection in both directions; for datagrams, the client gets another address.
    Reset,
    /// Does nothing more in this direction.
    Stall,
}

/// The operations of one direction of one connection.
#[derive(Debug)]
pub struct Script {
    fault: Fault,
    random: Random,
    frames: usize,
    next_fault: usize,
    /// A frame that waits for the next one to overtake it.
    overtaken: Option<Vec<u8>>,
    past: VecDeque<Vec<u8>>,
}

impl Script {
    /// A script that follows from `seed`.
    pub fn new(fault: Fault, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let next_fault = 1 + random.index(FIRST_FAULT);
        Self { fault, random, frames: 0, next_fault, overtaken: None, past: VecDeque::new() }
    }

    /// What happens to the next frame, given with its length field; and whether the fault hits it.
    pub fn handle_frame(&mut self, frame: Vec<u8>) -> (Vec<Operation>, bool) {
        let number = self.frames;
        self.frames += 1;
        let mut operations = Vec::new();
        let due = number >= self.next_fault;
        if due {
            self.next_fault = number + 1 + self.random.index(GAP);
            self.spoil(frame.clone(), &mut operations);
        } else {
            operations.push(Operation::Send(frame.clone()));
        }
        if self.overtaken.as_ref().is_some_and(|waiting| !due || *waiting != frame) {
            operations.extend(self.overtaken.take().map(Operation::Send));
        }
        self.past.push_back(frame);
        if self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
        (operations, due)
    }

    fn spoil(&mut self, mut frame: Vec<u8>, operations: &mut Vec<Operation>) {
        match self.fault {
            Fault::Drop => operations.push(Operation::Drop),
            Fault::Duplicate => {
                let again = match self.random.index(2) {
                    0 => frame.clone(),
                    // One of the last frames; this one if there are none.
                    _ => {
                        self.past.get(self.random.index(self.past.len())).unwrap_or(&frame).clone()
                    }
                };
                operations.extend([Operation::Send(frame), Operation::Send(again)]);
            }
            Fault::Inject => {
                let mut forged = frame.clone();
                let earlier = self.past.get(self.random.index(self.past.len())).unwrap_or(&frame);
                // The length of the frame stays as it is: only bodies are joined.
                let most = forged.len().min(earlier.len()).saturating_sub(HEADER);
                let end = self.random.index(most + 1);
                let (kept, from) = (forged.len() - end, earlier.len() - end);
                forged[kept..].copy_from_slice(&earlier[from..]);
                operations.extend([Operation::Send(forged), Operation::Send(frame)]);
            }
            Fault::Reorder => {
                // A frame that waits already goes first.
                operations.extend(self.overtaken.replace(frame).map(Operation::Send));
            }
            Fault::Flip => {
                let bit = self.random.index(frame.len() * 8);
                frame[bit / 8] ^= 1 << (bit % 8);
                operations.push(Operation::Send(frame));
            }
            Fault::Delay => {
                let wait = Duration::from_micros(self.random.number() % 50_000);
                operations.extend([Operation::Wait(wait), Operation::Send(frame)]);
            }
            Fault::Slice => {
                let mut rest = frame.as_slice();
                while !rest.is_empty() {
                    let most = if rest.len() > 2_000 { rest.len() } else { 40 };
                    let (slice, after) =
                        rest.split_at((1 + self.random.index(most)).min(rest.len()));
                    operations.push(Operation::Send(slice.to_vec()));
                    operations.push(Operation::Wait(Duration::ZERO));
                    rest = after;
                }
            }
            Fault::Truncate => {
                frame.truncate(self.random.index(frame.len()));
                operations.extend([Operation::Send(frame), Operation::End]);
            }
            Fault::Reset => operations.push(Operation::Reset),
            Fault::Stall => operations.push(Operation::Stall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: usize) -> Vec<u8> {
        let body = u32::try_from(number).unwrap().to_be_bytes();
        [&4u32.to_be_bytes()[..], &[0, 1], &body].concat()
    }

    /// What is sent of 1,000 frames, and how many faults there were.
    fn sent(fault: Fault, seed: u64) -> (Vec<u8>, usize) {
        let mut script = Script::new(fault, seed);
        let (mut bytes, mut faults) = (Vec::new(), 0);
        for number in 0..1_000 {
            let (operations, due) = script.handle_frame(frame(number));
            faults += usize::from(due);
            for operation in operations {
                match operation {
                    Operation::Send(some) => bytes.extend(some),
                    Operation::Drop | Operation::Wait(_) => {}
                    Operation::End | Operation::Reset | Operation::Stall => return (bytes, faults),
                }
            }
        }
        (bytes, faults)
    }

    #[test]
    fn the_same_seed_is_the_same_script() {
        for fault in Fault::ALL {
            assert_eq!(sent(fault, 7), sent(fault, 7));
            assert_ne!(sent(Fault::Flip, 7), sent(Fault::Flip, 8));
        }
    }

    #[test]
    fn each_fault_is_as_named_and_spares_greetings() {
        let whole: Vec<u8> = (0..1_000).flat_map(frame).collect();
        for (fault, seed) in Fault::ALL.into_iter().flat_map(|fault| [(fault, 1), (fault, 2)]) {
            let (bytes, faults) = sent(fault, seed);
            assert!(faults > 0, "{fault}");
            assert_eq!(bytes[..10], whole[..10], "{fault}");
            match fault {
                Fault::Delay | Fault::Slice => assert_eq!(bytes, whole, "{fault}"),
                Fault::Drop => assert_eq!(bytes.len(), whole.len() - 10 * faults),
                Fault::Duplicate | Fault::Inject => {
                    assert_eq!(bytes.len(), whole.len() + 10 * faults);
                }
                Fault::Flip => {
                    let flipped = bytes.iter().zip(&whole).filter(|(a, b)| a != b);
                    assert_eq!(flipped.count(), faults);
                }
                Fault::Reorder => {
                    assert_ne!(bytes, whole);
                    // One may still wait at the end.
                    assert!(bytes.len() >= whole.len() - 10);
                }
                Fault::Truncate | Fault::Reset | Fault::Stall => {
                    assert!(bytes.len() < whole.len() && whole.starts_with(&bytes), "{fault}");
                }
            }
        }
    }
}
