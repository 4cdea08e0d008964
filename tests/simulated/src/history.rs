//! What clients and the target have noted, and what must hold of it.

use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc};

/// How a direction ended, as its reader saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With the end of the bytes.
    Clean,
    /// With an error.
    Error(String),
}

/// One direction of one exchange.
#[derive(Clone, Debug, Default)]
pub struct Direction {
    /// Bytes that the writer's socket took.
    pub sent: u64,
    /// Whether the writer has ended the direction after the last of them.
    pub was_ended: bool,
    /// Bytes that the reader got, each of which was the right one.
    pub received: u64,
    /// Where the first wrong byte was.
    pub wrong_at: Option<u64>,
    /// How the direction ended for its reader.
    pub end: Option<End>,
}

/// What is noted of one exchange.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// From the client to the target.
    pub up: Direction,
    /// From the target to the client.
    pub down: Direction,
}

/// What is noted of all exchanges of a run, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct History(Rc<RefCell<BTreeMap<u64, Noted>>>);

impl History {
    /// Notes something of an exchange.
    pub fn note(&self, exchange: u64, change: impl FnOnce(&mut Noted)) {
        change(self.0.borrow_mut().entry(exchange).or_default());
    }

    /// What is noted of an exchange.
    pub fn of(&self, exchange: u64) -> Noted {
        self.0.borrow().get(&exchange).cloned().unwrap_or_default()
    }

    /// What does not hold.
    ///
    /// Each reader got a prefix of what the writer sent; if it saw an end without an error, it was
    /// the writer's own end, and nothing was missing before it.
    pub fn violations(&self) -> Vec<String> {
        let all = self.0.borrow();
        let directions = |(number, noted): (&u64, &Noted)| {
            [(*number, "up", noted.up.clone()), (*number, "down", noted.down.clone())]
        };
        let mut found = Vec::new();
        for (number, name, direction) in all.iter().flat_map(directions) {
            let mut complain = |what: fmt::Arguments<'_>| {
                found.push(format!("exchange {number} {name}: {what}: {direction:?}"));
            };
            if let Some(at) = direction.wrong_at {
                complain(format_args!("the byte at {at} is wrong"));
            }
            if direction.received > direction.sent {
                complain(format_args!("more was received than sent"));
            }
            let is_whole = direction.was_ended && direction.received == direction.sent;
            if direction.end == Some(End::Clean) && !is_whole {
                complain(format_args!("it ended without an error, and was not whole"));
            }
        }
        found
    }
}

impl Noted {
    /// Whether all arrived, in both directions, and ended.
    pub fn is_whole(&self) -> bool {
        [&self.up, &self.down].into_iter().all(|direction| {
            direction.was_ended
                && direction.received == direction.sent
                && direction.end == Some(End::Clean)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(up: Direction) -> usize {
        let history = History::default();
        history.note(1, |noted| noted.up = up);
        history.violations().len()
    }

    #[test]
    fn a_prefix_and_an_exact_end_are_right() {
        let error = Some(End::Error("reset".into()));
        let cut = Direction { sent: 10, received: 7, end: error, ..Direction::default() };
        assert_eq!(violations(cut), 0);
        let end = Some(End::Clean);
        let whole = Direction { sent: 10, received: 10, was_ended: true, end, wrong_at: None };
        assert_eq!(violations(whole.clone()), 0);
        assert_eq!(violations(Direction { received: 9, ..whole.clone() }), 1, "a gap at the end");
        assert_eq!(violations(Direction { was_ended: false, ..whole.clone() }), 1, "a false end");
        assert_eq!(violations(Direction { wrong_at: Some(3), ..whole.clone() }), 1, "a wrong byte");
        assert_eq!(violations(Direction { received: 11, ..whole }), 2, "a byte too many");
    }
}
