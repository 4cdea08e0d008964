//! Vault files of unknown origin: none that was not sealed with the key is opened.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::vault_file::check(input));
