//! What an exact client holds: applies what it is told, and proves in the end that this was the whole truth.
//!
//! Every committed change of a row raises its `version` by one, so a gap, a repeat and a step back all show.

use serde_json::Value;
use std::collections::BTreeMap;

/// What became of every row: each version in order, `None` where the change removed the row.
pub type History = BTreeMap<String, Vec<(i64, Option<Value>)>>;

/// Which rows a watch asks for; rows are `on` or `off`, and change it often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    All,
    On,
}

/// One change as a client can be told of it, by the version of the document in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Item(i64),
    Removed(i64),
}

/// The state of one watch, or of one view of several watches.
#[derive(Debug)]
pub struct Model {
    part: Part,
    /// Several lists make up a view; a later one may be older than what was told before. So changes may be told again.
    is_view: bool,
    rows: BTreeMap<String, Value>,
    /// The versions in the list that counts.
    listed: BTreeMap<String, i64>,
    /// What was told of each row since that list.
    told: BTreeMap<String, Vec<Told>>,
    pub position: Option<String>,
    pub lists: usize,
    /// What every resume came to: `None` for complete, else the reason.
    pub verdicts: Vec<Option<String>>,
}

impl Part {
    fn has(self, document: &Value) -> bool {
        self == Part::All || document["state"] == "on"
    }
}

impl Model {
    /// A watch that holds nothing yet.
    pub fn new(part: Part) -> Model {
        Model {
            part,
            is_view: false,
            rows: BTreeMap::new(),
            listed: BTreeMap::new(),
            told: BTreeMap::new(),
            position: None,
            lists: 0,
            verdicts: Vec::new(),
        }
    }

    /// A view of several watches, the last of which has all rows.
    pub fn view() -> Model {
        Model { is_view: true, ..Model::new(Part::All) }
    }

    /// The same, for a server that may tell again what a list has already.
    pub fn of_repeats(self) -> Model {
        Model { is_view: true, ..self }
    }

    /// Takes in one message.
    pub fn hear(&mut self, message: &Value) {
        let id = || match &message["id"] {
            Value::Array(words) => words[1].as_str().expect("a key").to_owned(),
            id => id.as_str().expect("a key").to_owned(),
        };
        let mut is_stored = true;
        match message["handler"].as_str() {
            Some("list") => self.take_list(message["items"].as_array().expect("rows")),
            Some("resumed") => {
                is_stored = message["complete"] == true;
                self.verdicts.push(message["reason"].as_str().map(str::to_owned));
                assert_eq!(is_stored, message["reason"].is_null(), "{message}");
            }
            Some("item") => {
                let document = &message["data"];
                self.note(id(), Told::Item(version(document)));
                self.rows.insert(id(), document.clone());
            }
            Some("patch") => {
                let held = self.rows.get_mut(&id()).unwrap_or_else(|| panic!("a patch of nothing: {message}"));
                let before = held.clone();
                patch(held, &message["data"]);
                let (after, mut back) = (version(held), held.clone());
                patch(&mut back, &message["revert"]);
                assert_eq!(back, before, "{message} does not lead back");
                self.note(id(), Told::Item(after));
            }
            Some("remove") => {
                let held = self.rows.remove(&id());
                assert!(self.is_view || held.as_ref() == Some(&message["data"]), "{message} of {held:?}");
                self.note(id(), Told::Removed(version(&message["data"])));
            }
            Some("progress") => {}
            _ => panic!("nobody asked for {message}"),
        }
        if let (true, Some(position)) = (is_stored, message["position"].as_str()) {
            self.position = Some(position.to_owned());
        }
    }

    fn take_list(&mut self, items: &[Value]) {
        self.lists += 1;
        self.listed.clear();
        if !self.is_view {
            self.rows.clear();
            self.told.clear();
        }
        for row in items {
            let id = row["id"].as_str().expect("an id").to_owned();
            self.listed.insert(id.clone(), version(row));
            self.told.remove(&id);
            self.rows.insert(id, row.clone());
        }
    }

    fn note(&mut self, id: String, told: Told) {
        self.told.entry(id).or_default().push(told);
    }

    /// How many changes it was told.
    pub fn count(&self) -> usize {
        self.told.values().map(Vec::len).sum()
    }

    /// Whether it holds the last state, and got there by every change since its list, once and in order. A view
    /// may be told again what a later list of it made old.
    pub fn prove(&self, name: &str, history: &History) {
        for (id, versions) in history {
            let all = changes(versions, self.part);
            let told = self.told.get(id).map_or(&[][..], Vec::as_slice);
            let listed = self.listed.get(id);
            let due: Vec<Told> =
                all.iter().filter(|(at, _)| listed.is_some_and(|listed| at > listed)).map(|(_, told)| *told).collect();
            let is_right = match (self.is_view, listed) {
                (false, Some(_)) => told == due,
                // It was not there when the list was read, so the first news is that it appeared.
                (false, None) => {
                    let all: Vec<Told> = all.iter().map(|(_, told)| *told).collect();
                    all.ends_with(told) && !matches!(told.first(), Some(Told::Removed(_)))
                }
                (true, _) => is_within(&due, told),
            };
            assert!(is_right, "{name}: row {id}, listed {listed:?}\n told {told:?}\n due {due:?}");
        }
        let last = |versions: &Vec<(i64, Option<Value>)>| versions.last().and_then(|(_, document)| document.clone());
        let rows: BTreeMap<String, Value> = history
            .iter()
            .filter_map(|(id, versions)| Some((id.clone(), last(versions)?)))
            .filter(|(_, document)| self.part.has(document))
            .collect();
        for id in rows.keys().chain(self.rows.keys()) {
            assert_eq!(self.rows.get(id), rows.get(id), "{name}: the last state of {id}; told {:?}", self.told.get(id));
        }
    }
}

/// What a watch of this part is told of a row, each with the version that the change led to.
fn changes(versions: &[(i64, Option<Value>)], part: Part) -> Vec<(i64, Told)> {
    let mut held: Option<i64> = None;
    let mut changes = Vec::new();
    for (version, document) in versions {
        let is_in = document.as_ref().is_some_and(|document| part.has(document));
        match held {
            _ if is_in => changes.push((*version, Told::Item(*version))),
            Some(before) => changes.push((*version, Told::Removed(before))),
            None => {}
        }
        held = is_in.then_some(*version);
    }
    changes
}

/// Whether all of `due` is in `told`, in this order.
fn is_within(due: &[Told], told: &[Told]) -> bool {
    let mut told = told.iter();
    due.iter().all(|due| told.any(|told| told == due))
}

fn version(document: &Value) -> i64 {
    document["version"].as_i64().unwrap_or_else(|| panic!("no version in {document}"))
}

fn patch(document: &mut Value, operations: &Value) {
    let operations: json_patch::Patch = serde_json::from_value(operations.clone()).expect("a patch");
    json_patch::patch(document, &operations).unwrap_or_else(|error| panic!("{operations} on {document}: {error}"));
}
