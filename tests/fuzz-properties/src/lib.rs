//! Properties that hold for every input of a decoder or a state machine, whatever its bytes are.
//!
//! The fuzz targets of `fuzz/` look for inputs that break one of these; the test of this crate
//! replays the inputs that are kept.

// Properties are there to assert, and a panic shows what does not hold.
#![allow(clippy::unwrap_used)]

use arbitrary::{Arbitrary, Unstructured};

pub mod credit;
pub mod expendable_record;
pub mod frame;
pub mod handshake;
pub mod identity;
pub mod message;
pub mod notice;
pub mod packet;
pub mod portal_message;
pub mod record;
pub mod registration;
pub mod stream;
pub mod table;
pub mod text;
pub mod vault_file;
pub mod websocket;

/// A property: it panics for an input that breaks it.
pub type Property = fn(&[u8]);

/// Every property by the name of its fuzz target and of the folder with its inputs.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("credit", credit::check),
    ("expendable_record", expendable_record::check),
    ("frame", frame::check),
    ("handshake", handshake::check),
    ("identity", identity::check),
    ("message", message::check),
    ("notice", notice::check),
    ("packet", packet::check),
    ("portal_message", portal_message::check),
    ("record", record::check),
    ("registration", registration::check),
    ("stream", stream::check),
    ("table", table::check),
    ("text", text::check),
    ("vault_file", vault_file::check),
    ("websocket", websocket::check),
];

/// Makes a value from the bytes, as libFuzzer does, and checks it; bytes that make none are
/// skipped.
fn structured<'a, T: Arbitrary<'a>>(input: &'a [u8], check: impl FnOnce(T)) {
    if let Ok(value) = T::arbitrary_take_rest(Unstructured::new(input)) {
        check(value);
    }
}
