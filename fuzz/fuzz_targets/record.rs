//! Records of an established channel in any order, altered or not: only the next one opens, to what
//! was sealed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::record::check(input));
