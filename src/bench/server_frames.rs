//! A server's frames as a light client reads them, and a client's as it writes them.

/// One frame of a server, whole.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Text(&'a [u8]),
    Ping(&'a [u8]),
    /// A close, or something that no server under test sends.
    Other(u8),
}

/// Cuts what one socket receives into frames; keeps only a torn one.
#[derive(Default)]
pub struct Frames {
    torn: Vec<u8>,
}

impl Frames {
    /// Hands every frame that is whole now to `each`, and stops at its first error.
    pub fn split<E>(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.torn.is_empty() {
            let rest = split(bytes, &mut each)?;
            self.torn.extend_from_slice(rest);
        } else {
            let mut whole = std::mem::take(&mut self.torn);
            whole.extend_from_slice(bytes);
            let rest = split(&whole, &mut each)?;
            self.torn = rest.to_vec();
        }
        Ok(())
    }
}

/// Returns what is left of a torn frame.
fn split<'a, E>(mut bytes: &'a [u8], each: &mut impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<&'a [u8], E> {
    while let &[first, short, ref rest @ ..] = bytes {
        let (length, rest) = match short {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (usize::from(u16::from_be_bytes(*length)), rest),
                None => break,
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length) as usize, rest),
                None => break,
            },
            short => (usize::from(short), rest),
        };
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        each(match first {
            0x81 => Frame::Text(payload),
            0x89 => Frame::Ping(payload),
            other => Frame::Other(other),
        })?;
        bytes = rest;
    }
    Ok(bytes)
}

/// A client's text message of at most 125 bytes.
pub fn text(payload: &str) -> Vec<u8> {
    masked(0x81, payload.as_bytes())
}

/// The answer to a ping.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    masked(0x8a, payload)
}

/// The mask is zero, so the bytes stay as they are.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= 125, "a light client says short things only");
    let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, Decoder, Received};

    #[test]
    fn what_the_server_writes_is_read_however_it_is_torn() {
        let mut bytes = Vec::new();
        let texts = ["", "short", &"x".repeat(300), &"y".repeat(70_000)].map(str::to_owned);
        texts.iter().for_each(|text| frame::push_text(&mut bytes, text.as_bytes()));
        for size in [1, 7, 1000, bytes.len()] {
            let (mut frames, mut read) = (Frames::default(), Vec::new());
            for chunk in bytes.chunks(size) {
                let outcome: Result<(), ()> = frames.split(chunk, |frame| {
                    let Frame::Text(text) = frame else { return Err(()) };
                    read.push(String::from_utf8(text.to_vec()).map_err(drop)?);
                    Ok(())
                });
                outcome.expect("text frames");
            }
            assert_eq!(read, texts, "torn every {size} bytes");
        }
    }

    #[test]
    fn the_server_reads_what_the_client_writes() {
        let mut decoder = Decoder::new(1000);
        decoder.push(&text("hello"));
        decoder.push(&pong(b"x"));
        assert_eq!(decoder.take(), Ok(Some(Received::Text("hello".to_owned()))));
        assert_eq!(decoder.take(), Ok(Some(Received::Pong)));
    }
}
