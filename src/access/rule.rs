//! A filter in which texts like `$sub` stand for what the viewer's credential says: `{"owner": "$sub"}`,
//! `{"$or": [{"public": true}, {"workspace": {"$in": "$workspaces"}}]}`.
//!
//! - `$sub` is one text; `$roles`, `$groups` and `$workspaces` are lists; `$claims.NAME` (dotted) is what it is.
//! - A list stands where one of several values is meant: alone behind a field, in `$in`, `$nin`, and within their
//!   lists. Elsewhere it is a mistake.
//! - What the viewer does not have matches nothing, and so does an empty list, in a negation too: only the other
//!   branches of an `$or` that is not negated remain.
//! - Operators stay what they are. A text that begins with `$` and stands for itself is written `$$`.

use crate::filter::Filter;
use crate::viewer::Viewer;
use serde_json::{Map, Value};
use std::fmt;

/// The names that stand for something; behind the last one comes that of a claim.
pub const NAMES: [&str; 5] = ["$sub", "$roles", "$groups", "$workspaces", "$claims."];

/// A rule as it is configured: known to be in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule(Value);

/// Why something is no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is no such name.
    Unknown(String),
    /// A list stands where one value is wanted.
    List { name: String, place: String },
    /// Without the viewer's values it would be no filter either.
    Filter(String),
}

/// What the viewer has for a name.
enum Own {
    One(Value),
    Several(Vec<Value>),
}

/// Why a part of a rule cannot be bound.
enum Lack {
    /// The viewer does not have it: nothing matches.
    Absent,
    Wrong(Fault),
}

/// Where names are looked up.
trait Owner {
    fn own(&self, name: &str) -> Result<Own, Lack>;
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(template: Value) -> Result<Rule, Fault> {
        match filter(&template, &Anybody) {
            Ok(bound) => Filter::parse(&bound).map_err(|malformed| Fault::Filter(malformed.to_string()))?,
            Err(Lack::Wrong(fault)) => return Err(fault),
            // Anybody has everything.
            Err(Lack::Absent) => Filter::Nothing,
        };
        Ok(Rule(template))
    }

    /// Whether it is the same for every viewer.
    pub fn is_common(&self) -> bool {
        filter(&self.0, &Nobody).is_ok()
    }

    /// The filter that it is for this viewer.
    pub fn bind(&self, viewer: &Viewer) -> Filter {
        let Ok(bound) = filter(&self.0, viewer) else { return Filter::Nothing };
        Filter::parse(&bound).unwrap_or_else(|malformed| {
            // A claim of a type or a size that the operator does not take.
            tracing::warn!(%malformed, "a rule cannot be applied to a viewer, who sees nothing");
            Filter::Nothing
        })
    }
}

/// Puts the viewer's values where the names stand.
struct Binding<'a, O> {
    owner: &'a O,
    absent: Absent,
}

/// What becomes of an `$or` one branch of which the viewer lacks something for.
#[derive(Clone, Copy)]
enum Absent {
    /// The other branches remain.
    IsLeftOut,
    /// Within a negation, leaving a branch out would show more, not less.
    IsNothing,
}

fn filter(template: &Value, owner: &impl Owner) -> Result<Value, Lack> {
    Binding { owner, absent: Absent::IsLeftOut }.filter(template)
}

