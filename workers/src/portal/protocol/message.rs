//! The eleven messages of a stream and their MessagePack form.
//!
//! | message | array | direction |
//! |---|---|---|
//! | `Open` | `[0, version, limit, secret, (client, (target))]` | inlet to outlet, first |
//! | `Opened` | `[1, limit, life]` | outlet to inlet, first |
//! | `Refused` | `[2, code, text]` | outlet to inlet, instead of `Opened` |
//! | `Data` | `[3, offset, bin]` | both |
//! | `Window` | `[4, limit]` | both |
//! | `Fin` | `[5, final offset]` | both |
//! | `Reset` | `[6, code]` | both |
//! | `Ack` | `[7, received]` | both |
//! | `Resume` | `[8, version, secret, attempt, received, limit]` | inlet to outlet, first on a path |
//! | `Resumed` | `[9, received, limit]` | outlet to inlet, in answer to it |
//! | `Unknown` | `[10, life]` | outlet to inlet, instead of `Resumed` |
//!
//! Integers are read in every width MessagePack has and written in the shortest, except in
//! [`data_header`], whose size is fixed so that bytes can be read from a socket straight after the
//! room kept for it. Decoding allocates nothing and copies nothing: a `Data`'s bytes are given as a
//! range of the input. A payload is 1 to [`MAX_MESSAGES`] messages, one after the other, not
//! counting `Open`: what an end has to say at the same time is sealed, sent and received once.

use std::{convert::Infallible, ops::Range};

use rmp::{
    decode::{read_array_len, read_bin_len, read_int, read_str_len},
    encode::{write_array_len, write_bin, write_str, write_uint, ByteBuf, ValueWriteError},
};
use thiserror::Error;

use crate::portal::{
    limits::{MAX_DATA, MAX_MESSAGES, MAX_TEXT},
    protocol::{
        introduction::{ClientAddresses, Introduction},
        offset::{Limit, Offset},
        reason::{ResetReason, StreamRefusal},
        resumption::{OutletLife, StreamSecret},
    },
};

/// The version of portals that `Open` names.
pub const VERSION: u64 = 1;
/// The size of what [`data_header`] writes before the bytes.
pub const DATA_HEADER: usize = 16;

const OPEN: u8 = 0;
const OPENED: u8 = 1;
const REFUSED: u8 = 2;
const DATA: u8 = 3;
const WINDOW: u8 = 4;
const FIN: u8 = 5;
const RESET: u8 = 6;
const ACK: u8 = 7;
const RESUME: u8 = 8;
const RESUMED: u8 = 9;
const UNKNOWN: u8 = 10;

/// Every message that carries no stream bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control<'a> {
    /// The inlet asks for a stream and lets the outlet send up to `limit`.
    Open {
        /// What the outlet may send.
        limit: Limit,
        /// What the stream can be resumed by; `None` if the inlet does not want that.
        secret: Option<StreamSecret>,
        /// What the inlet tells of its client.
        introduction: Introduction<'a>,
    },
    /// The outlet reached its target and lets the inlet send up to `limit`.
    Opened {
        /// What the inlet may send.
        limit: Limit,
        /// The outlet that keeps the stream when its path is lost; `None` if it does not.
        life: Option<OutletLife>,
    },
    /// The outlet does not open the stream; nothing follows.
    Refused {
        /// Why, for programs.
        reason: StreamRefusal,
        /// Why, for people; cut to [`MAX_TEXT`] bytes when encoded.
        text: &'a str,
    },
    /// More may be sent, up to `limit`.
    Window {
        /// What may be sent since the stream began.
        limit: Limit,
    },
    /// This direction is complete; the other goes on.
    Fin {
        /// All the bytes that were sent.
        offset: Offset,
    },
    /// Both directions end here, incomplete.
    Reset {
        /// Why.
        reason: ResetReason,
    },
    /// What has come in order, so that the sender may forget it.
    Ack {
        /// The number of bytes; `Fin` counts as one more.
        received: Offset,
    },
    /// The inlet goes on with a stream along another path.
    Resume {
        /// The stream, by what `Open` said.
        secret: StreamSecret,
        /// Counts the stream's resumes from 1: an older one that comes late is told from the last.
        attempt: u64,
        /// What has come from the outlet, as in `Ack`.
        received: Offset,
        /// What the outlet may send.
        limit: Limit,
    },
    /// The outlet goes on with the stream as well.
    Resumed {
        /// What has come from the inlet, as in `Ack`.
        received: Offset,
        /// What the inlet may send.
        limit: Limit,
    },
    /// The outlet has no stream with the secret of a `Resume`.
    Unknown {
        /// The outlet that does not know it.
        life: Option<OutletLife>,
    },
}

