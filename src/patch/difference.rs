//! The operations that lead from one document to another, each with the value that it puts aside.

use super::Ops;
use super::array::{self, Step};
use super::reversible::Tuple;
use json_patch::jsonptr::{PointerBuf, Token};
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Map, Value};

/// How the elements of two arrays are told to belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrays {
    /// The most equal ones, then objects with the same `id`.
    Aligned,
    /// Equal ends, and what is between them place by place.
    Trimmed,
}

/// Members with these names are never part of a path: clients in JavaScript do not follow it.
pub(super) const CLOSED_NAMES: [&str; 2] = ["__proto__", "constructor"];

/// The operations found so far, and where in the document the search is.
pub(super) struct Difference {
    arrays: Arrays,
    path: PointerBuf,
    steps: Vec<Tuple>,
}

impl Difference {
    /// What differs in two documents: what is lost first, then what changed, then what is new, by name.
    pub(super) fn of(before: &Value, after: &Value, arrays: Arrays) -> Difference {
        let mut difference = Difference { arrays, path: PointerBuf::new(), steps: Vec::new() };
        difference.values(before, after);
        difference
    }

    /// The operations alone.
    pub(super) fn ops(self) -> Ops {
        Ops(self.steps.into_iter().map(|step| step.op).collect())
    }

    /// The operations with what they put aside.
    pub(super) fn tuples(self) -> Vec<Tuple> {
        self.steps
    }

    fn values(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            (before, after) if before == after => {}
            (Value::Object(old), Value::Object(new)) if !differ_in_closed_names(old, new) => self.objects(old, new),
            (Value::Array(old), Value::Array(new)) => self.arrays(old, new),
            (before, after) => {
                let operation = ReplaceOperation { path: self.path.clone(), value: after.clone() };
                self.steps.push(Tuple { op: PatchOperation::Replace(operation), previous: Some(before.clone()) });
            }
        }
    }

    fn objects(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, value) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
            self.at(name, |here| here.remove(value));
        }
        for (name, old) in before {
            if let Some(new) = after.get(name) {
                self.at(name, |here| here.values(old, new));
            }
        }
        for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            self.at(name, |here| here.add(value));
        }
    }

    fn arrays(&mut self, before: &[Value], after: &[Value]) {
        match self.arrays {
            Arrays::Aligned => self.aligned(before, after),
            Arrays::Trimmed => self.trimmed(before, after),
        }
    }

    fn aligned(&mut self, before: &[Value], after: &[Value]) {
        let mut index = 0;
        for step in array::align(before, after) {
            match step {
                Step::Removed(value) => self.at(index, |here| here.remove(value)),
                Step::Added(value) => self.at(index, |here| here.add(value)),
                Step::Kept(old, new) => self.at(index, |here| here.values(old, new)),
            }
            index += usize::from(!matches!(step, Step::Removed(_)));
        }
    }

    fn trimmed(&mut self, before: &[Value], after: &[Value]) {
        let (head, old, new) = array::trim(before, after);
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            self.at(head + index, |here| here.values(old, new));
        }
        for (index, value) in old.iter().enumerate().skip(new.len()).rev() {
            self.at(head + index, |here| here.remove(value));
        }
        for (index, value) in new.iter().enumerate().skip(old.len()) {
            self.at(head + index, |here| here.add(value));
        }
    }

    fn at<'a>(&mut self, step: impl Into<Token<'a>>, find: impl FnOnce(&mut Difference)) {
        self.path.push_back(step);
        find(self);
        self.path.pop_back();
    }

    fn add(&mut self, value: &Value) {
        let operation = AddOperation { path: self.path.clone(), value: value.clone() };
        self.steps.push(Tuple { op: PatchOperation::Add(operation), previous: None });
    }

    fn remove(&mut self, value: &Value) {
        let operation = RemoveOperation { path: self.path.clone() };
        self.steps.push(Tuple { op: PatchOperation::Remove(operation), previous: Some(value.clone()) });
    }
}

/// Such objects are only replaced as a whole.
fn differ_in_closed_names(before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
    CLOSED_NAMES.iter().any(|name| before.get(*name) != after.get(*name))
}