impl<O: Owner> Binding<'_, O> {
    fn negated(&self) -> Self {
        Binding { owner: self.owner, absent: Absent::IsNothing }
    }

    fn filter(&self, template: &Value) -> Result<Value, Lack> {
        let Value::Object(parts) = template else { return Ok(template.clone()) };
        let each = parts.iter().map(|(name, part)| {
            let bound = match (&**name, part) {
                ("$or" | "or", Value::Array(branches)) => self.alternatives(branches)?,
                ("$and" | "and", Value::Array(all)) => self.every(all)?,
                ("$nor" | "nor", Value::Array(all)) => self.negated().every(all)?,
                ("$not", inner) => self.negated().filter(inner)?,
                (_, operand) => self.behind_field(operand)?,
            };
            Ok((name.clone(), bound))
        });
        each.collect::<Result<Map<_, _>, _>>().map(Value::Object)
    }

    fn every(&self, all: &[Value]) -> Result<Value, Lack> {
        all.iter().map(|one| self.filter(one)).collect()
    }

    /// The branches that can match; without any, no row does.
    fn alternatives(&self, branches: &[Value]) -> Result<Value, Lack> {
        let mut bound = Vec::new();
        for branch in branches {
            match (self.filter(branch), self.absent) {
                (Ok(branch), _) => bound.push(branch),
                (Err(Lack::Absent), Absent::IsLeftOut) => {}
                (Err(lack), _) => return Err(lack),
            }
        }
        Ok(Value::Array(bound))
    }

    /// What stands behind a field: a value, several, or operators.
    fn behind_field(&self, operand: &Value) -> Result<Value, Lack> {
        match operand {
            Value::String(text) => match named(text) {
                Some(name) => Ok(match self.owner.own(name)? {
                    Own::One(value) => value,
                    Own::Several(values) => Value::Array(values),
                }),
                None => Ok(literal(text)),
            },
            Value::Array(elements) => self.list(elements),
            Value::Object(words) => {
                let each = words.iter().map(|(word, operand)| {
                    let bound = match (&**word, operand) {
                        ("$in" | "$nin", Value::Array(elements)) => self.list(elements)?,
                        ("$in" | "$nin", Value::String(text)) if named(text).is_some() => {
                            self.list(std::slice::from_ref(operand))?
                        }
                        ("$ne" | "$not" | "!" | "not", operand) => self.behind_field(operand)?,
                        (word, operand) => self.one(word, operand)?,
                    };
                    Ok((word.clone(), bound))
                });
                each.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }

    /// Several values; those of the viewer's lists take their place among them.
    fn list(&self, elements: &[Value]) -> Result<Value, Lack> {
        let mut bound = Vec::new();
        for element in elements {
            match element.as_str().and_then(named).map(|name| self.owner.own(name)).transpose()? {
                Some(Own::One(value)) => bound.push(value),
                Some(Own::Several(values)) => bound.extend(values),
                None => bound.push(self.one("a value", element)?),
            }
        }
        Ok(Value::Array(bound))
    }

    /// One value, with whatever is within it.
    fn one(&self, place: &str, value: &Value) -> Result<Value, Lack> {
        match value {
            Value::String(text) => match named(text) {
                Some(name) => match self.owner.own(name)? {
                    Own::One(value) => Ok(value),
                    Own::Several(_) => Err(Lack::Wrong(Fault::List { name: name.to_owned(), place: place.to_owned() })),
                },
                None => Ok(literal(text)),
            },
            Value::Array(elements) => elements.iter().map(|element| self.one(place, element)).collect(),
            Value::Object(fields) => {
                let each = fields.iter().map(|(key, inner)| Ok((key.clone(), self.one(place, inner)?)));
                each.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }
}

/// The text, if it stands for something.
fn named(text: &str) -> Option<&str> {
    (text.starts_with('$') && !text.starts_with("$$")).then_some(text)
}

/// A text that stands for itself; `$$` is a `$`.
fn literal(text: &str) -> Value {
    Value::from(if text.starts_with("$$") { &text[1..] } else { text })
}

impl Owner for Viewer {
    fn own(&self, name: &str) -> Result<Own, Lack> {
        let several = |words: &[std::sync::Arc<str>]| match words {
            [] => Err(Lack::Absent),
            words => Ok(Own::Several(words.iter().map(|word| Value::from(&**word)).collect())),
        };
        match name {
            "$sub" => self.subject.as_ref().map(|subject| Own::One(Value::from(&**subject))).ok_or(Lack::Absent),
            "$roles" => several(&self.roles),
            "$groups" => several(&self.groups),
            "$workspaces" => several(&self.workspaces),
            _ => match name.strip_prefix("$claims.").and_then(|claim| self.claim(claim)) {
                Some(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => Ok(Own::One(value.clone())),
                Some(Value::Array(elements)) => {
                    let scalars = elements.iter().filter(|element| !element.is_array() && !element.is_object());
                    let scalars: Vec<Value> = scalars.filter(|element| !element.is_null()).cloned().collect();
                    if scalars.is_empty() { Err(Lack::Absent) } else { Ok(Own::Several(scalars)) }
                }
                // An object could be taken for operators.
                Some(Value::Object(_) | Value::Null) | None => Err(Lack::Absent),
            },
        }
    }
}

/// Somebody who has everything that there is a name for.
struct Anybody;

impl Owner for Anybody {
    fn own(&self, name: &str) -> Result<Own, Lack> {
        let sample = || Value::from("x");
        match name {
            "$sub" => Ok(Own::One(sample())),
            "$roles" | "$groups" | "$workspaces" => Ok(Own::Several(vec![sample()])),
            _ if name.strip_prefix("$claims.").is_some_and(|claim| !claim.is_empty()) => Ok(Own::One(sample())),
            _ => Err(Lack::Wrong(Fault::Unknown(name.to_owned()))),
        }
    }
}

/// Somebody whose every look-up is a find: nothing may be asked of the viewer.
struct Nobody;

impl Owner for Nobody {
    fn own(&self, name: &str) -> Result<Own, Lack> {
        Err(Lack::Wrong(Fault::Unknown(name.to_owned())))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unknown(name) => {
                write!(f, "\"{name}\" stands for nothing; there are {}NAME, and $$ for a $ itself", NAMES.join(", "))
            }
            Fault::List { name, place } => write!(f, "{name} is a list, and {place} takes one value"),
            Fault::Filter(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for Fault {}
