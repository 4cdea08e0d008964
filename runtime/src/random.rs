//! Random bits for addresses, pauses and tables: the operating system's, or, in a simulated
//! network, those of its seed. Keys are always made of the system's.

use ring::rand::{SecureRandom, SystemRandom};

/// Fills `bytes` with random bits.
///
/// # Panics
/// If the operating system provides no randomness, as nothing can be kept secret then.
pub fn fill(bytes: &mut [u8]) {
    #[cfg(feature = "testing")]
    if crate::simulated::scope::fill(bytes) {
        return;
    }
    SystemRandom::new().fill(bytes).expect("the operating system provides randomness");
}

/// Random bits for one use.
///
/// # Panics
/// As [`fill`].
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