impl Control<'_> {
    /// The message's name, for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "Open",
            Self::Opened { .. } => "Opened",
            Self::Refused { .. } => "Refused",
            Self::Window { .. } => "Window",
            Self::Fin { .. } => "Fin",
            Self::Reset { .. } => "Reset",
            Self::Ack { .. } => "Ack",
            Self::Resume { .. } => "Resume",
            Self::Resumed { .. } => "Resumed",
            Self::Unknown { .. } => "Unknown",
        }
    }

    /// The message as MessagePack.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = ByteBuf::new();
        self.encode_to(&mut out);
        out.into_vec()
    }

    /// Adds the message as MessagePack to `out`.
    pub(crate) fn encode_to(&self, out: &mut ByteBuf) {
        let number = |life: Option<OutletLife>| life.map_or(0, OutletLife::value);
        match *self {
            Self::Open { limit, secret, introduction } => {
                let secret = secret.as_ref().map_or(&[][..], |secret| secret.as_bytes());
                let elements = 4 + introduction.elements();
                array(out, elements, &[OPEN.into(), VERSION, limit.value()]);
                written(write_bin(out, secret));
                out.as_mut_vec().extend_from_slice(introduction.encoded());
            }
            Self::Opened { limit, life } => {
                array(out, 3, &[OPENED.into(), limit.value(), number(life)]);
            }
            Self::Refused { reason, text } => {
                array(out, 3, &[REFUSED.into(), reason.code().into()]);
                written(write_str(out, shortened(text)));
            }
            Self::Window { limit } => array(out, 2, &[WINDOW.into(), limit.value()]),
            Self::Fin { offset } => array(out, 2, &[FIN.into(), offset.value()]),
            Self::Reset { reason } => array(out, 2, &[RESET.into(), reason.code().into()]),
            Self::Ack { received } => array(out, 2, &[ACK.into(), received.value()]),
            Self::Resume { secret, attempt, received, limit } => {
                array(out, 6, &[RESUME.into(), VERSION]);
                written(write_bin(out, secret.as_bytes()));
                integers(out, &[attempt, received.value(), limit.value()]);
            }
            Self::Resumed { received, limit } => {
                array(out, 3, &[RESUMED.into(), received.value(), limit.value()]);
            }
            Self::Unknown { life } => array(out, 2, &[UNKNOWN.into(), number(life)]),
        }
    }
}

/// The elements of an [`Introduction`]; `target` is `host:port`, or empty.
pub fn encode_introduction(client: Option<ClientAddresses>, target: &str) -> Vec<u8> {
    let mut out = ByteBuf::new();
    let client = client.map_or(Vec::new(), ClientAddresses::to_bytes);
    if !client.is_empty() || !target.is_empty() {
        written(write_bin(&mut out, &client));
    }
    if !target.is_empty() {
        written(write_str(&mut out, target));
    }
    out.into_vec()
}

/// A message that [`decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// Anything but stream bytes.
    Control(Control<'a>),
    /// Stream bytes: `offset` is that of the first, `range` is where they are in the input; never
    /// empty.
    Data {
        /// The position of the first byte in the stream.
        offset: Offset,
        /// Where the bytes are in the decoded input.
        range: Range<usize>,
    },
}

