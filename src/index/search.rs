//! Looking up the values of one field of one document.

use crate::filter::number::Number;
use crate::filter::text::fold;
use crate::filter::value::as_text;
use crate::index::field::Field;
use serde_json::Value;
use std::borrow::Cow;

/// Collects who asks for the values seen. Ranges are looked up at the end, with the least and the greatest value
/// of each type, because different elements of an array may pass different ends of a range.
pub struct Search<'a, T> {
    field: &'a Field<T>,
    numbers: Option<(Number, Number)>,
    texts: Option<(Cow<'a, str>, Cow<'a, str>)>,
    folded: Option<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a, T: Copy + Ord> Search<'a, T> {
    /// A search that has seen nothing.
    pub fn new(field: &'a Field<T>) -> Search<'a, T> {
        Search { field, numbers: None, texts: None, folded: None }
    }

    /// Sees a value at the field; of an array, its elements.
    pub fn see(&mut self, value: &'a Value, out: &mut Vec<T>) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| self.see_scalar(element, out)),
            scalar => self.see_scalar(scalar, out),
        }
    }

    /// The same for an `id`, whose scalars are seen as text.
    pub fn see_id(&mut self, id: &'a Value, out: &mut Vec<T>) {
        match id {
            Value::Array(elements) => elements.iter().for_each(|element| self.see_id_scalar(element, out)),
            scalar => self.see_id_scalar(scalar, out),
        }
    }

    fn see_id_scalar(&mut self, scalar: &'a Value, out: &mut Vec<T>) {
        match scalar {
            Value::String(text) => self.see_text(Cow::Borrowed(text), out),
            other => {
                if let Some(text) = as_text(other) {
                    self.see_text(Cow::Owned(text), out);
                }
            }
        }
    }

    fn see_scalar(&mut self, scalar: &'a Value, out: &mut Vec<T>) {
        match scalar {
            Value::String(text) => self.see_text(Cow::Borrowed(text), out),
            Value::Number(number) => {
                let number = Number::new(number);
                self.field.numbers.at(&number, out);
                if !self.field.numbers.has_no_spans() {
                    widen(&mut self.numbers, number);
                }
            }
            Value::Bool(flag) => self.field.flags.at(flag, out),
            _ => {}
        }
    }

    /// Sees a text.
    pub fn see_text(&mut self, text: Cow<'a, str>, out: &mut Vec<T>) {
        let Field { texts, folded, .. } = self.field;
        if !folded.is_empty() {
            let low: String = fold(&text).collect();
            folded.at(low.as_str(), out);
            if !folded.has_no_spans() {
                widen(&mut self.folded, Cow::Owned(low));
            }
        }
        texts.at(&*text, out);
        if !texts.has_no_spans() {
            widen(&mut self.texts, text);
        }
    }

    /// Looks up the ranges.
    pub fn finish(self, out: &mut Vec<T>) {
        if let Some((least, greatest)) = self.numbers {
            self.field.numbers.around(&least, &greatest, out);
        }
        if let Some((least, greatest)) = self.texts {
            self.field.texts.around(&*least, &*greatest, out);
        }
        if let Some((least, greatest)) = self.folded {
            self.field.folded.around(&*least, &*greatest, out);
        }
    }
}

fn widen<V: Ord + Clone>(hull: &mut Option<(V, V)>, value: V) {
    match hull {
        None => *hull = Some((value.clone(), value)),
        Some((least, _)) if value < *least => *least = value,
        Some((_, greatest)) if value > *greatest => *greatest = value,
        Some(_) => {}
    }
}
