//! What waits for one socket that would block: replies, and a bounded piece of pushes, in one order. The
//! bytes are shared with everybody who gets the same, and nothing is held while nothing waits.

use bytes::Bytes;
use std::collections::VecDeque;

/// In place of the number of a watch: a push that belongs to none.
pub const PUSHED: u32 = u32::MAX;

/// Frames that are ready to be written, oldest first.
#[derive(Debug, Default)]
pub struct Mailbox {
    pieces: VecDeque<Piece>,
    /// How much of the first piece was written.
    written: usize,
    /// Bytes of all pieces together.
    bytes: usize,
    /// How many pieces are pushes that belong to no watch.
    pushed: usize,
}

#[derive(Debug)]
struct Piece {
    /// Whose push it is; `None` for an answer.
    watch: Option<u32>,
    frames: Bytes,
}

impl Mailbox {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes - self.written
    }

    /// How many pushes that belong to no watch wait.
    pub fn pushed(&self) -> usize {
        self.pushed
    }

    /// Adds whole frames behind what waits; only the first piece may be one that was begun elsewhere.
    pub fn push(&mut self, watch: Option<u32>, frames: Bytes) {
        self.bytes += frames.len();
        self.pushed += usize::from(watch == Some(PUSHED));
        self.pieces.push_back(Piece { watch, frames });
    }

    /// Copies what to write next, as far as `scratch` has room for.
    pub fn front<'a>(&self, scratch: &'a mut [u8]) -> &'a [u8] {
        let mut filled = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            let bytes = if index == 0 { &piece.frames[self.written..] } else { &piece.frames[..] };
            let count = bytes.len().min(scratch.len() - filled);
            scratch[filled..filled + count].copy_from_slice(&bytes[..count]);
            filled += count;
            if filled == scratch.len() {
                break;
            }
        }
        &scratch[..filled]
    }

    /// So many bytes of the front were written.
    pub fn advance(&mut self, mut count: usize) {
        while let Some(piece) = self.pieces.front() {
            let rest = piece.frames.len() - self.written;
            if count < rest {
                self.written += count;
                return;
            }
            count -= rest;
            self.bytes -= piece.frames.len();
            self.pushed -= usize::from(piece.watch == Some(PUSHED));
            self.written = 0;
            self.pieces.pop_front();
        }
        self.clear();
    }

    /// Drops the pushes of a watch, except one that is half written.
    pub fn discard(&mut self, watch: u32) {
        let mut half_written = self.written > 0;
        self.pieces.retain(|piece| std::mem::take(&mut half_written) || piece.watch != Some(watch));
        self.count();
        if self.pieces.is_empty() {
            self.clear();
        }
    }

    /// Drops everything behind the first piece, which may be half written.
    pub fn keep_first(&mut self) {
        self.pieces.truncate(1);
        self.count();
    }

    fn count(&mut self) {
        self.bytes = self.pieces.iter().map(|piece| piece.frames.len()).sum();
        self.pushed = self.pieces.iter().filter(|piece| piece.watch == Some(PUSHED)).count();
    }

    /// Drops what waits, and its memory.
    pub fn clear(&mut self) {
        *self = Mailbox::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(mailbox: &Mailbox, most: usize) -> Vec<u8> {
        let mut scratch = vec![0; most];
        mailbox.front(&mut scratch).to_vec()
    }

    #[test]
    fn bytes_come_out_in_the_order_they_went_in_and_leave_no_memory() {
        let mut mailbox = Mailbox::default();
        let (mut next_in, mut next_out, mut inside) = (0u8, 0u8, 0usize);
        for round in 1..200usize {
            let piece: Vec<u8> = (0..round % 7 + 1)
                .map(|_| {
                    next_in = next_in.wrapping_add(1);
                    next_in
                })
                .collect();
            inside += piece.len();
            mailbox.push(None, piece.into());
            let bytes = front(&mailbox, round % 5);
            for byte in &bytes {
                next_out = next_out.wrapping_add(1);
                assert_eq!(*byte, next_out);
            }
            mailbox.advance(bytes.len());
            inside -= bytes.len();
            assert_eq!(mailbox.len(), inside);
        }
        mailbox.advance(mailbox.len());
        assert!(mailbox.is_empty());
        assert_eq!(mailbox.pieces.capacity(), 0);
    }

    #[test]
    fn the_pushes_of_an_ended_watch_are_dropped_but_never_half_a_frame() {
        let mut mailbox = Mailbox::default();
        for (watch, text) in [(Some(1), "aaa"), (None, "b"), (Some(1), "cc"), (Some(2), "d")] {
            mailbox.push(watch, Bytes::from_static(text.as_bytes()));
        }
        mailbox.advance(1);
        mailbox.discard(1);
        assert_eq!(front(&mailbox, 100), b"aabd");
        assert_eq!(mailbox.len(), 4);
        mailbox.advance(2);
        mailbox.discard(2);
        assert_eq!(front(&mailbox, 100), b"b");
    }

    #[test]
    fn of_what_waits_the_piece_that_was_begun_can_be_kept_alone() {
        let mut mailbox = Mailbox::default();
        mailbox.keep_first();
        assert!(mailbox.is_empty());
        for text in ["aaa", "bb"] {
            mailbox.push(None, Bytes::from_static(text.as_bytes()));
        }
        mailbox.advance(2);
        mailbox.keep_first();
        mailbox.push(None, Bytes::from_static(b"c"));
        assert_eq!((front(&mailbox, 100), mailbox.len()), (b"ac".to_vec(), 2));
    }
}
