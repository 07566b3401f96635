//! What the plugin `pgoutput` writes, in version 1 of its protocol with text values: pure, from bytes to values.
//! The driver decodes begin, commit and message itself and hands on the rest.
//!
//! ```text
//! R oid namespace\0 name\0 identity columns×(flags name\0 type modifier)   how the rows that follow look
//! I oid N tuple        U oid [K|O tuple] N tuple        D oid K|O tuple
//! T count options oids×                                 truncate
//! Y oid namespace\0 name\0        O lsn name\0          a type, an origin: nothing to do
//! tuple: count ×( n | u | t length text )               null, unchanged and stored elsewhere, a value
//! ```

use crate::error::{Error, Kind, Result};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    Relation(Relation),
    Insert {
        relation: u32,
        new: Tuple<'a>,
    },
    Update {
        relation: u32,
        old: Option<Old<'a>>,
        new: Tuple<'a>,
    },
    Delete {
        relation: u32,
        old: Old<'a>,
    },
    Truncate {
        relations: Vec<u32>,
    },
    /// A type or an origin.
    Aside,
}

/// How the rows of a table look from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    pub oid: u32,
    pub namespace: String,
    pub name: String,
    pub columns: Vec<Column>,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The oid of its type.
    pub kind: u32,
    /// Whether it is part of the replica identity.
    pub identity: bool,
}

/// The values of a row, in the order of the relation's columns.
pub type Tuple<'a> = Vec<Value<'a>>;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    /// It is stored elsewhere (TOAST) and was not changed.
    Unchanged,
    Text(&'a str),
}

/// What is told of a row before its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Old<'a> {
    /// The replica identity is full.
    Row(Tuple<'a>),
    /// Only the columns of the replica identity have values.
    Key(Tuple<'a>),
}

/// Reads one message.
///
/// # Errors
/// `Malformed` when it is cut short, too long, not UTF-8, or none that is known.
pub fn decode(bytes: &[u8]) -> Result<Message<'_>> {
    let mut rest = Bytes(bytes);
    let message = match rest.byte()? {
        b'R' => Message::Relation(rest.relation()?),
        b'I' => {
            let relation = rest.int32()?;
            rest.expect(b'N')?;
            Message::Insert { relation, new: rest.tuple()? }
        }
        b'U' => {
            let relation = rest.int32()?;
            let (old, mark) = match rest.byte()? {
                b'K' => (Some(Old::Key(rest.tuple()?)), rest.byte()?),
                b'O' => (Some(Old::Row(rest.tuple()?)), rest.byte()?),
                mark => (None, mark),
            };
            if mark != b'N' {
                return Err(malformed("an update lacks its new row"));
            }
            Message::Update { relation, old, new: rest.tuple()? }
        }
        b'D' => {
            let relation = rest.int32()?;
            let old = match rest.byte()? {
                b'K' => Old::Key(rest.tuple()?),
                b'O' => Old::Row(rest.tuple()?),
                _ => return Err(malformed("a delete lacks its old row")),
            };
            Message::Delete { relation, old }
        }
        b'T' => {
            let count = rest.int32()?;
            rest.byte()?;
            let relations = (0..count).map(|_| rest.int32()).collect::<Result<_>>()?;
            Message::Truncate { relations }
        }
        b'Y' => {
            rest.int32()?;
            rest.name()?;
            rest.name()?;
            Message::Aside
        }
        b'O' => {
            rest.take(8)?;
            rest.name()?;
            Message::Aside
        }
        _ => return Err(malformed("its kind is not known")),
    };
    match rest.0 {
        [] => Ok(message),
        _ => Err(malformed("it is longer than it says")),
    }
}

fn malformed(why: &str) -> Error {
    Error::new(Kind::Malformed, format!("a message of the replication stream cannot be read: {why}"))
}

/// What is left of a message.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| malformed("it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?.iter().fold(0, |_, byte| *byte))
    }

    fn int16(&mut self) -> Result<u16> {
        Ok(self.take(2)?.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)))
    }

    fn int32(&mut self) -> Result<u32> {
        Ok(self.take(4)?.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        match self.byte()? == byte {
            true => Ok(()),
            false => Err(malformed("a row is not where it should be")),
        }
    }

    /// A text that ends with a zero.
    fn name(&mut self) -> Result<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("a name does not end"))?;
        let name = self.take(end)?;
        self.take(1)?;
        text(name)
    }

    fn relation(&mut self) -> Result<Relation> {
        let oid = self.int32()?;
        let namespace = match self.name()? {
            "" => "pg_catalog".to_owned(),
            name => name.to_owned(),
        };
        let name = self.name()?.to_owned();
        self.byte()?;
        let count = self.int16()?;
        let columns = (0..count).map(|_| self.column()).collect::<Result<_>>()?;
        Ok(Relation { oid, namespace, name, columns })
    }

    fn column(&mut self) -> Result<Column> {
        let identity = self.byte()? & 1 == 1;
        let name = self.name()?.to_owned();
        let kind = self.int32()?;
        self.int32()?;
        Ok(Column { name, kind, identity })
    }

    fn tuple(&mut self) -> Result<Tuple<'a>> {
        let count = self.int16()?;
        (0..count).map(|_| self.value()).collect()
    }

    fn value(&mut self) -> Result<Value<'a>> {
        match self.byte()? {
            b'n' => Ok(Value::Null),
            b'u' => Ok(Value::Unchanged),
            b't' => {
                let length = self.int32()?;
                let length = usize::try_from(length).map_err(|_| malformed("a value is too long"))?;
                Ok(Value::Text(text(self.take(length)?)?))
            }
            _ => Err(malformed("a value is not text")),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| malformed("a text is not UTF-8"))
}

#[cfg(test)]
mod tests;
