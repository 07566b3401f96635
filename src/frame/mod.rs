//! WebSocket frames (RFC 6455, section 5): writing what a server sends, and reading what clients send.
//!
//! A server's frame is not masked, so its bytes are equal for everybody: encode once, write many times.

mod decode;
pub mod unframe;

pub use decode::Decoder;

use bytes::Bytes;
use std::fmt;
use std::ops::Deref;

/// What a control frame may carry, in bytes.
pub const MAX_CONTROL: usize = 125;

/// One thing a client sent, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    Text(String),
    Binary(Vec<u8>),
    /// To be answered with a pong that carries the same bytes.
    Ping(Vec<u8>),
    Pong,
    /// The last thing a client sends; the code and the reason when it gave any.
    Close(Option<(u16, String)>),
}

/// What makes a client's bytes unreadable. The connection cannot go on after one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The message is longer than allowed.
    TooBig,
    /// The text, or the reason of a close, is not UTF-8.
    NotUtf8,
    /// The bytes break the framing rule that is named.
    Protocol(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooBig => f.write_str("the message is too big"),
            Fault::NotUtf8 => f.write_str("the text is not UTF-8"),
            Fault::Protocol(rule) => f.write_str(rule),
        }
    }
}

impl std::error::Error for Fault {}

/// The kinds of frames, with their numbers on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH_IN_2_BYTES: u8 = 126;
const LENGTH_IN_8_BYTES: u8 = 127;

/// The 2, 4 or 10 bytes before a server's payload.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    bytes: [u8; 10],
    length: u8,
}

impl Deref for Header {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The header of a whole text message with a payload of this many bytes.
pub fn header(payload: usize) -> Header {
    header_of(Opcode::Text, payload)
}

fn header_of(opcode: Opcode, payload: usize) -> Header {
    let mut bytes = [0; 10];
    bytes[0] = FINAL | opcode as u8;
    let length = if payload <= MAX_CONTROL {
        bytes[1] = payload as u8;
        2
    } else if let Ok(short) = u16::try_from(payload) {
        bytes[1] = LENGTH_IN_2_BYTES;
        bytes[2..4].copy_from_slice(&short.to_be_bytes());
        4
    } else {
        bytes[1] = LENGTH_IN_8_BYTES;
        bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        10
    };
    Header { bytes, length }
}

/// Adds a text message to what is to be sent.
pub fn push_text(out: &mut Vec<u8>, payload: &[u8]) {
    push(out, Opcode::Text, payload);
}

/// A text message as one frame, to be shared.
pub fn text(payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    push_text(&mut frame, payload);
    frame.into()
}

/// Adds a ping. A payload past 125 bytes is cut: a control frame has no room for more.
pub fn push_ping(out: &mut Vec<u8>, payload: &[u8]) {
    push(out, Opcode::Ping, &payload[..payload.len().min(MAX_CONTROL)]);
}

/// Adds the answer to a ping, which carries the ping's payload.
pub fn push_pong(out: &mut Vec<u8>, payload: &[u8]) {
    push(out, Opcode::Pong, &payload[..payload.len().min(MAX_CONTROL)]);
}

/// Adds a close with its code and reason; a reason past 123 bytes is cut between characters.
pub fn push_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let code = code.to_be_bytes();
    let mut end = reason.len().min(MAX_CONTROL - code.len());
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    out.extend_from_slice(&header_of(Opcode::Close, code.len() + end));
    out.extend_from_slice(&code);
    out.extend_from_slice(&reason.as_bytes()[..end]);
}

/// Adds the answer to a close that gave no code.
pub fn push_bare_close(out: &mut Vec<u8>) {
    push(out, Opcode::Close, &[]);
}

fn push(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let header = header_of(opcode, payload.len());
    out.reserve(header.len() + payload.len());
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn a_text_message_is_written_as_the_standard_shows_it() {
        assert_eq!(pushed(|out| push_text(out, b"Hello")), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    }

    #[test]
    fn the_length_takes_the_fewest_bytes_that_hold_it() {
        assert_eq!(*header(0), [0x81, 0]);
        assert_eq!(*header(125), [0x81, 125]);
        assert_eq!(*header(126), [0x81, 126, 0, 126]);
        assert_eq!(*header(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(*header(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn control_frames_carry_their_payload() {
        assert_eq!(pushed(|out| push_ping(out, b"hi")), [0x89, 2, b'h', b'i']);
        assert_eq!(pushed(|out| push_pong(out, b"hi")), [0x8a, 2, b'h', b'i']);
        assert_eq!(pushed(|out| push_close(out, 1001, "bye")), [0x88, 5, 0x03, 0xe9, b'b', b'y', b'e']);
        assert_eq!(pushed(push_bare_close), [0x88, 0]);
    }

    #[test]
    fn control_frames_never_carry_more_than_fits() {
        assert_eq!(pushed(|out| push_ping(out, &[7; 300])).len(), 2 + MAX_CONTROL);
        assert_eq!(pushed(|out| push_pong(out, &[7; 300])).len(), 2 + MAX_CONTROL);
        let close = pushed(|out| push_close(out, 1000, &"é".repeat(100)));
        assert_eq!(close.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&close[4..]).is_ok());
    }
}
