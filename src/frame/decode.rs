//! Reading a client's frames as the bytes come, torn anywhere. A message is given once it is whole.
//!
//! Memory follows the bytes that came, never a length that was claimed, and an idle decoder holds none.

use crate::frame::{FINAL, Fault, LENGTH_IN_2_BYTES, LENGTH_IN_8_BYTES, MASKED, MAX_CONTROL, Opcode, Received};

/// Turns the bytes of one client into messages: `push` what was read, then `take` until there is none.
///
/// After a close or a fault it gives nothing more.
pub struct Decoder {
    max_message: usize,
    ended: bool,
    /// Only while something is incomplete, or not yet taken.
    pending: Option<Box<Pending>>,
}

#[derive(Default)]
struct Pending {
    /// What was pushed; everything before `taken` is done with.
    bytes: Vec<u8>,
    taken: usize,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// The payload of a control frame, which may come amid the fragments of a message.
    control: Vec<u8>,
    /// The message whose fragments are being read.
    message: Option<Message>,
}

struct Frame {
    is_final: bool,
    opcode: Opcode,
    mask: [u8; 4],
    length: usize,
    read: usize,
}

struct Message {
    is_text: bool,
    payload: Vec<u8>,
}

impl Decoder {
    /// A decoder that refuses messages of more than `max_message` bytes.
    pub fn new(max_message: usize) -> Decoder {
        Decoder { max_message, ended: false, pending: None }
    }

    /// Adds bytes that came. They are kept until `take` has used them, so whoever does not take messages must
    /// not push more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.ended || bytes.is_empty() {
            return;
        }
        let pending = self.pending.get_or_insert_default();
        pending.bytes.drain(..pending.taken);
        pending.taken = 0;
        pending.bytes.extend_from_slice(bytes);
    }

    /// The next whole message or control frame; `None` until more bytes come.
    ///
    /// # Errors
    /// A fault when the bytes are no frames, or the message is too big or not UTF-8.
    pub fn take(&mut self) -> Result<Option<Received>, Fault> {
        let Some(pending) = &mut self.pending else { return Ok(None) };
        let received = pending.next(self.max_message);
        if matches!(received, Err(_) | Ok(Some(Received::Close(_)))) {
            self.ended = true;
            self.pending = None;
        } else if pending.is_idle() {
            self.pending = None;
        } else {
            pending.forget_what_is_taken();
        }
        received
    }
}

impl Pending {
    fn is_idle(&self) -> bool {
        self.taken == self.bytes.len() && self.frame.is_none() && self.message.is_none()
    }

    fn forget_what_is_taken(&mut self) {
        if self.taken == self.bytes.len() {
            self.bytes = Vec::new();
            self.taken = 0;
        }
    }

    fn next(&mut self, max_message: usize) -> Result<Option<Received>, Fault> {
        loop {
            if self.frame.is_none() {
                let held = self.message.as_ref().map(|message| message.payload.len());
                let Some((frame, size)) = parse_header(&self.bytes[self.taken..], held, max_message)? else {
                    return Ok(None);
                };
                self.taken += size;
                self.frame = Some(frame);
            }
            let Some(frame) = self.read_payload() else { return Ok(None) };
            if let Some(received) = self.finish(frame)? {
                return Ok(Some(received));
            }
        }
    }

    /// Moves what is there of the current frame's payload to where it belongs; gives the frame once it is whole.
    fn read_payload(&mut self) -> Option<Frame> {
        let frame = self.frame.as_mut()?;
        let payload = match frame.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                let is_text = frame.opcode == Opcode::Text;
                &mut self.message.get_or_insert_with(|| Message { is_text, payload: Vec::new() }).payload
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => &mut self.control,
        };
        let here = &self.bytes[self.taken..];
        let here = &here[..here.len().min(frame.length - frame.read)];
        payload.extend(here.iter().zip(frame.read..).map(|(byte, at)| byte ^ frame.mask[at % 4]));
        frame.read += here.len();
        self.taken += here.len();
        self.frame.take_if(|frame| frame.read == frame.length)
    }

    /// What a whole frame gives: nothing if the message goes on in another.
    fn finish(&mut self, frame: Frame) -> Result<Option<Received>, Fault> {
        match frame.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation if !frame.is_final => Ok(None),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                let message = self.message.take().expect("a data frame begins or continues a message");
                if message.is_text {
                    String::from_utf8(message.payload).map(|text| Some(Received::Text(text))).or(Err(Fault::NotUtf8))
                } else {
                    Ok(Some(Received::Binary(message.payload)))
                }
            }
            Opcode::Ping => Ok(Some(Received::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control = Vec::new();
                Ok(Some(Received::Pong))
            }
            Opcode::Close => parse_close(&self.control).map(|close| Some(Received::Close(close))),
        }
    }
}

/// Reads a frame's header and judges it; `None` while it is incomplete. `held` is how many bytes the message
/// begun by earlier fragments has, if there is one.
fn parse_header(bytes: &[u8], held: Option<usize>, max_message: usize) -> Result<Option<(Frame, usize)>, Fault> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Fault::Protocol("a reserved bit is set"));
    }
    if second & MASKED == 0 {
        return Err(Fault::Protocol("the frame is not masked"));
    }
    let is_final = first & FINAL != 0;
    let opcode = match first & 0x0f {
        0x0 if held.is_none() => return Err(Fault::Protocol("there is no message to continue")),
        0x0 => Opcode::Continuation,
        0x1 | 0x2 if held.is_some() => return Err(Fault::Protocol("a message begins inside another")),
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        _ => return Err(Fault::Protocol("the opcode is reserved")),
    };
    let is_control = first & 0x08 != 0;
    let short = second & !MASKED;
    if is_control && !is_final {
        return Err(Fault::Protocol("a control frame is fragmented"));
    }
    if is_control && usize::from(short) > MAX_CONTROL {
        return Err(Fault::Protocol("a control frame is longer than 125 bytes"));
    }
    let (length, rest) = match short {
        LENGTH_IN_2_BYTES => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        LENGTH_IN_8_BYTES => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    if length >> 63 != 0 {
        return Err(Fault::Protocol("the length has its highest bit set"));
    }
    let room = if is_control { MAX_CONTROL } else { max_message.saturating_sub(held.unwrap_or(0)) };
    let length = usize::try_from(length).ok().filter(|length| *length <= room).ok_or(Fault::TooBig)?;
    let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let frame = Frame { is_final, opcode, mask: *mask, length, read: 0 };
    Ok(Some((frame, bytes.len() - rest.len())))
}

/// `[code in two bytes, reason]`, or nothing.
fn parse_close(payload: &[u8]) -> Result<Option<(u16, String)>, Fault> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Fault::Protocol("half a close code")),
        &[high, low, ref reason @ ..] => (u16::from_be_bytes([high, low]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::Protocol("no such close code"));
    }
    let reason = std::str::from_utf8(reason).or(Err(Fault::NotUtf8))?;
    Ok(Some((code, reason.to_owned())))
}

#[cfg(test)]
mod tests;
