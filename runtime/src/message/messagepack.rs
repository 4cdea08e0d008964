//! Strict MessagePack: arrays, byte strings, short texts and small numbers, each in its shortest
//! form, limits checked before anything is allocated, the whole input consumed. One value has
//! exactly one encoding.
//!
//! Only two decoders read markers themselves, because they run for every message and have forms of
//! their own: the [codec](super::codec) and that of portal messages, whose numbers have a fixed
//! width.
//!
//! The low-level `rmp` reads the markers. Its serde half would also accept maps for arrays, arrays
//! for byte strings and longer headers than needed, and a decoder of strangers' bytes must not.

use std::{convert::Infallible, ops::RangeInclusive};

use rmp::{
    decode::{
        read_array_len, read_bin_len, read_int, read_str_len, NumValueReadError, ValueReadError,
    },
    encode::{write_array_len, write_bin, write_str, write_uint, ByteBuf, ValueWriteError},
};
use thiserror::Error;

/// Why bytes are not the expected MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("it ends inside a value")]
    Truncated,
    /// Another type stands where an array, a byte string or a text must be.
    #[error("a value has the wrong type")]
    WrongType,
    /// An array or a string is shorter or longer than allowed there.
    #[error("an array or string has length {found} where {least} to {most} are allowed")]
    Length {
        /// Length in the header.
        found: usize,
        /// Smallest length allowed.
        least: usize,
        /// Largest length allowed.
        most: usize,
    },
    /// A length header is longer than its value needs.
    #[error("a length is not in its shortest form")]
    NotShortest,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// Bytes follow the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
}

