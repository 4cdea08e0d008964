//! The single rules of a stream that outlives its path, by name.
