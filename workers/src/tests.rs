//! Tests that concern all decoders: the examples of the protocol document, and inputs that are
//! mutations of them.

mod mutated_inputs;
pub(crate) mod protocol_document;
