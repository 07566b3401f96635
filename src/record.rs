//! Events as bytes, for our own files: a version, fixed fields, then texts with their length before them.
//!
//! ```text
//! 2 · operation · stamp kind · stamp u64 · time i64 · resource · id · before? · after? · audience
//! text: length u32, bytes      absent: length ff ff ff ff
//! audience: 0, for everyone; or 1, rights before, rights after      rights: count u32, levels
//! level: count u32, grants     grant: kind of who, text (none for anyone) · role · until i64 (0: for ever)
//! ```
//! All numbers are little-endian. Documents are JSON text.

use crate::audience::{Grant, Rights, Role, Who};
use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Audience, Operation, Reason, ResourceEvent, Stamp, Timestamp};
use std::sync::Arc;

const VERSION: u8 = 2;
const ABSENT: u32 = u32::MAX;

/// The event, and who may see it, as bytes.
pub fn encode(event: &ResourceEvent, audience: &Audience) -> Vec<u8> {
    let before = event.before.as_ref().map(Document::text);
    let after = event.after.as_ref().map(Document::text);
    let texts = before.map_or(0, str::len) + after.map_or(0, str::len);
    let mut bytes = Vec::with_capacity(64 + event.resource.len() + event.id.len() + texts);
    let (kind, stamp) = stamp_number(event.stamp);
    bytes.extend([VERSION, operation_number(event.operation), kind]);
    bytes.extend(stamp.to_le_bytes());
    bytes.extend(event.time.0.to_le_bytes());
    put_text(&mut bytes, Some(&event.resource));
    put_text(&mut bytes, Some(&event.id));
    put_text(&mut bytes, before);
    put_text(&mut bytes, after);
    match audience {
        Audience::Everyone => bytes.push(0),
        Audience::Limited { before, after } => {
            bytes.push(1);
            put_rights(&mut bytes, before);
            put_rights(&mut bytes, after);
        }
    }
    bytes
}

/// The event that [`encode`] made these bytes of.
///
/// # Errors
/// `Malformed` when they are cut short, too long, damaged, or of another version.
pub fn decode(bytes: &[u8]) -> Result<(ResourceEvent, Audience)> {
    let mut rest = Rest(bytes);
    let decoded = rest.event().ok_or_else(|| Error::new(Kind::Malformed, "a stored event cannot be read"))?;
    match rest.0 {
        [] => Ok(decoded),
        _ => Err(Error::new(Kind::Malformed, "a stored event is followed by bytes that do not belong to it")),
    }
}

fn operation_number(operation: Operation) -> u8 {
    match operation {
        Operation::Created => 0,
        Operation::Updated => 1,
        Operation::Removed => 2,
        Operation::Appended => 3,
        Operation::Reset(Reason::Retention) => 4,
        Operation::Reset(Reason::Epoch) => 5,
        Operation::Reset(Reason::Filter) => 6,
        Operation::Reset(Reason::Source) => 7,
        Operation::Reset(Reason::Rights) => 8,
    }
}

fn stamp_number(stamp: Stamp) -> (u8, u64) {
    match stamp {
        Stamp::None => (0, 0),
        Stamp::Transaction(xid) => (1, xid),
        Stamp::Time(time) => (2, time),
        Stamp::Offset(offset) => (3, offset),
    }
}

/// A length as it is stored. No text of 4 GiB fits into memory together with the event it is part of.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a text in an event is shorter than 4 GiB").to_le_bytes()
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => bytes.extend(ABSENT.to_le_bytes()),
        Some(text) => {
            bytes.extend(length(text.len()));
            bytes.extend(text.as_bytes());
        }
    }
}

fn put_rights(bytes: &mut Vec<u8>, rights: &Rights) {
    bytes.extend(length(rights.levels().len()));
    for level in rights.levels() {
        bytes.extend(length(level.len()));
        for grant in level {
            match &grant.who {
                Who::Subject(subject) => {
                    bytes.push(0);
                    put_text(bytes, Some(subject));
                }
                Who::Group(group) => {
                    bytes.push(1);
                    put_text(bytes, Some(group));
                }
                Who::Anyone => bytes.push(2),
            }
            bytes.push(grant.role as u8);
            bytes.extend(grant.until.unwrap_or(0).to_le_bytes());
        }
    }
}

