//! WebSocket frames as [RFC 6455] has them, without a socket: taking the payload of binary messages
//! out of what has arrived, and making frames of what is to be sent.
//!
//! The boundaries of messages mean nothing here: their payloads are one stream of bytes. So a
//! message may be of any length, and none is ever kept.
//!
//! [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455

use std::io::Cursor;

use bytes::{BufMut, BytesMut};
use ockam_actix_runtime::random;
use tungstenite::protocol::frame::{
    coding::{CloseCode, Control, Data, OpCode},
    FrameHeader,
};

/// Bytes of the longest payload of a frame that is not part of a message.
pub const MAX_CONTROL_BYTES: usize = 125;

/// Bytes of the longest header of a frame.
pub const MAX_HEADER_BYTES: usize = 14;

/// Which end of a connection this is: clients mask what they send, servers do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that has connected.
    Client,
    /// The end that has accepted.
    Server,
}

/// How the peer has broken the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A message of text.
    #[error("it sent a WebSocket message of text, and nodes send binary ones")]
    Text,
    /// A bit of an extension.
    #[error("it sent a WebSocket frame with an extension that was not agreed")]
    Extension,
    /// A frame of no known kind.
    #[error("it sent a WebSocket frame of unknown kind")]
    Kind,
    /// A server that masks, or a client that does not.
    #[error("it sent a WebSocket frame that a client must mask, and a server must not")]
    Masking,
    /// A part of no message, or a message within another one.
    #[error("it sent a WebSocket frame that does not belong to the message before it")]
    Order,
    /// A control frame that is longer than they may be, or in parts.
    #[error("it sent a WebSocket control frame that is too long, or in parts")]
    Control,
}

impl Violation {
    /// What the peer is told.
    pub fn code(self) -> u16 {
        match self {
            Self::Text => CloseCode::Unsupported.into(),
            _ => CloseCode::Protocol.into(),
        }
    }
}

// ----- what arrives ------------------------------------------------------------------------------

/// Takes payload out of frames that arrive in any cut.
#[derive(Debug)]
pub struct Incoming {
    role: Role,
    /// What has arrived of a header.
    header: ([u8; MAX_HEADER_BYTES], usize),
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// Whether the last frame of a message is still to come.
    is_in_message: bool,
    /// The payload of a control frame.
    control: Vec<u8>,
    /// The last ping, which is to be answered.
    pub ping: Option<Vec<u8>>,
    /// Whether the peer has closed the connection; what follows means nothing.
    pub is_closed: bool,
}

#[derive(Debug)]
struct Frame {
    kind: OpCode,
    left: u64,
    mask: Option<Mask>,
}

impl Incoming {
    /// Takes what arrives at this end.
    pub fn new(role: Role) -> Self {
        let header = ([0; MAX_HEADER_BYTES], 0);
        let (frame, is_in_message, control) = (None, false, Vec::new());
        Self { role, header, frame, is_in_message, control, ping: None, is_closed: false }
    }

    /// Moves the payload of messages in `arrived` to its front and returns how much there is.
    ///
    /// # Errors
    /// If the peer does not keep to the protocol.
    pub fn take(&mut self, arrived: &mut [u8]) -> Result<usize, Violation> {
        let (mut at, mut kept) = (0, 0);
        while !self.is_closed {
            let Some(frame) = &mut self.frame else {
                match self.take_header(&arrived[at..])? {
                    0 => break,
                    length => at += length,
                }
                continue;
            };
            let rest = arrived.len() - at;
            let length = usize::try_from(frame.left).unwrap_or(usize::MAX).min(rest);
            if length == 0 && frame.left > 0 {
                break;
            }
            let end = at + length;
            if let Some(mask) = &mut frame.mask {
                mask.apply(&mut arrived[at..end]);
            }
            if let OpCode::Control(_) = frame.kind {
                self.control.extend_from_slice(&arrived[at..end]);
            } else {
                if kept != at {
                    arrived.copy_within(at..end, kept);
                }
                kept += length;
            }
            at = end;
            frame.left -= length as u64;
            if frame.left == 0 {
                self.end_frame();
            }
        }
        Ok(kept)
    }