/// Why an input is not a message; always the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not the MessagePack type that belongs here, or the input ends too soon.
    #[error("{0} is missing, cut short or of the wrong type")]
    Malformed(&'static str),
    /// A first element that names no message.
    #[error("there is no portal message of kind {0}")]
    UnknownKind(u8),
    /// An array that is too long or too short for its message.
    #[error("message {kind} has {expected} elements, but {came} came")]
    WrongLength {
        /// The first element.
        kind: u8,
        /// What the message has.
        expected: u32,
        /// What came.
        came: u32,
    },
    /// `Open` or `Resume` in another version than this one; to be answered with
    /// [`StreamRefusal::UnsupportedVersion`].
    #[error("the peer speaks version {0} of portals, this is version {VERSION}")]
    UnsupportedVersion(u64),
    /// `Data` without bytes.
    #[error("Data carries no bytes")]
    EmptyData,
    /// More bytes than a field may have.
    #[error("{field} has {came} bytes, at most {max} are allowed")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its maximum.
        max: usize,
        /// What came, or was announced.
        came: usize,
    },
    /// A payload of too many messages.
    #[error("more than {MAX_MESSAGES} messages came at once")]
    TooMany,
}

/// The header that makes a `Data` message of `len` bytes at `offset`: array of 3, kind 3, 64-bit
/// offset, 32-bit length.
///
/// The caller keeps `len` between 1 and [`MAX_DATA`], or the peer refuses the message.
pub const fn data_header(offset: Offset, len: u32) -> [u8; DATA_HEADER] {
    let [a, b, c, d, e, f, g, h] = offset.value().to_be_bytes();
    let [i, j, k, l] = len.to_be_bytes();
    [0x93, DATA, 0xcf, a, b, c, d, e, f, g, h, 0xc6, i, j, k, l]
}

/// Reads the message that `input` begins with, and returns it with its length in bytes; the next
/// message, if there is one, begins after it.
pub fn decode(input: &[u8]) -> Result<(Decoded<'_>, usize), DecodeError> {
    let mut rest = input;
    let came = read_array_len(&mut rest).map_err(|_| DecodeError::Malformed("the array"))?;
    let kind: u8 = integer(&mut rest, "the kind")?;
    let exactly = |expected| match came == expected {
        true => Ok(()),
        false => Err(DecodeError::WrongLength { kind, expected, came }),
    };
    let decoded = match kind {
        DATA => {
            exactly(3)?;
            let offset = Offset::new(integer(&mut rest, "the offset")?);
            let len = bytes_len(&mut rest)?;
            let start = position(input, rest);
            rest = rest.get(len..).ok_or(DecodeError::Malformed("Data's bytes"))?;
            let range = start..position(input, rest);
            Decoded::Data { offset, range }
        }
        OPEN => {
            version(&mut rest)?;
            exactly(came.clamp(4, 6))?;
            let (limit, secret) = (limit(&mut rest)?, secret(&mut rest)?);
            let introduction = Introduction::read(&mut rest, came - 4);
            let introduction = introduction.map_err(DecodeError::Malformed)?;
            Decoded::Control(Control::Open { limit, secret, introduction })
        }
        OPENED => {
            exactly(3)?;
            let limit = limit(&mut rest)?;
            Decoded::Control(Control::Opened { limit, life: life(&mut rest)? })
        }
        REFUSED => {
            exactly(3)?;
            let reason = StreamRefusal::from_code(integer(&mut rest, "the reason")?);
            Decoded::Control(Control::Refused { reason, text: text(&mut rest)? })
        }
        WINDOW => {
            exactly(2)?;
            Decoded::Control(Control::Window { limit: limit(&mut rest)? })
        }
        FIN => {
            exactly(2)?;
            let offset = Offset::new(integer(&mut rest, "the final offset")?);
            Decoded::Control(Control::Fin { offset })
        }
        RESET => {
            exactly(2)?;
            let reason = ResetReason::from_code(integer(&mut rest, "the reason")?);
            Decoded::Control(Control::Reset { reason })
        }
        ACK => {
            exactly(2)?;
            Decoded::Control(Control::Ack { received: received(&mut rest)? })
        }
        RESUME => {
            version(&mut rest)?;
            exactly(6)?;
            let secret = secret(&mut rest)?.ok_or(DecodeError::Malformed("the secret"))?;
            let attempt = integer(&mut rest, "the attempt")?;
            let (received, limit) = (received(&mut rest)?, limit(&mut rest)?);
            Decoded::Control(Control::Resume { secret, attempt, received, limit })
        }
        RESUMED => {
            exactly(3)?;
            let (received, limit) = (received(&mut rest)?, limit(&mut rest)?);
            Decoded::Control(Control::Resumed { received, limit })
        }
        UNKNOWN => {
            exactly(2)?;
            Decoded::Control(Control::Unknown { life: life(&mut rest)? })
        }
        other => return Err(DecodeError::UnknownKind(other)),
    };
    Ok((decoded, position(input, rest)))
}

