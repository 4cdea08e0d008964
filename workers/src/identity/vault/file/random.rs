//! Random bytes for salts, nonces and key files.

use ring::rand::{SecureRandom, SystemRandom};

use crate::identity::vault::file::error::VaultFileError;

/// As many bytes as the caller's array has.
///
/// # Errors
/// [`VaultFileError::NoRandomness`] if the system gives none.
pub(super) fn random<const N: usize>() -> Result<[u8; N], VaultFileError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| VaultFileError::NoRandomness)?;
    Ok(bytes)
}
