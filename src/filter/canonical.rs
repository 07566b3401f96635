//! A filter as text by which equal filters are known: neither the order of keys nor the spelling of a number
//! shows in it.

use crate::filter::number::Number;
use crate::filter::{Filter, Test};
use serde_json::Value;
use std::fmt::Write;

impl Filter {
    /// Equal conditions have equal texts. Not meant to be read back.
    pub fn canonical(&self) -> String {
        match self {
            Filter::All => "all".to_owned(),
            Filter::Nothing => "nothing".to_owned(),
            Filter::And(parts) => joined(parts.iter().map(Filter::canonical), '&'),
            Filter::Or(parts) => joined(parts.iter().map(Filter::canonical), '|'),
            Filter::Not(inner) => format!("!{}", inner.canonical()),
            Filter::Field { path, test } => {
                let words: Vec<String> = path.0.iter().map(|word| quoted(word)).collect();
                format!("{}{}", words.join("."), test.canonical())
            }
            Filter::Topic(topic) => {
                let words: Vec<String> = topic.0.iter().map(|word| quoted(word)).collect();
                format!("topic {}", words.join("."))
            }
        }
    }
}

impl Test {
    fn canonical(&self) -> String {
        let part =
            |name: &str, text: &str, fold: &bool| format!("{}{name}{}", if *fold { "~" } else { "" }, quoted(text));
        match self {
            Test::Equal(operand) => format!("={}", value(operand)),
            Test::Greater(operand) => format!(">{}", value(operand)),
            Test::AtLeast(operand) => format!(">={}", value(operand)),
            Test::Less(operand) => format!("<{}", value(operand)),
            Test::AtMost(operand) => format!("<={}", value(operand)),
            Test::In(operands) => format!("={}", joined(operands.iter().map(value), '|')),
            Test::EqualFolded(operands) => format!("~={}", joined(operands.iter().map(value), '|')),
            Test::Exists(true) => " exists".to_owned(),
            Test::Exists(false) => " absent".to_owned(),
            Test::StartsWith { text, fold } => part(" starts ", text, fold),
            Test::Contains { text, fold } => part(" contains ", text, fold),
            Test::EndsWith { text, fold } => part(" ends ", text, fold),
            Test::Last(text) => part(" last ", text, &false),
            Test::Like { pattern, fold } => part(" like ", pattern, fold),
        }
    }
}

/// The parts in order, each once, in parentheses unless there is only one.
fn joined(parts: impl Iterator<Item = String>, sign: char) -> String {
    let mut parts: Vec<String> = parts.collect();
    parts.sort_unstable();
    parts.dedup();
    match parts.as_slice() {
        [one] => one.clone(),
        _ => format!("({})", parts.join(sign.encode_utf8(&mut [0; 4]))),
    }
}

fn value(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => write!(text, "{}", Number::new(number)).expect("a string takes any text"),
        Value::String(string) => text.push_str(&quoted(string)),
        Value::Array(elements) => {
            text.push('[');
            for element in elements {
                write_value(element, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (key, inner) in fields.iter().filter(|(_, inner)| !inner.is_null()) {
                text.push_str(&quoted(key));
                text.push(':');
                write_value(inner, text);
                text.push(',');
            }
            text.push('}');
        }
        other => text.push_str(&other.to_string()),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
