//! A test of one field, from both sides.
//!
//! As filters do, MongoDB tries the elements of an array at the end of a name and in the middle of it. It differs
//! in numbers within names, in operands that are objects (whose order it regards), in null, and in types that are
//! not JSON's.

use super::bounds::{Bounds, Condition};
use super::operand::{LOOSE, Stored, TEXTUAL, of_number, stored, types};
use super::pattern::{self, Place};
use crate::filter::Test;
use mongodb::bson::{Bson, Regex, doc};
use serde_json::Value;

/// A field by its dotted name.
pub(super) struct Field {
    pub(super) name: String,
    /// Some word of the name is a number, which MongoDB also takes for a name within an array of objects.
    pub(super) numbered: bool,
}

impl Field {
    pub(super) fn bounds(&self, test: &Test) -> Bounds {
        let bounds = match test {
            Test::Equal(operand) => self.equal(std::slice::from_ref(operand)),
            Test::In(operands) => self.equal(operands),
            Test::EqualFolded(operands) => self.equal_folded(operands),
            Test::Exists(true) => Bounds::at_most(self.is("$exists", true)),
            // More values than meant may be there.
            Test::Exists(false) if self.numbered => Bounds::undecided(),
            Test::Exists(false) => {
                Bounds::at_most(Condition::any([self.is("$exists", false), self.is("$eq", Bson::Null)]))
            }
            Test::Greater(operand) => self.range(operand, "$gt", "$gte"),
            Test::AtLeast(operand) => self.range(operand, "$gte", "$gte"),
            Test::Less(operand) => self.range(operand, "$lt", "$lte"),
            Test::AtMost(operand) => self.range(operand, "$lte", "$lte"),
            Test::StartsWith { text, fold } => self.text(pattern::part(text, *fold, Place::Start)),
            Test::Contains { text, fold } => self.text(pattern::part(text, *fold, Place::Anywhere)),
            Test::EndsWith { text, fold } => self.text(pattern::part(text, *fold, Place::End)),
            Test::Last(text) => Bounds::at_most(self.equal(&[Value::from(&**text)]).over),
            Test::Like { pattern, fold } => self.text(pattern::like(pattern, *fold)),
        };
        if self.numbered { Bounds::at_most(bounds.over) } else { bounds }
    }

    fn equal(&self, operands: &[Value]) -> Bounds {
        let (mut candidates, mut sure) = (Vec::new(), Vec::new());
        let (mut bytes, mut whole) = (false, false);
        for operand in operands {
            match stored(operand) {
                Some(Stored { plain, others, bytes: more }) => {
                    sure.extend(plain.clone());
                    candidates.extend(plain.into_iter().chain(others));
                    bytes |= more;
                }
                None => whole = true,
            }
        }
        let over = match whole {
            true => self.is("$exists", true),
            false if bytes => Condition::any([self.is("$in", candidates), self.is("$type", types::BINARY)]),
            false => self.is("$in", candidates),
        };
        Bounds { over, under: self.surely(self.is("$in", sure)) }
    }

    fn equal_folded(&self, operands: &[Value]) -> Bounds {
        let (texts, others): (Vec<&Value>, Vec<&Value>) = operands.iter().partition(|operand| operand.is_string());
        let others: Vec<Value> = others.into_iter().cloned().collect();
        let mut overs = vec![self.equal(&others).over];
        let texts = texts.into_iter().filter_map(Value::as_str);
        overs.extend(texts.map(|text| self.text(pattern::part(text, true, Place::Whole)).over));
        Bounds::at_most(Condition::any(overs))
    }

    /// `loose` is the operator for an operand that had to be rounded.
    fn range(&self, operand: &Value, operator: &str, loose: &str) -> Bounds {
        match operand {
            Value::String(text) => {
                let condition = self.is(operator, text.as_str());
                Bounds { over: Condition::any([condition.clone(), self.textual()]), under: self.surely(condition) }
            }
            Value::Number(number) => match of_number(number) {
                (value, true) => {
                    let condition = self.is(operator, value);
                    // These are text on the wire.
                    let finite = self.is("$nin", [f64::NEG_INFINITY, f64::INFINITY, f64::NAN].to_vec());
                    Bounds { over: condition.clone(), under: Condition::all([self.surely(condition), finite]) }
                }
                (value, false) => Bounds::at_most(self.is(loose, value)),
            },
            _ => Bounds::decided(false),
        }
    }

    /// A test of text: all text, if there is no expression for it.
    fn text(&self, expression: Option<String>) -> Bounds {
        let expression = expression.and_then(|expression| {
            let (pattern, options) = (expression.try_into().ok()?, "".try_into().ok()?);
            Some(Bson::RegularExpression(Regex { pattern, options }))
        });
        let strings = match expression {
            Some(expression) => self.is("$in", vec![expression]),
            None => self.is("$exists", true),
        };
        Bounds::at_most(Condition::any([strings, self.textual()]))
    }

    /// What is text on the wire only.
    fn textual(&self) -> Condition {
        self.is("$type", TEXTUAL.to_vec())
    }

    /// The same without documents in which the database is more generous than filters are.
    fn surely(&self, condition: Condition) -> Condition {
        let name = self.name.as_str();
        let strict = Condition::Of(doc! { name: {"$not": {"$type": LOOSE.to_vec()}} });
        Condition::all([condition, strict])
    }

    fn is(&self, operator: &str, operand: impl Into<Bson>) -> Condition {
        Condition::Of(doc! { self.name.as_str(): {operator: operand.into()} })
    }
}