/// Where `rest`, the unread end of `input`, begins.
const fn position(input: &[u8], rest: &[u8]) -> usize {
    input.len().saturating_sub(rest.len())
}

fn integer<T: TryFrom<u64>>(rest: &mut &[u8], field: &'static str) -> Result<T, DecodeError> {
    let value: u64 = read_int(rest).map_err(|_| DecodeError::Malformed(field))?;
    T::try_from(value).map_err(|_| DecodeError::Malformed(field))
}

fn limit(rest: &mut &[u8]) -> Result<Limit, DecodeError> {
    integer(rest, "the limit").map(Limit::new)
}

/// Checks the version, which stands before all that a later version may change, such as the length.
fn version(rest: &mut &[u8]) -> Result<(), DecodeError> {
    match integer(rest, "the version")? {
        VERSION => Ok(()),
        other => Err(DecodeError::UnsupportedVersion(other)),
    }
}

fn received(rest: &mut &[u8]) -> Result<Offset, DecodeError> {
    integer(rest, "what was received").map(Offset::new)
}

fn life(rest: &mut &[u8]) -> Result<Option<OutletLife>, DecodeError> {
    integer(rest, "the life").map(OutletLife::new)
}

/// A secret, or no bytes for none.
fn secret(rest: &mut &[u8]) -> Result<Option<StreamSecret>, DecodeError> {
    const MALFORMED: DecodeError = DecodeError::Malformed("the secret");
    match read_bin_len(rest).map_err(|_| MALFORMED)? {
        0 => Ok(None),
        16 => {
            let (bytes, after) = rest.split_first_chunk().ok_or(MALFORMED)?;
            *rest = after;
            Ok(Some(StreamSecret::from_bytes(*bytes)))
        }
        _ => Err(MALFORMED),
    }
}

fn bytes_len(rest: &mut &[u8]) -> Result<usize, DecodeError> {
    let len = read_bin_len(rest).map_err(|_| DecodeError::Malformed("Data's bytes"))?;
    match at_most(MAX_DATA, len, "Data")? {
        0 => Err(DecodeError::EmptyData),
        len => Ok(len),
    }
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    const MALFORMED: DecodeError = DecodeError::Malformed("the text");
    let len = read_str_len(rest).map_err(|_| MALFORMED)?;
    let len = at_most(MAX_TEXT, len, "the text")?;
    let (text, after) = rest.split_at_checked(len).ok_or(MALFORMED)?;
    *rest = after;
    std::str::from_utf8(text).map_err(|_| MALFORMED)
}

fn at_most(max: usize, len: u32, field: &'static str) -> Result<usize, DecodeError> {
    let came = usize::try_from(len).unwrap_or(usize::MAX);
    match came <= max {
        true => Ok(came),
        false => Err(DecodeError::TooLong { field, max, came }),
    }
}

/// As much of `text` as [`MAX_TEXT`] allows, cut between two characters.
fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    &text[..end]
}

/// Begins an array of `len` elements with these.
fn array(out: &mut ByteBuf, len: u32, first: &[u64]) {
    out.as_mut_vec().reserve(64);
    written(write_array_len(out, len));
    integers(out, first);
}

fn integers(out: &mut ByteBuf, integers: &[u64]) {
    for integer in integers {
        written(write_uint(out, *integer));
    }
}

/// Writing to memory cannot fail, and the type of the error says so.
fn written<T>(result: Result<T, ValueWriteError<Infallible>>) {
    match result {
        Ok(_) => {}
        Err(
            ValueWriteError::InvalidMarkerWrite(never) | ValueWriteError::InvalidDataWrite(never),
        ) => match never {},
    }
}

#[cfg(test)]
mod tests;
