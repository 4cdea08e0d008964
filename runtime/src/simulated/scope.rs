//! What code runs in while it belongs to a simulated network: the random bits of its seed, and its
//! calendar.
//!
//! It belongs to the thread, as the clock does: the code that makes an address knows no node. A
//! node's [arbiter](super::arbiter) enters the node's scope for as long as it runs the node's
//! tasks, and the network's own scope is entered for all else.

use std::{cell::RefCell, mem::swap, time::Duration};

use tokio::time::Instant;

/// Where the calendar of every network begins: the first moment of 2025.
const BEGINNING: Duration = Duration::from_secs(1_735_689_600);

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// One node's, or a network's own, random bits and calendar.
#[derive(Clone, Debug)]
pub struct Scope {
    random: Random,
    began: Instant,
}

impl Scope {
    /// A scope with the random bits of `seed`, whose calendar began at `began`.
    pub fn new(seed: u64, began: Instant) -> Self {
        Self { random: Random::new(seed), began }
    }

    /// Runs `inside` in this scope.
    pub fn run<T>(self_: &mut Option<Self>, inside: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(self_);
        inside()
    }
}

/// Exchanges the thread's scope for another one, and back when this is dropped, also by a panic.
struct Entered<'a>(&'a mut Option<Scope>);

impl<'a> Entered<'a> {
    fn new(scope: &'a mut Option<Scope>) -> Self {
        SCOPE.with_borrow_mut(|current| swap(current, scope));
        Self(scope)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        SCOPE.with_borrow_mut(|current| swap(current, self.0));
    }
}

/// Fills `bytes` from the seed of the scope that this thread runs in; false if it runs in none.
pub(crate) fn fill(bytes: &mut [u8]) -> bool {
    SCOPE.with_borrow_mut(|scope| {
        let Some(scope) = scope else { return false };
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&scope.random.next_u64().to_le_bytes()[..chunk.len()]);
        }
        true
    })
}

/// Random bits from the seed of the scope that this thread runs in.
pub(crate) fn bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes).then_some(bytes)
}

/// The time since 1970 in the scope that this thread runs in.
pub(crate) fn since_1970() -> Option<Duration> {
    SCOPE.with_borrow(|scope| scope.as_ref().map(|scope| BEGINNING + scope.began.elapsed()))
}

/// Numbers that follow from a seed: the splitmix64 sequence. For simulations alone, as every number
/// tells all that follow.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `limit`, or 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next_u64().checked_rem(limit).unwrap_or(0)
    }

    /// True `per_mille` times of a thousand.
    pub fn happens(&mut self, per_mille: u16) -> bool {
        self.below(1_000) < u64::from(per_mille)
    }

    /// A sequence of its own for each `name`.
    #[must_use]
    pub fn of(seed: u64, name: &str) -> Self {
        // FNV-1a: the same everywhere and always, unlike the standard library's hashers.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(Self(seed ^ hash).next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::Address, random};

    #[test]
    fn addresses_follow_from_the_seed_inside_a_scope() {
        let addresses = |seed| {
            let mut scope = Some(Scope::new(seed, Instant::now()));
            Scope::run(&mut scope, || [(); 3].map(|()| Address::random()))
        };
        assert_eq!(addresses(1), addresses(1));
        assert_ne!(addresses(1), addresses(2));
        assert_ne!(random::bytes::<16>(), random::bytes::<16>());
        assert_ne!(Address::random(), addresses(1)[0]);
    }

    #[test]
    fn scopes_go_on_where_they_were_left() {
        let mut scopes = [1, 2].map(|seed| Some(Scope::new(seed, Instant::now())));
        let [one, other] = &mut scopes;
        let taken = [one, other].map(|scope| Scope::run(scope, random::bytes::<8>));
        let mut inner = Some(Scope::new(2, Instant::now()));
        let mut outer = Some(Scope::new(1, Instant::now()));
        let nested = Scope::run(&mut outer, || {
            [random::bytes::<8>(), Scope::run(&mut inner, random::bytes::<8>), random::bytes()]
        });
        assert_eq!([nested[0], nested[1]], taken);
        assert_eq!(nested[2], Scope::run(&mut scopes[0], random::bytes::<8>));
    }
}
