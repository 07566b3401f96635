//! A filter as a query. Everything a client sent is an operand of `$eq`, `$in` or a range, or letters of an escaped
//! expression; the names of its fields are paths that begin with no `$`. So no operator of a client's reaches the
//! server.

use super::bounds::{Bounds, Condition};
use super::field::Field;
use super::operand::{UNCLEAR, keys};
use crate::filter::{Filter, Path, Test};
use crate::mongodb::collection::{Binding, ID};
use crate::resource::Resource;
use mongodb::bson::{Bson, Document, doc};
use serde_json::{Value, json};

/// Deeper filters are decided by the server: MongoDB takes a hundred levels of a query.
const DEPTH: usize = 30;

/// Longer names are decided by the server; what is nested about that deep is not stored as it is told.
const WORDS: usize = 50;

/// Translates filters for one collection.
pub(super) struct Translator<'a> {
    pub(super) binding: &'a Binding,
    pub(super) resource: &'a Resource,
}

impl Translator<'_> {
    /// What the database can decide of a filter.
    pub(super) fn translate(&self, filter: &Filter) -> Bounds {
        self.shallower(filter, DEPTH)
    }

    fn shallower(&self, filter: &Filter, depth: usize) -> Bounds {
        let Some(inner) = depth.checked_sub(1) else { return Bounds::undecided() };
        match filter {
            Filter::All => Bounds::decided(true),
            Filter::Nothing => Bounds::decided(false),
            Filter::And(parts) => Bounds::all(parts.iter().map(|part| self.shallower(part, inner)).collect()),
            Filter::Or(parts) => Bounds::any(parts.iter().map(|part| self.shallower(part, inner)).collect()),
            Filter::Not(negated) => self.shallower(negated, inner).negated(),
            Filter::Field { path, test } if path.is_id() => self.id(test),
            Filter::Field { path, test } => self.field(path, test),
            Filter::Topic(_) => Bounds::undecided(),
        }
    }

    /// The documents of which one may have this id.
    pub(super) fn with_id(&self, id: &str) -> Document {
        let fields = self.key_fields().map(|field| keyed(field, vec![id]));
        Condition::any(fields).query().unwrap_or_default()
    }

    /// `id` means the key, and the document's own `id`, which is `_id`.
    fn id(&self, test: &Test) -> Bounds {
        let operands = match test {
            Test::Equal(operand) => std::slice::from_ref(operand),
            Test::In(operands) => operands,
            _ => return Bounds::undecided(),
        };
        let texts: Option<Vec<&str>> = operands.iter().map(Value::as_str).collect();
        match texts {
            Some(texts) => Bounds::at_most(Condition::any(self.key_fields().map(|field| keyed(field, texts.clone())))),
            None => Bounds::undecided(),
        }
    }

    /// Where the key stands: a document without its key field is keyed by `_id`.
    fn key_fields(&self) -> impl Iterator<Item = &str> {
        let own = Some(&*self.binding.key).filter(|key| *key != ID);
        own.into_iter().chain([ID])
    }

    fn field(&self, path: &Path, test: &Test) -> Bounds {
        match self.find(path) {
            Found::Absent => Bounds::decided(matches!(test, Test::Exists(false))),
            Found::Unclear => Bounds::undecided(),
            Found::At(field) => field.bounds(test),
        }
    }

    /// Filters see documents as they are presented: `_id` is called `id`, and what is hidden is absent.
    fn find(&self, path: &Path) -> Found {
        let words = &*path.0;
        let is_plain = |word: &str| !word.is_empty() && !word.starts_with('$') && !word.contains('\0');
        if words.len() > WORDS || !words.iter().all(|word| is_plain(word)) {
            return Found::Unclear;
        }
        match words.first() {
            Some(first) if **first == *ID => return Found::Absent,
            Some(first) if **first == *"id" => return Found::Unclear,
            _ => {}
        }
        let numbered = words.iter().skip(1).any(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        if !self.resource.hide.is_empty() {
            if numbered {
                return Found::Unclear;
            }
            let probe = words.iter().rev().fold(json!(0), |inner, word| json!({ &**word: inner }));
            if !path.reaches(self.resource.present("", probe).value(), |_| true) {
                return Found::Absent;
            }
        }
        Found::At(Field { name: path.to_string(), numbered })
    }
}

/// What a name means in the database.
enum Found {
    /// Nobody sees such a field.
    Absent,
    /// Only the server knows.
    Unclear,
    At(Field),
}

/// A key field of which the id may be one of these texts.
fn keyed(field: &str, texts: Vec<&str>) -> Condition {
    let values: Vec<Bson> = texts.into_iter().flat_map(keys).collect();
    let unclear = Condition::Of(doc! { field: {"$type": UNCLEAR.to_vec()} });
    Condition::any([Condition::Of(doc! { field: {"$in": values} }), unclear])
}
