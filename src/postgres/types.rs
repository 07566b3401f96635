//! What the types of columns are made of, and what follows from it: how their values are compared, what becomes
//! of them on the wire, and how their text is read.

use crate::postgres::form::Form;
use crate::postgres::notation::Notation;
use std::collections::HashMap;
use tokio_postgres::Client;

/// What a column's values are, as far as comparing them goes. Domains are what they are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `text` and `varchar`. `plain`: equal means equal bytes; `ordered`: bytes ascend as code points do.
    Text {
        plain: bool,
        ordered: bool,
    },
    Enum,
    Bool,
    /// `smallint`, `integer`, `bigint`.
    Integer,
    /// `double precision`.
    Float,
    Numeric,
    Uuid,
    /// `timestamptz`.
    Time,
    Json,
    Other,
}

/// Some types of a database, with everything that they are made of.
pub struct Types(HashMap<u32, Type>);

struct Type {
    /// As SQL writes it, for casts.
    name: String,
    made: Made,
    /// What stands between the elements of an array of it.
    delimiter: char,
    /// Whether somebody says how it becomes JSON.
    casts: bool,
}

/// What a type is made of.
enum Made {
    Base,
    Enum,
    Domain(u32),
    Array(u32),
    Composite(Vec<(String, u32)>),
}

impl Types {
    /// Looks these types up, however deep they go.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn load(client: &Client, oids: &[u32]) -> Result<Types, tokio_postgres::Error> {
        let rows = client.query(TYPES, &[&oids]).await?;
        let types = rows.iter().map(|row| {
            let made = match (row.get::<_, &str>(1), row.get::<_, bool>(2)) {
                ("d", _) => Made::Domain(row.get(4)),
                ("e", _) => Made::Enum,
                ("c", _) => {
                    let names: Vec<String> = row.get(5);
                    Made::Composite(names.into_iter().zip(row.get::<_, Vec<u32>>(6)).collect())
                }
                (_, true) => Made::Array(row.get(3)),
                _ => Made::Base,
            };
            let delimiter = row.get::<_, &str>(8).chars().next().unwrap_or(',');
            (row.get(0), Type { name: row.get(7), made, delimiter, casts: row.get(9) })
        });
        Ok(Types(types.collect()))
    }

    /// The name of a type, for casts; `None` when it does not exist.
    pub fn name(&self, oid: u32) -> Option<&str> {
        self.0.get(&oid).map(|one| &*one.name)
    }

    /// What becomes of a value on the wire.
    pub fn form(&self, oid: u32) -> Form {
        match self.made(oid) {
            Some(Made::Domain(base)) => self.form(*base),
            Some(Made::Array(element)) => match self.form(*element) {
                Form::Plain => Form::Plain,
                form => Form::Array(Box::new(form)),
            },
            Some(Made::Composite(attributes)) => Form::Composite(
                attributes
                    .iter()
                    .map(|(name, oid)| (name.clone(), self.form(*oid)))
                    .filter(|(_, form)| *form != Form::Plain)
                    .collect(),
            ),
            _ if oid == builtin::TIMESTAMPTZ => Form::Time,
            _ if oid == builtin::BYTEA => Form::Bytes,
            _ => Form::Plain,
        }
    }

    /// How values are compared; `text` is the family of texts.
    pub fn family(&self, oid: u32, text: Family) -> Family {
        match (self.made(oid), oid) {
            (Some(Made::Domain(base)), _) => self.family(*base, text),
            (Some(Made::Enum), _) => Family::Enum,
            (_, builtin::TEXT | builtin::VARCHAR) => text,
            (_, builtin::BOOL) => Family::Bool,
            (_, builtin::INT2 | builtin::INT4 | builtin::INT8) => Family::Integer,
            (_, builtin::FLOAT8) => Family::Float,
            (_, builtin::NUMERIC) => Family::Numeric,
            (_, builtin::UUID) => Family::Uuid,
            (_, builtin::TIMESTAMPTZ) => Family::Time,
            (_, builtin::JSON | builtin::JSONB) => Family::Json,
            _ => Family::Other,
        }
    }

    /// How the text of a value is read.
    pub fn notation(&self, oid: u32) -> Notation {
        match oid {
            builtin::BOOL => return Notation::Bool,
            builtin::INT2 | builtin::INT4 | builtin::INT8 => return Notation::Number,
            builtin::FLOAT4 | builtin::FLOAT8 | builtin::NUMERIC => return Notation::Number,
            builtin::TIMESTAMP | builtin::TIMESTAMPTZ => return Notation::Timestamp,
            builtin::JSON | builtin::JSONB => return Notation::Json,
            // Arrays that are not written like arrays.
            builtin::INT2VECTOR | builtin::OIDVECTOR => return Notation::Asked,
            _ => {}
        }
        match self.0.get(&oid) {
            None => Notation::Asked,
            Some(Type { made: Made::Domain(base), .. }) => self.notation(*base),
            Some(Type { made: Made::Array(element), .. }) => {
                let delimiter = self.0.get(element).map_or(',', |element| element.delimiter);
                Notation::Array { delimiter, element: Box::new(self.notation(*element)) }
            }
            Some(Type { made: Made::Composite(_), .. } | Type { casts: true, .. }) => Notation::Asked,
            Some(_) => Notation::Plain,
        }
    }

    fn made(&self, oid: u32) -> Option<&Made> {
        self.0.get(&oid).map(|one| &one.made)
    }
}

/// A type of the user's own, unless it is made of others, becomes JSON by its cast to it, where there is one.
const TYPES: &str = "with recursive reached (oid) as ( \
         select unnest($1::oid[]) \
         union \
         select inner_type.oid from reached join pg_type t on t.oid = reached.oid cross join lateral ( \
             select t.typbasetype where t.typtype = 'd' \
             union all select t.typelem where t.typcategory = 'A' and t.typelem <> 0 \
             union all select a.atttypid from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid \
                 and a.attnum > 0 and not a.attisdropped) as inner_type (oid)) \
     select t.oid, t.typtype::text, t.typcategory = 'A' and t.typelem <> 0, t.typelem, t.typbasetype, \
         array(select a.attname::text from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid \
             and a.attnum > 0 and not a.attisdropped order by a.attnum), \
         array(select a.atttypid from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid \
             and a.attnum > 0 and not a.attisdropped order by a.attnum), \
         format_type(t.oid, -1), t.typdelim::text, \
         t.oid >= 16384 and exists (select from pg_cast c where c.castsource = t.oid \
             and c.casttarget = 'json'::regtype) \
     from reached join pg_type t on t.oid = reached.oid";

/// The oids of built-in types are fixed for ever.
mod builtin {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT2VECTOR: u32 = 22;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const OIDVECTOR: u32 = 30;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const VARCHAR: u32 = 1043;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
}
