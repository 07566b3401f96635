//! Names of tables, as people write them and as SQL needs them.

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// A table's name, `nodes` or `public.nodes`. Letter case counts; a part that contains a dot or a quote is
/// written in double quotes, a quote within it twice: `"odd.schema"."odd ""name"""`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// `None`: wherever the connection's search path finds it.
    pub schema: Option<String>,
    pub name: String,
}

impl TableName {
    /// The name for use in SQL, every part quoted.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&self.name)),
            None => quote(&self.name),
        }
    }
}

/// An identifier for use in SQL, always in quotes.
pub fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A text for use in SQL as a literal, where nothing can be bound.
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// As [`FromStr`] reads it.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |part: &str| {
            if part.is_empty() || part.contains(['.', '"']) { quote(part) } else { part.to_owned() }
        };
        match &self.schema {
            Some(schema) => write!(f, "{}.{}", plain(schema), plain(&self.name)),
            None => f.write_str(&plain(&self.name)),
        }
    }
}

impl FromStr for TableName {
    type Err = Error;

    fn from_str(text: &str) -> Result<TableName> {
        let malformed = || Error::new(Kind::Configuration, format!("{text:?} is not the name of a table"));
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = next_part(rest).ok_or_else(malformed)?;
            if part.is_empty() || part.contains('\0') {
                return Err(malformed());
            }
            parts.push(part);
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => break,
                None => return Err(malformed()),
            }
        }
        let name = parts.pop().ok_or_else(malformed)?;
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(malformed());
        }
        Ok(TableName { schema, name })
    }
}

/// One part of a dotted name and what follows it; `None` when a quote is not closed.
fn next_part(text: &str) -> Option<(String, &str)> {
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        return (!part.contains('"')).then(|| (part.to_owned(), rest));
    };
    let mut part = String::new();
    loop {
        let (before, after) = quoted.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                quoted = more;
            }
            None => return Some((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_was_written() {
        for text in ["nodes", "public.nodes", "a.\"b.c\"", "\"say \"\"hi\"\"\".x", "Über.Nodes", "a b.c d"] {
            let name: TableName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
        for text in ["", ".", "a.", ".b", "a.b.c", "\"a", "a\"b", "\"a\"b", "a\0b"] {
            assert!(text.parse::<TableName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn quotes_cannot_be_escaped_from() {
        let name: TableName = "s.\"x\"\"; drop table y; --\"".parse().unwrap();
        assert_eq!(name.quoted(), "\"s\".\"x\"\"; drop table y; --\"");
        assert_eq!(literal("o'neill"), "'o''neill'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
    }
}