    /// Takes bytes of a header and returns how many; with its last, the frame begins.
    fn take_header(&mut self, arrived: &[u8]) -> Result<usize, Violation> {
        let (header, had) = &mut self.header;
        let before = *had;
        for byte in arrived {
            header[*had] = *byte;
            *had += 1;
            if *had < 2 || *had < header_length(header[1]) {
                continue;
            }
            let parsed = FrameHeader::parse(&mut Cursor::new(&header[..*had]));
            let taken = *had - before;
            *had = 0;
            let Ok(Some((header, length))) = parsed else { return Err(Violation::Kind) };
            self.begin_frame(&header, length)?;
            return Ok(taken);
        }
        Ok(arrived.len())
    }

    fn begin_frame(&mut self, header: &FrameHeader, left: u64) -> Result<(), Violation> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::Extension);
        }
        if header.mask.is_some() != (self.role == Role::Server) {
            return Err(Violation::Masking);
        }
        match header.opcode {
            OpCode::Data(Data::Text) => return Err(Violation::Text),
            OpCode::Data(data) => {
                if self.is_in_message != (data == Data::Continue) {
                    return Err(Violation::Order);
                }
                self.is_in_message = !header.is_final;
            }
            OpCode::Control(_) => {
                if !header.is_final || left > MAX_CONTROL_BYTES as u64 {
                    return Err(Violation::Control);
                }
            }
        }
        let mask = header.mask.map(Mask::new);
        self.frame = Some(Frame { kind: header.opcode, left, mask });
        Ok(())
    }

    fn end_frame(&mut self) {
        match self.frame.take().map(|frame| frame.kind) {
            Some(OpCode::Control(Control::Ping)) => {
                self.ping = Some(std::mem::take(&mut self.control));
            }
            Some(OpCode::Control(Control::Close)) => self.is_closed = true,
            _ => {}
        }
        self.control.clear();
    }
}

/// The length of a header with this second byte.
fn header_length(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if second & 0x80 == 0 { 0 } else { 4 }
}

// ----- what is sent ------------------------------------------------------------------------------

/// Appends a message of the bytes in `parts`, which are `length` together, masked.
pub fn put_masked<'a>(
    out: &mut BytesMut,
    key: [u8; 4],
    length: usize,
    parts: impl IntoIterator<Item = &'a [u8]>,
) {
    put_header(out, OpCode::Data(Data::Binary), Some(key), length);
    let begin = out.len();
    parts.into_iter().for_each(|part| out.extend_from_slice(part));
    Mask::new(key).apply(&mut out[begin..]);
}

/// Appends the header of a message of `length` bytes, which follow as they are.
pub fn put_message_header(out: &mut BytesMut, length: usize) {
    put_header(out, OpCode::Data(Data::Binary), None, length);
}

/// Appends the answer to a ping.
pub fn put_pong(out: &mut BytesMut, key: Option<[u8; 4]>, payload: &[u8]) {
    put_control(out, Control::Pong, key, payload);
}

/// Appends the last frame of a connection, which says why it ends.
pub fn put_close(out: &mut BytesMut, key: Option<[u8; 4]>, code: u16) {
    put_control(out, Control::Close, key, &code.to_be_bytes());
}

fn put_control(out: &mut BytesMut, kind: Control, key: Option<[u8; 4]>, payload: &[u8]) {
    put_header(out, OpCode::Control(kind), key, payload.len());
    let begin = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        Mask::new(key).apply(&mut out[begin..]);
    }
}

fn put_header(out: &mut BytesMut, opcode: OpCode, mask: Option<[u8; 4]>, length: usize) {
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    header.format(length as u64, &mut out.writer()).expect("writing to memory does not fail");
}

// ----- masks -------------------------------------------------------------------------------------

/// A mask and how far it has been applied.
#[derive(Debug)]
struct Mask {
    /// The key, as the next byte needs it.
    key: [u8; 4],
}

impl Mask {
    fn new(key: [u8; 4]) -> Self {
        Self { key }
    }

    fn apply(&mut self, bytes: &mut [u8]) {
        let [a, b, c, d] = self.key;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = bytes.as_chunks_mut();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        rest.iter_mut().zip(self.key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        let used = rest.len() % self.key.len();
        self.key.rotate_left(used);
    }
}

/// Keys that nobody can guess, so that what this node sends never looks like something else to a
/// machine on the way. They are drawn many at a time.
#[derive(Debug, Default)]
pub(super) struct Keys {
    drawn: Vec<[u8; 4]>,
}

impl Keys {
    /// One that was not used before.
    pub(super) fn next(&mut self) -> [u8; 4] {
        if let Some(key) = self.drawn.pop() {
            return key;
        }
        let bytes: [u8; 64] = random::bytes();
        self.drawn.extend_from_slice(bytes.as_chunks().0);
        self.drawn.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
