//! A test of one column as SQL. What is said here must let every row through that the filter accepts, judged by
//! the row's document: where SQL and JSON compare differently, the condition is widened or left undecided.

use super::condition::Condition;
use super::parameters::Parameters;
use crate::filter::Test;
use crate::filter::number::Number;
use crate::postgres::name::quote;
use crate::postgres::table::Column;
use crate::postgres::types::Family;
use serde_json::Value;

/// A column, and whether its text is what counts (it is the key, or called `id`).
pub(super) struct Subject<'a> {
    column: &'a Column,
    as_text: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn field(column: &'a Column) -> Subject<'a> {
        Subject { column, as_text: false }
    }

    pub(super) fn id(column: &'a Column) -> Subject<'a> {
        Subject { column, as_text: true }
    }

    fn sql(&self) -> String {
        format!("t.{}", quote(&self.column.name))
    }
}

/// Past so many alternatives that each need a comparison of their own, the server decides.
const MOST_ALTERNATIVES: usize = 16;

/// What a test of this column means in SQL.
pub(super) fn condition(subject: &Subject<'_>, test: &Test, parameters: &mut Parameters) -> Condition {
    let name = subject.sql();
    match (test, subject.column.family) {
        // A json null is absent too, but no null to SQL.
        (Test::Exists(true), Family::Json) => Condition::at_least(format!("{name} is not null")),
        (Test::Exists(true), _) => Condition::exactly(format!("{name} is not null")),
        (Test::Exists(false), Family::Json) => Condition::undecided(),
        (Test::Exists(false), _) => Condition::exactly(format!("{name} is null")),
        (Test::Last(text), Family::Json) => last(&name, text, parameters),
        (_, Family::Text { plain, ordered }) => text(&name, plain, ordered, test, parameters),
        (_, Family::Uuid) => uuid(&name, test, parameters),
        (_, Family::Enum) => label(&name, test, parameters),
        (_, Family::Integer) if subject.as_text => integer_text(&name, test, parameters),
        (_, Family::Integer) => integer(&name, test, parameters),
        (_, Family::Time) => each(test, |test| time(&name, test, parameters)),
        (_, Family::Bool) if !subject.as_text => each(test, |test| boolean(&name, test)),
        (_, Family::Float) if !subject.as_text => each(test, |test| float(&name, test, parameters)),
        (_, Family::Numeric) if !subject.as_text => each(test, |test| numeric(&name, test, parameters)),
        _ => Condition::undecided(),
    }
}

/// The operands of an equality; `None` for another test. On what is no text, letter case means nothing.
fn operands(test: &Test) -> Option<&[Value]> {
    match test {
        Test::Equal(operand) => Some(std::slice::from_ref(operand)),
        Test::In(operands) | Test::EqualFolded(operands) => Some(operands),
        _ => None,
    }
}

/// `$in` as alternatives, anything else as it is.
fn each(test: &Test, mut one: impl FnMut(&Test) -> Condition) -> Condition {
    match test {
        Test::In(operands) | Test::EqualFolded(operands) if operands.len() <= MOST_ALTERNATIVES => {
            Condition::any(operands.iter().map(|operand| one(&Test::Equal(operand.clone()))).collect())
        }
        Test::In(_) | Test::EqualFolded(_) => Condition::undecided(),
        test => one(test),
    }
}

/// `>`, `>=`, `<` or `<=` with its operand.
fn range(test: &Test) -> Option<(&'static str, &Value)> {
    match test {
        Test::Greater(operand) => Some((">", operand)),
        Test::AtLeast(operand) => Some((">=", operand)),
        Test::Less(operand) => Some(("<", operand)),
        Test::AtMost(operand) => Some(("<=", operand)),
        _ => None,
    }
}

/// The strings among some values that a Postgres text can hold.
fn strings(operands: &[Value]) -> Vec<String> {
    operands.iter().filter_map(Value::as_str).filter(|text| !text.contains('\0')).map(str::to_owned).collect()
}

/// What has no text as its last element, or no elements, is null here.
fn last(name: &str, text: &str, parameters: &mut Parameters) -> Condition {
    match text.contains('\0') {
        true => Condition::never(),
        false => Condition::at_least(format!("{name} ->> -1 = {}", parameters.text(text))),
    }
}

fn text(name: &str, plain: bool, ordered: bool, test: &Test, parameters: &mut Parameters) -> Condition {
    let bytewise = if plain { name.to_owned() } else { format!("{name} collate \"C\"") };
    let mut like = |pattern: String| match pattern.contains('\0') {
        true => Condition::never(),
        false => Condition::exactly(format!("{bytewise} like {}", parameters.text(pattern))),
    };
    match test {
        Test::StartsWith { text, fold: false } => return like(format!("{}%", escape(text))),
        Test::Contains { text, fold: false } => return like(format!("%{}%", escape(text))),
        Test::EndsWith { text, fold: false } => return like(format!("%{}", escape(text))),
        Test::Like { pattern, fold: false } => {
            return like(pattern.replace('\\', "\\\\").replace('_', "\\_"));
        }
        Test::Equal(_) | Test::In(_) => {
            return match &*strings(operands(test).unwrap_or_default()) {
                [] => Condition::never(),
                [one] => Condition::exactly(format!("{bytewise} = {}", parameters.text(one))),
                many => Condition::exactly(format!("{bytewise} = any ({})", parameters.texts(many.to_vec()))),
            };
        }
        _ => {}
    }
    match range(test) {
        Some((operator, Value::String(operand))) if ordered && !operand.contains('\0') => {
            Condition::exactly(format!("{name} collate \"C\" {operator} {}", parameters.text(operand)))
        }
        Some((_, Value::String(_))) | None => Condition::undecided(),
        Some(_) => Condition::never(),
    }
}

/// A text as a `like` pattern that only it matches.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Equality with a canonical text; nothing else ever equals the text of a uuid.
fn uuid(name: &str, test: &Test, parameters: &mut Parameters) -> Condition {
    let Some(operands) = operands(test) else {
        return Condition::undecided();
    };
    let canonical =
        |text: &String| uuid::Uuid::parse_str(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == *text);
    let texts: Vec<String> = strings(operands).into_iter().filter(canonical).collect();
    match texts.is_empty() {
        true => Condition::never(),
        false => Condition::exactly(format!("{name} = any ({}::uuid[])", parameters.texts(texts))),
    }
}

fn label(name: &str, test: &Test, parameters: &mut Parameters) -> Condition {
    match test {
        Test::Equal(_) | Test::In(_) => {
            let labels = strings(operands(test).unwrap_or_default());
            Condition::exactly(format!("{name}::text = any ({})", parameters.texts(labels)))
        }
        _ => Condition::undecided(),
    }
}

/// Equality with the canonical text of an integer.
fn integer_text(name: &str, test: &Test, parameters: &mut Parameters) -> Condition {
    let Some(operands) = operands(test) else {
        return Condition::undecided();
    };
    let canonical = |text: &String| text.parse::<i64>().ok().filter(|integer| integer.to_string() == *text);
    integers(name, strings(operands).iter().filter_map(canonical).collect(), parameters)
}

fn integers(name: &str, integers: Vec<i64>, parameters: &mut Parameters) -> Condition {
    match &*integers {
        [] => Condition::never(),
        [one] => Condition::exactly(format!("{name} = {}", parameters.integer(*one))),
        _ => Condition::exactly(format!("{name} = any ({})", parameters.integers(integers))),
    }
}

fn integer(name: &str, test: &Test, parameters: &mut Parameters) -> Condition {
    if let Some(operands) = operands(test) {
        let whole = |operand: &Value| match operand {
            Value::Number(number) => match Number::new(number) {
                Number::Whole(whole) => Some(whole),
                Number::Large(_) | Number::Broken(_) => None,
            },
            _ => None,
        };
        return integers(name, operands.iter().filter_map(whole).collect(), parameters);
    }
    let Some((operator, Value::Number(operand))) = range(test) else {
        return Condition::never();
    };
    let (operator, bound) = match (Number::new(operand), operator) {
        (Number::Whole(whole), operator) => (operator, i128::from(whole)),
        (Number::Large(large), operator) => (operator, i128::from(large)),
        // Beyond 1.5 begins at 2, which is past 1; the cast saturates.
        (Number::Broken(broken), ">" | ">=") => (">", broken.floor() as i128),
        (Number::Broken(broken), _) => ("<", broken.ceil() as i128),
    };
    match i64::try_from(bound) {
        Ok(bound) => Condition::exactly(format!("{name} {operator} {}", parameters.integer(bound))),
        Err(_) if (bound < 0) == operator.starts_with('>') => Condition::exactly(format!("{name} is not null")),
        Err(_) => Condition::never(),
    }
}

fn boolean(name: &str, test: &Test) -> Condition {
    match test {
        Test::Equal(Value::Bool(operand)) => Condition::exactly(format!("{name} = {operand}")),
        _ => Condition::never(),
    }
}

/// The double that is this number, if one is.
fn double(number: &serde_json::Number) -> Option<f64> {
    match Number::new(number) {
        Number::Broken(broken) => Some(broken),
        Number::Whole(whole) => Some(whole as f64).filter(|double| *double as i128 == i128::from(whole)),
        Number::Large(large) => Some(large as f64).filter(|double| *double as i128 == i128::from(large)),
    }
}

/// Infinity and NaN are strings in a document, so no number compares with them.
fn float(name: &str, test: &Test, parameters: &mut Parameters) -> Condition {
    if let Test::Equal(operand) = test {
        let Value::Number(number) = operand else {
            // `NaN` and `Infinity`, perhaps.
            return if operand.is_string() { Condition::undecided() } else { Condition::never() };
        };
        return match double(number) {
            Some(double) => Condition::exactly(format!("{name} = {}", parameters.float(double))),
            None => Condition::never(),
        };
    }
    match range(test) {
        Some((operator, Value::Number(number))) => match double(number) {
            Some(double) => {
                let end = if operator.starts_with('>') { "< 'infinity'" } else { "> '-infinity'" };
                let bound = parameters.float(double);
                Condition::exactly(format!("({name} {operator} {bound} and {name} {end})"))
            }
            None => Condition::undecided(),
        },
        _ => Condition::undecided(),
    }
}

/// A document holds the double next to a numeric, so the condition reaches to the neighbours.
fn numeric(name: &str, test: &Test, parameters: &mut Parameters) -> Condition {
    let near = |operand: &Value| {
        let double = operand.as_f64()?;
        Some((double.next_down(), double.next_up())).filter(|(low, high)| low.is_finite() && high.is_finite())
    };
    let mut bind = |double: f64| format!("{}::numeric", parameters.text(format!("{double:?}")));
    match (test, range(test)) {
        (Test::Equal(operand), _) => match near(operand) {
            Some((low, high)) => {
                let (low, high) = (bind(low), bind(high));
                Condition::at_least(format!("{name} between {low} and {high}"))
            }
            None => Condition::undecided(),
        },
        (_, Some((operator, operand))) => match (near(operand), operator) {
            (Some((low, _)), ">" | ">=") => Condition::at_least(format!("{name} >= {}", bind(low))),
            (Some((_, high)), _) => Condition::at_least(format!("{name} <= {}", bind(high))),
            (None, _) => Condition::undecided(),
        },
        _ => Condition::undecided(),
    }
}

/// Documents hold times cut to milliseconds, as text. Texts of that form ascend as the times do, from the year 1
/// to 9999; the others are let through.
fn time(name: &str, test: &Test, parameters: &mut Parameters) -> Condition {
    const EARLIER: &str = "'0001-01-01 00:00:00+00'";
    const LATER: &str = "'10000-01-01 00:00:00+00'";
    let (operator, operand) = match (test, range(test)) {
        (Test::Equal(operand), _) => ("=", operand),
        (_, Some((operator, operand))) => (operator, operand),
        _ => return Condition::undecided(),
    };
    let Value::String(operand) = operand else {
        return Condition::never();
    };
    let Some((begin, width)) = instant(operand) else {
        return Condition::undecided();
    };
    let begin = format!("{}::timestamptz", parameters.text(begin));
    let end = format!("({begin} + interval '{width} milliseconds')");
    match operator {
        "=" if width == 0 => Condition::never(),
        "=" => Condition::exactly(format!("({name} >= {begin} and {name} < {end})")),
        ">" => Condition::at_least(format!("({name} >= {end} or {name} < {EARLIER})")),
        ">=" => Condition::at_least(format!("({name} >= {begin} or {name} < {EARLIER})")),
        "<" => Condition::at_least(format!("({name} < {begin} or {name} >= {LATER})")),
        _ => Condition::at_least(format!("({name} < {end} or {name} >= {LATER})")),
    }
}

/// Where the times with this text begin, and for how many milliseconds they go on: one for a whole time as
/// documents have it, none for a day (`2026-11-21`), which no document's time equals.
fn instant(text: &str) -> Option<(String, u8)> {
    if text.starts_with("0000") || text.starts_with('-') {
        return None;
    }
    if text.len() == 10 {
        let day: jiff::civil::Date = text.parse().ok()?;
        return (day.to_string() == text).then(|| (format!("{text} 00:00:00+00"), 0));
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    (format!("{time:.3}") == text).then(|| (text.to_owned(), 1))
}
