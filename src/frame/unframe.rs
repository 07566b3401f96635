//! Takes the frames off what a server writes, for who reads it within this process: messages as they come, piece by
//! piece, so that a long one is never held.

use crate::frame::{FINAL, LENGTH_IN_2_BYTES, LENGTH_IN_8_BYTES, Opcode};

/// A part of what was written.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes of a message.
    Text(&'a [u8]),
    Ping,
    /// The end, with the code and the reason.
    Close(u16, String),
}

/// How far the current frame was read.
#[derive(Default)]
pub struct Unframer {
    header: Vec<u8>,
    /// What is still to come of the payload; `None`: the header is not complete.
    rest: Option<u64>,
    /// The payload of a close.
    close: Vec<u8>,
}

impl Unframer {
    /// Hands on what these bytes bring.
    pub fn take<'a>(&mut self, mut bytes: &'a [u8], mut each: impl FnMut(Piece<'a>)) {
        while !bytes.is_empty() {
            let Some(rest) = self.rest else {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                self.rest = length(&self.header);
                if self.rest == Some(0) {
                    self.end(&mut each);
                }
                continue;
            };
            let count = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, behind) = bytes.split_at(count);
            bytes = behind;
            match self.header[0] & !FINAL {
                kind if kind == Opcode::Text as u8 => each(Piece::Text(payload)),
                kind if kind == Opcode::Close as u8 => self.close.extend_from_slice(payload),
                _ => {}
            }
            self.rest = Some(rest - count as u64);
            if self.rest == Some(0) {
                self.end(&mut each);
            }
        }
    }

    fn end<'a>(&mut self, each: &mut impl FnMut(Piece<'a>)) {
        match self.header[0] & !FINAL {
            kind if kind == Opcode::Ping as u8 => each(Piece::Ping),
            kind if kind == Opcode::Close as u8 => {
                let (code, reason) = self
                    .close
                    .split_first_chunk()
                    .map_or((1005, &[][..]), |(code, reason)| (u16::from_be_bytes(*code), reason));
                each(Piece::Close(code, String::from_utf8_lossy(reason).into_owned()));
            }
            _ => {}
        }
        self.header.clear();
        self.rest = None;
    }
}

/// The length of the payload, once the header is complete.
fn length(header: &[u8]) -> Option<u64> {
    match header {
        [_, short] if *short < LENGTH_IN_2_BYTES => Some(u64::from(*short)),
        [_, LENGTH_IN_2_BYTES, length @ ..] => {
            length.try_into().ok().map(|length| u64::from(u16::from_be_bytes(length)))
        }
        [_, LENGTH_IN_8_BYTES, length @ ..] => length.try_into().ok().map(u64::from_be_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;

    #[test]
    fn every_message_comes_out_as_it_went_in_however_it_is_torn() {
        let long = "x".repeat(70_000);
        let mut bytes = Vec::new();
        for text in ["one", "", &"y".repeat(200), &long] {
            frame::push_text(&mut bytes, text.as_bytes());
        }
        frame::push_ping(&mut bytes, b"");
        frame::push_close(&mut bytes, 1013, "slow");
        for step in [1, 2, 7, 1000, bytes.len()] {
            let (mut unframer, mut text, mut others) = (Unframer::default(), Vec::new(), Vec::new());
            for piece in bytes.chunks(step) {
                unframer.take(piece, |piece| match piece {
                    Piece::Text(part) => text.extend_from_slice(part),
                    Piece::Ping => others.push("ping".to_owned()),
                    Piece::Close(code, reason) => others.push(format!("{code} {reason}")),
                });
            }
            assert!(text == format!("one{}{long}", "y".repeat(200)).as_bytes(), "in steps of {step}");
            assert_eq!(others, ["ping", "1013 slow"]);
        }
    }
}