/// What is left to read; `None` wherever it is not what it should be.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn event(&mut self) -> Option<(ResourceEvent, Audience)> {
        if self.byte()? != VERSION {
            return None;
        }
        let operation = match self.byte()? {
            0 => Operation::Created,
            1 => Operation::Updated,
            2 => Operation::Removed,
            3 => Operation::Appended,
            4 => Operation::Reset(Reason::Retention),
            5 => Operation::Reset(Reason::Epoch),
            6 => Operation::Reset(Reason::Filter),
            7 => Operation::Reset(Reason::Source),
            8 => Operation::Reset(Reason::Rights),
            _ => return None,
        };
        let stamp = match (self.byte()?, u64::from_le_bytes(self.array()?)) {
            (0, _) => Stamp::None,
            (1, xid) => Stamp::Transaction(xid),
            (2, time) => Stamp::Time(time),
            (3, offset) => Stamp::Offset(offset),
            _ => return None,
        };
        let time = Timestamp(i64::from_le_bytes(self.array()?));
        let resource: Arc<str> = self.text()??.into();
        let id: Arc<str> = self.text()??.into();
        let before = self.document()?;
        let after = self.document()?;
        let audience = self.audience()?;
        Some((ResourceEvent { resource, id, operation, before, after, time, stamp }, audience))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<Option<usize>> {
        let length = u32::from_le_bytes(self.array()?);
        Some(if length == ABSENT { None } else { Some(usize::try_from(length).ok()?) })
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        let Some(length) = self.length()? else { return Some(None) };
        std::str::from_utf8(self.take(length)?).ok().map(Some)
    }

    fn document(&mut self) -> Option<Option<Document>> {
        let Some(text) = self.text()? else { return Some(None) };
        serde_json::from_str(text).ok().map(|value| Some(Document::new(value)))
    }

    fn audience(&mut self) -> Option<Audience> {
        match self.byte()? {
            0 => Some(Audience::Everyone),
            1 => Some(Audience::Limited { before: self.rights()?, after: self.rights()? }),
            _ => None,
        }
    }

    fn rights(&mut self) -> Option<Rights> {
        // Grows with what is there, not with what a damaged count claims.
        let mut levels = Vec::new();
        for _ in 0..self.length()?? {
            let mut level = Vec::new();
            for _ in 0..self.length()?? {
                level.push(self.grant()?);
            }
            levels.push(level);
        }
        Some(Rights::new(levels))
    }

    fn grant(&mut self) -> Option<Grant> {
        let who = match self.byte()? {
            0 => Who::Subject(self.text()??.into()),
            1 => Who::Group(self.text()??.into()),
            2 => Who::Anyone,
            _ => return None,
        };
        let role = match self.byte()? {
            0 => Role::Reader,
            1 => Role::Commenter,
            2 => Role::Writer,
            3 => Role::Owner,
            _ => return None,
        };
        let until = Some(i64::from_le_bytes(self.array()?)).filter(|until| *until != 0);
        Some(Grant { who, role, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn samples() -> Vec<(ResourceEvent, Audience)> {
        let event =
            |operation, stamp, before: Option<serde_json::Value>, after: Option<serde_json::Value>| ResourceEvent {
                resource: "nodes".into(),
                id: "n€1".into(),
                operation,
                before: before.map(Document::new),
                after: after.map(Document::new),
                time: Timestamp(-1_795_249_094_849),
                stamp,
            };
        let grant = |who, role, until| Grant { who, role, until };
        let rights = Rights::new(vec![
            vec![grant(Who::Subject("ann".into()), Role::Owner, None)],
            vec![grant(Who::Group("".into()), Role::Reader, Some(-7)), grant(Who::Anyone, Role::Commenter, None)],
        ]);
        let few = Audience::Limited { before: rights, after: Rights::of(["bob".into()], Role::Writer) };
        vec![
            (event(Operation::Created, Stamp::None, None, Some(json!({"id": "n€1", "x": [1, 2.5, null]}))), few),
            (
                event(Operation::Updated, Stamp::Transaction(7), Some(json!({"a": 1})), Some(json!({"a": 2}))),
                Audience::Everyone,
            ),
            (event(Operation::Removed, Stamp::Time(u64::MAX), Some(json!("")), None), Audience::Everyone),
            (
                event(Operation::Appended, Stamp::Offset(3), None, Some(json!(null))),
                Audience::limited(Rights::default()),
            ),
            (event(Operation::Reset(Reason::Epoch), Stamp::None, None, None), Audience::Everyone),
        ]
    }

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        for (event, audience) in samples() {
            assert_eq!(decode(&encode(&event, &audience)).unwrap(), (event, audience));
        }
    }

    #[test]
    fn captured_bytes_of_version_2_stay_readable() {
        let captured = b"\x02\x01\x01\x07\0\0\0\0\0\0\0\xe8\x03\0\0\0\0\0\0\x01\0\0\0r\x02\0\0\0id\
            \xff\xff\xff\xff\x02\0\0\0[]\x01\0\0\0\0\x01\0\0\0\x01\0\0\0\0\x03\0\0\0ann\x02\x09\0\0\0\0\0\0\0";
        let (event, audience) = decode(captured).unwrap();
        assert_eq!((&*event.resource, &*event.id, event.operation), ("r", "id", Operation::Updated));
        assert_eq!((event.stamp, event.time), (Stamp::Transaction(7), Timestamp(1000)));
        assert_eq!((event.before.clone(), event.after.clone()), (None, Some(Document::new(json!([])))));
        let ann = Grant { who: Who::Subject("ann".into()), role: Role::Writer, until: Some(9) };
        assert_eq!(audience, Audience::Limited { before: Rights::default(), after: Rights::new(vec![vec![ann]]) });
        assert_eq!(encode(&event, &audience), captured);
    }

    #[test]
    fn torn_bytes_are_an_error_and_never_a_panic() {
        for (event, audience) in samples() {
            let whole = encode(&event, &audience);
            for cut in 0..whole.len() {
                assert!(decode(&whole[..cut]).is_err(), "cut at {cut}");
            }
            let mut long = whole.clone();
            long.push(0);
            assert!(decode(&long).is_err());
            for at in 0..whole.len() {
                for byte in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[at] = byte;
                    let _ = decode(&damaged);
                }
            }
        }
    }

    #[test]
    fn numbers_keep_their_last_digit() {
        let mut number = 0.1f64;
        for _ in 0..2_000 {
            number = f64::from_bits(number.to_bits().wrapping_mul(6_364_136_223_846_793_005) >> 2 | 1 << 60);
            let (mut event, audience) = samples().remove(0);
            event.after = Some(Document::new(json!(number)));
            assert_eq!(decode(&encode(&event, &audience)).unwrap().0.after, event.after);
        }
    }
}
