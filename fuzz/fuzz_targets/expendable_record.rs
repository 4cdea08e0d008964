//! Expendable records of an established channel in any order, altered or not: each opens once, to
//! what was sealed, and no bad one harms another.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_properties::expendable_record::check(input));