/// Reads one value after the other from a slice.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// The number of elements of the array that starts here.
    pub fn array(&mut self, allowed: RangeInclusive<usize>) -> Result<usize, DecodeError> {
        self.length(allowed, read_array_len, [15, 0])
    }

    /// A byte string of exactly `N` bytes.
    pub fn bin<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let length = self.length(N..=N, read_bin_len, [0, 255])?;
        // `take` gives as many bytes as asked for, and `length` is `N`.
        self.take(length)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    /// A byte string whose length is in `allowed`.
    pub fn bytes(&mut self, allowed: RangeInclusive<usize>) -> Result<&'a [u8], DecodeError> {
        let length = self.length(allowed, read_bin_len, [0, 255])?;
        self.take(length)
    }

    /// A number from 0 to 127, which is its own encoding.
    pub fn number(&mut self) -> Result<u8, DecodeError> {
        match self.take(1)? {
            [number @ 0..=127] => Ok(*number),
            _ => Err(DecodeError::WrongType),
        }
    }

    /// A UTF-8 text whose length in bytes is in `allowed`.
    pub fn text(&mut self, allowed: RangeInclusive<usize>) -> Result<&'a str, DecodeError> {
        let length = self.length(allowed, read_str_len, [31, 255])?;
        std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::NotText)
    }

    /// A number from 0 to 2^32 - 1.
    pub fn uint(&mut self) -> Result<u32, DecodeError> {
        let mut rest = self.rest;
        let found: u32 = read_int(&mut rest).map_err(number_error)?;
        // The marker that the number's size asks for; no number needs a signed one.
        let shortest = match found {
            0..=0x7f => self.rest.first().copied(),
            0x80..=0xff => Some(0xcc),
            0x100..=0xffff => Some(0xcd),
            _ => Some(0xce),
        };
        let used = self.rest.len() - rest.len();
        if self.rest.first().copied() != shortest || (found <= 0x7f && used != 1) {
            return Err(DecodeError::NotShortest);
        }
        self.rest = rest;
        Ok(found)
    }

    /// Accepts the end of the input and nothing else.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    /// Reads a length header. `short` are the largest lengths of the 1-byte and of the 2-byte
    /// header (0: there is none).
    fn length(
        &mut self,
        allowed: RangeInclusive<usize>,
        read: impl Fn(&mut &'a [u8]) -> Result<u32, ValueReadError>,
        short: [usize; 2],
    ) -> Result<usize, DecodeError> {
        let mut rest = self.rest;
        let found = usize::try_from(read(&mut rest).map_err(header_error)?).unwrap_or(usize::MAX);
        if !allowed.contains(&found) {
            return Err(DecodeError::Length {
                found,
                least: *allowed.start(),
                most: *allowed.end(),
            });
        }
        let shortest = match found {
            n if short[0] != 0 && n <= short[0] => 1,
            n if short[1] != 0 && n <= short[1] => 2,
            n if n <= usize::from(u16::MAX) => 3,
            _ => 5,
        };
        if self.rest.len() - rest.len() != shortest {
            return Err(DecodeError::NotShortest);
        }
        self.rest = rest;
        Ok(found)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn header_error(error: ValueReadError) -> DecodeError {
    match error {
        ValueReadError::TypeMismatch(_) => DecodeError::WrongType,
        ValueReadError::InvalidMarkerRead(_) | ValueReadError::InvalidDataRead(_) => {
            DecodeError::Truncated
        }
    }
}

fn number_error(error: NumValueReadError) -> DecodeError {
    match error {
        NumValueReadError::TypeMismatch(_) | NumValueReadError::OutOfRange => {
            DecodeError::WrongType
        }
        NumValueReadError::InvalidMarkerRead(_) | NumValueReadError::InvalidDataRead(_) => {
            DecodeError::Truncated
        }
    }
}

/// Writes values, each in its shortest form.
pub struct Writer {
    out: ByteBuf,
}

impl Writer {
    /// A writer with room for `capacity` bytes. With enough of it nothing is copied, which matters
    /// when the content is secret.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: ByteBuf::with_capacity(capacity) }
    }

    /// Starts an array of `count` elements. Counts beyond 32 bits do not occur: every array here
    /// has a small limit.
    pub fn array(&mut self, count: usize) {
        written(
            write_array_len(&mut self.out, u32::try_from(count).unwrap_or(u32::MAX)).map(|_| ()),
        );
    }

    /// Writes a number from 0 to 127; larger ones do not occur, and would lose their top bit.
    pub fn number(&mut self, number: u8) {
        self.out.as_mut_vec().push(number & 0x7f);
    }

    /// Writes a byte string.
    pub fn bin(&mut self, bytes: &[u8]) {
        written(write_bin(&mut self.out, bytes));
    }

    /// Writes a text.
    pub fn text(&mut self, text: &str) {
        written(write_str(&mut self.out, text));
    }

    /// Writes a number in its shortest form.
    pub fn uint(&mut self, number: u32) {
        written(write_uint(&mut self.out, u64::from(number)).map(|_| ()));
    }

    /// Everything written so far.
    pub fn finish(self) -> Vec<u8> {
        self.out.into_vec()
    }
}

/// Writing to memory cannot fail, and the types say so.
fn written(result: Result<(), ValueWriteError<Infallible>>) {
    let Ok(()) = result;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive() {
        let mut writer = Writer::with_capacity(64);
        writer.array(2);
        writer.bin(&[1, 2, 3]);
        writer.text("name");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.array(2..=2), Ok(2));
        assert_eq!(reader.bin(), Ok(&[1, 2, 3]));
        assert_eq!(reader.text(1..=8), Ok("name"));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn longer_headers_than_needed_are_refused() {
        assert_eq!(Reader::new(&[0xdc, 0, 1, 0xc0]).array(0..=9), Err(DecodeError::NotShortest));
        assert_eq!(Reader::new(&[0xc5, 0, 1, 7]).bin::<1>(), Err(DecodeError::NotShortest));
        assert_eq!(Reader::new(&[0xd9, 1, b'a']).text(0..=9), Err(DecodeError::NotShortest));
        assert_eq!(Reader::new(&[0xdc, 0, 16]).array(0..=16), Ok(16));
    }

    #[test]
    fn numbers_survive_in_their_shortest_form_only() {
        for number in [0, 127, 128, 255, 256, 65_535, 65_536, u32::MAX] {
            let mut writer = Writer::with_capacity(8);
            writer.uint(number);
            assert_eq!(Reader::new(&writer.finish()).uint(), Ok(number));
        }
        assert_eq!(Reader::new(&[0xcc, 1]).uint(), Err(DecodeError::NotShortest));
        assert_eq!(Reader::new(&[0xcd, 0, 200]).uint(), Err(DecodeError::NotShortest));
        assert_eq!(Reader::new(&[0xd1, 1, 0]).uint(), Err(DecodeError::NotShortest));
        assert_eq!(Reader::new(&[0xff]).uint(), Err(DecodeError::WrongType));
        assert_eq!(
            Reader::new(&[0xcf, 1, 0, 0, 0, 0, 0, 0, 0]).uint(),
            Err(DecodeError::WrongType)
        );
        assert_eq!(Reader::new(&[0xcd, 1]).uint(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0xa0]).uint(), Err(DecodeError::WrongType));
    }

    #[test]
    fn other_types_and_lengths_are_refused() {
        let map = [0x81, 0x01, 0x02];
        assert_eq!(Reader::new(&map).array(0..=9), Err(DecodeError::WrongType));
        assert_eq!(Reader::new(&[0x93, 1, 2, 3]).bin::<3>(), Err(DecodeError::WrongType));
        let huge = [0xdd, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            Reader::new(&huge).array(0..=9),
            Err(DecodeError::Length { most: 9, .. })
        ));
        assert_eq!(Reader::new(&[0xc4, 3, 1, 2]).bin::<3>(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[]).array(0..=9), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0xa1, 0xff]).text(0..=9), Err(DecodeError::NotText));
        assert_eq!(Reader::new(&[1]).finish(), Err(DecodeError::Trailing(1)));
    }
}
