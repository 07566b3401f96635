//! Reading a filter from JSON: `{"type":"compute","rank":{">=":2},"$or":[{"sku":null},{"tags":["a","b"]}]}`.

use crate::filter::{Filter, Malformed, Path, Test};
use serde_json::{Map, Value};

/// More terms than this in one filter are refused.
const TERMS: usize = 200;
/// More values than this in one `$in` or `$nin` are refused.
const VALUES: usize = 1_000;
/// Deeper filters than this are refused; everything that walks a filter may recurse.
const DEPTH: usize = 100;

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// When it is no object, uses an operator wrongly or one that does not exist, or is too big.
    pub fn parse(params: &Value) -> Result<Filter, Malformed> {
        if is_deeper(params, DEPTH) {
            return Err(Malformed(format!("a filter may be nested {DEPTH} deep, not more")));
        }
        Reader { terms: 0 }.filter(params)
    }
}

/// What can be done with a field; every spelling of it is in [`Operator::named`].
#[derive(Clone, Copy)]
enum Operator {
    Equal,
    Negate,
    Range(fn(Value) -> Test),
    In,
    NotIn,
    Exists,
    Part(fn(Box<str>) -> Test),
}

impl Operator {
    fn named(word: &str) -> Option<Operator> {
        Some(match word {
            "$eq" => Operator::Equal,
            "$ne" | "$not" | "!" | "not" => Operator::Negate,
            "$gt" | ">" | "gt" | "greaterThan" => Operator::Range(Test::Greater),
            "$gte" | ">=" | "gte" | "greaterThanOrEqual" => Operator::Range(Test::AtLeast),
            "$lt" | "<" | "lt" | "lessThan" => Operator::Range(Test::Less),
            "$lte" | "<=" | "lte" | "lessThanOrEqual" => Operator::Range(Test::AtMost),
            "$in" => Operator::In,
            "$nin" => Operator::NotIn,
            "$exists" => Operator::Exists,
            "$startsWith" | "startsWith" => Operator::Part(|text| Test::StartsWith { text, fold: false }),
            "$contains" | "contains" => Operator::Part(|text| Test::Contains { text, fold: false }),
            "$endsWith" | "endsWith" => Operator::Part(|text| Test::EndsWith { text, fold: false }),
            "$like" | "like" => Operator::Part(|pattern| Test::Like { pattern, fold: false }),
            _ => return None,
        })
    }
}

/// Counts the terms while it reads.
struct Reader {
    terms: usize,
}

impl Reader {
    fn filter(&mut self, params: &Value) -> Result<Filter, Malformed> {
        let Value::Object(fields) = params else {
            return Err(Malformed(format!("a filter is an object, not {}", kind(params))));
        };
        if fields.is_empty() {
            self.count()?;
        }
        let mut parts = Vec::with_capacity(fields.len());
        for (name, operand) in fields {
            parts.push(match (&**name, operand) {
                ("$and", _) | ("and", Value::Array(_)) => Filter::every(self.filters(name, operand)?),
                ("$or", _) | ("or", Value::Array(_)) => Filter::either(self.filters(name, operand)?),
                ("$nor", _) | ("nor", Value::Array(_)) => Filter::either(self.filters(name, operand)?).negated(),
                ("$not", _) => self.filter(operand)?.negated(),
                _ if name.starts_with('$') => {
                    return Err(Malformed(format!("{name} is no operator that can stand before a field")));
                }
                _ => self.operand(&Path::parse(name), operand)?,
            });
        }
        Ok(Filter::every(parts))
    }

    /// The filters that `$and`, `$or` and `$nor` join.
    fn filters(&mut self, name: &str, operand: &Value) -> Result<Vec<Filter>, Malformed> {
        let Value::Array(filters) = operand else {
            return Err(Malformed(format!("{name} takes an array of filters, not {}", kind(operand))));
        };
        filters.iter().map(|filter| self.filter(filter)).collect()
    }

    /// What stands after a field: a value, an array of values, or operators.
    fn operand(&mut self, path: &Path, operand: &Value) -> Result<Filter, Malformed> {
        match operand {
            Value::Array(values) => self.one_of(path, values),
            Value::Object(words) if is_operation(path, words)? => {
                let parts = words.iter().map(|(word, operand)| self.operation(path, word, operand));
                Ok(Filter::every(parts.collect::<Result<_, _>>()?))
            }
            value => self.equal(path, value),
        }
    }

    fn operation(&mut self, path: &Path, word: &str, operand: &Value) -> Result<Filter, Malformed> {
        let wanted = |what: &str| Malformed(format!("{word} takes {what}, not {}", kind(operand)));
        match Operator::named(word) {
            Some(Operator::Equal) => self.equal(path, operand),
            Some(Operator::Negate) => Ok(self.operand(path, operand)?.negated()),
            Some(Operator::Range(range)) => {
                self.count()?;
                Ok(Filter::range(path.clone(), range, operand))
            }
            Some(Operator::In) => self.one_of(path, operand.as_array().ok_or_else(|| wanted("an array"))?),
            Some(Operator::NotIn) => {
                Ok(self.one_of(path, operand.as_array().ok_or_else(|| wanted("an array"))?)?.negated())
            }
            Some(Operator::Exists) => {
                self.count()?;
                Ok(Filter::exists(path.clone(), operand.as_bool().ok_or_else(|| wanted("true or false"))?))
            }
            Some(Operator::Part(part)) => {
                self.count()?;
                let text = operand.as_str().ok_or_else(|| wanted("a string"))?;
                Ok(Filter::Field { path: path.clone(), test: part(text.into()) })
            }
            None => Err(Malformed(format!("{word} is no operator"))),
        }
    }

    fn equal(&mut self, path: &Path, value: &Value) -> Result<Filter, Malformed> {
        self.count()?;
        Ok(Filter::equal(path.clone(), value))
    }

    fn one_of(&mut self, path: &Path, values: &[Value]) -> Result<Filter, Malformed> {
        self.count()?;
        if values.len() > VALUES {
            return Err(Malformed(format!("{path} is compared with {} values, at most {VALUES} can be", values.len())));
        }
        Ok(Filter::one_of(path.clone(), values))
    }

    fn count(&mut self) -> Result<(), Malformed> {
        self.terms += 1;
        if self.terms > TERMS {
            return Err(Malformed(format!("a filter may have {TERMS} terms, not more")));
        }
        Ok(())
    }
}

/// Whether an object holds operators (as opposed to being a value). It cannot be a bit of both.
fn is_operation(path: &Path, words: &Map<String, Value>) -> Result<bool, Malformed> {
    let unknown = words.keys().find(|word| Operator::named(word).is_none());
    match (unknown, words.keys().find(|word| Operator::named(word).is_some())) {
        (Some(unknown), _) if unknown.starts_with('$') => Err(Malformed(format!("{unknown} is no operator"))),
        (Some(unknown), Some(known)) => {
            Err(Malformed(format!("{path} has the operator {known} and the key {unknown} in one object")))
        }
        (_, known) => Ok(known.is_some()),
    }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match (value, levels) {
        (Value::Array(_) | Value::Object(_), 0) => true,
        (Value::Array(elements), _) => elements.iter().any(|element| is_deeper(element, levels - 1)),
        (Value::Object(fields), _) => fields.values().any(|inner| is_deeper(inner, levels - 1)),
        _ => false,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
