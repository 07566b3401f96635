//! Reads a configuration key by key from the file and the environment, and remembers what was asked for: so
//! whatever nobody asked for is known to be a mistake, and the list of keys cannot differ from the code.

use crate::config::Overrides;
use crate::config::mistakes::{Mistake, Mistakes, Place, nearest};
use crate::config::value::{Found, describe};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Variables that begin like settings but are none: they belong to the command line and the tests.
const NOT_SETTINGS: [&str; 4] = ["TIDINGS_CONFIG", "TIDINGS_LOG", "TIDINGS_LOG_FORMAT", "TIDINGS_TOKEN"];
const PREFIX: &str = "TIDINGS_";

/// A whole configuration while it is read.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    overrides: &'a Overrides,
    notes: RefCell<Notes>,
}

#[derive(Default)]
struct Notes {
    mistakes: Vec<Mistake>,
    /// Keys that were found, and tables, with where.
    places: BTreeMap<String, Place>,
    /// Keys that there are, the names of things replaced by `*`.
    known: BTreeSet<String>,
    /// Variables that there are, set or not.
    variables: BTreeSet<String>,
}

/// One table of it: `[server]`, `[sources.inventory]`.
pub(super) struct Section<'a> {
    reader: &'a Reader<'a>,
    path: String,
    pattern: String,
    table: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, overrides: &'a Overrides) -> Reader<'a> {
        Reader { file, text, overrides, notes: RefCell::default() }
    }

    /// The outermost table; what could not be parsed is noted, and the rest still read.
    pub(super) fn parse(&self) -> DeTable<'a> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let place = error.span().map_or(Place::Whole, |span| self.line(span.start));
            self.note(place, error.message().to_owned(), None);
        }
        table.into_inner()
    }

    /// The file as a section.
    pub(super) fn root(&'a self, table: &'a DeTable<'a>) -> Section<'a> {
        Section {
            reader: self,
            path: String::new(),
            pattern: String::new(),
            table: Some(table),
            asked: RefCell::default(),
        }
    }

    /// Notes a mistake at a key: at its place, else at that of the nearest table around it.
    pub(super) fn mistake(&self, key: &str, sentence: impl Into<String>) {
        self.mistake_near(key, sentence, None);
    }

    /// The same, with the word that was probably meant.
    pub(super) fn mistake_near(&self, key: &str, sentence: impl Into<String>, meant: Option<String>) {
        let mut place = Place::Whole;
        let mut around = key;
        loop {
            if let Some(found) = self.notes.borrow().places.get(around) {
                place = found.clone();
                break;
            }
            match around.rsplit_once('.') {
                Some((outer, _)) => around = outer,
                None => break,
            }
        }
        self.note(place, format!("{key}: {}", sentence.into()), meant);
    }

    /// Notes a mistake in something that the command line gave.
    pub(super) fn mistake_outside(&self, what: String, sentence: String) {
        self.note(Place::Outside(what), sentence, None);
    }

    /// Whether a key was found, right or wrong.
    pub(super) fn is_placed(&self, key: &str) -> bool {
        self.notes.borrow().places.contains_key(key)
    }

    /// A variable that a key names, such as that of a secret.
    pub(super) fn variable(&self, name: &str) -> Option<&'a str> {
        self.notes.borrow_mut().variables.insert(name.to_owned());
        self.overrides.variables.get(name).map(String::as_str)
    }

    /// Every key that was asked for, `sources.*.url` for those of named things, and whether any such is set.
    #[cfg(test)]
    pub(super) fn known(&self) -> Vec<(String, bool)> {
        let notes = self.notes.borrow();
        let fits = |key: &str, known: &str| {
            let (key, known) = (key.split('.'), known.split('.'));
            key.clone().count() == known.clone().count() && key.zip(known).all(|(a, b)| b == "*" || a == b)
        };
        let is_set = |known: &str| notes.places.keys().any(|key| fits(key, known));
        notes.known.iter().map(|known| (known.clone(), is_set(known))).collect()
    }

    /// Ends the reading: variables that nobody asked for are mistakes too.
    pub(super) fn finish(self) -> Result<(), Mistakes> {
        for name in self.overrides.variables.keys().filter(|name| name.starts_with(PREFIX)) {
            let is_setting = !name.starts_with("TIDINGS_TEST_") && !NOT_SETTINGS.contains(&name.as_str());
            let notes = self.notes.borrow();
            if is_setting && !notes.variables.contains(name) {
                let meant = nearest(name, notes.variables.iter().map(String::as_str));
                drop(notes);
                self.note(Place::Outside(name.clone()), "there is no such setting".to_owned(), meant);
            }
        }
        let mistakes = self.notes.into_inner().mistakes;
        if mistakes.is_empty() { Ok(()) } else { Err(Mistakes::new(self.file, mistakes)) }
    }

    fn note(&self, place: Place, sentence: String, meant: Option<String>) {
        self.notes.borrow_mut().mistakes.push(Mistake { place, sentence, meant });
    }

    fn line(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        Place::Line(before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }
}

impl<'a> Section<'a> {
    /// The key's dotted name, `sources.inventory.url`.
    pub(super) fn key(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// Its own dotted name, `sources.inventory`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The reader, for mistakes that concern more than one key.
    pub(super) fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    /// The value at a key, read by `read`; `None` when it is absent, or wrong, which is noted.
    pub(super) fn get<T>(&self, name: &'static str, read: impl FnOnce(&Found<'_>) -> Result<T, String>) -> Option<T> {
        let key = self.key(name);
        self.asked.borrow_mut().push(name);
        self.reader.notes.borrow_mut().known.insert(join(&self.pattern, name));
        let found = self.find(name, &key)?;
        match read(&found) {
            Ok(value) => Some(value),
            Err(sentence) => {
                self.reader.mistake(&key, sentence);
                None
            }
        }
    }

    /// A table within this one; an absent one reads as empty (the environment may still fill it).
    pub(super) fn section(&self, name: &'static str) -> Section<'a> {
        self.asked.borrow_mut().push(name);
        self.inner(name, join(&self.pattern, name))
    }

    /// The tables within `name`, each with its own name. When the file has none, the environment may name
    /// them: `TIDINGS_SOURCES_DB_URL` names the source `db` (a name made so is one word).
    pub(super) fn named(&self, name: &'static str) -> Vec<(String, Section<'a>)> {
        let all = self.section(name);
        let mut names: Vec<String> =
            all.table.into_iter().flat_map(|table| table.keys().map(|key| key.get_ref().to_string())).collect();
        if names.is_empty() {
            let prefix = format!("{}_", variable_of(&all.path));
            let variables =
                self.reader.overrides.variables.keys().filter_map(|variable| variable.strip_prefix(&prefix));
            names = variables.filter_map(|rest| rest.split_once('_')).map(|(word, _)| word.to_lowercase()).collect();
            names.sort();
            names.dedup();
        }
        let pattern = join(&all.pattern, "*");
        names.into_iter().map(|name| (name.clone(), all.inner(&name, pattern.clone()))).collect()
    }

    /// The entries of a table of text, such as alias → resource.
    pub(super) fn texts(&self, name: &'static str) -> Vec<(String, String)> {
        self.entries(name, |value| value.text())
    }

    /// The entries of a table, each read by `read`.
    pub(super) fn entries<T>(
        &self,
        name: &'static str,
        read: impl Fn(&Found<'_>) -> Result<T, String>,
    ) -> Vec<(String, T)> {
        let section = self.section(name);
        self.reader.notes.borrow_mut().known.insert(section.pattern.clone());
        let keys = section.table.into_iter().flat_map(DeTable::keys);
        keys.filter_map(|entry| {
            let entry = entry.get_ref();
            let key = section.key(entry);
            match read(&section.find(entry, &key)?) {
                Ok(value) => Some((entry.to_string(), value)),
                Err(sentence) => {
                    self.reader.mistake(&key, sentence);
                    None
                }
            }
        })
        .collect()
    }

    /// Whether the file or the environment says anything in this section.
    pub(super) fn is_there(&self) -> bool {
        let prefix = format!("{}_", variable_of(&self.path));
        self.table.is_some() || self.reader.overrides.variables.keys().any(|name| name.starts_with(&prefix))
    }

    /// Notes the keys of the file that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let name = key.get_ref().as_ref();
            if !asked.contains(&name) {
                let place = self.reader.line(key.span().start);
                let what = format!("{}: there is no such key", self.key(name));
                self.reader.note(place, what, nearest(name, asked.iter().copied()));
            }
        }
    }

    fn inner(&self, name: &str, pattern: String) -> Section<'a> {
        let path = join(&self.path, name);
        let mut table = None;
        if let Some((key, value)) = self.entry(name) {
            let place = self.reader.line(key.span().start);
            self.reader.notes.borrow_mut().places.insert(path.clone(), place);
            match value.get_ref() {
                DeValue::Table(inner) => table = Some(inner),
                other => self.reader.mistake(&path, format!("{} is given, a table is wanted", describe(other))),
            }
        }
        Section { reader: self.reader, path, pattern, table, asked: RefCell::default() }
    }

    fn find(&self, name: &str, key: &str) -> Option<Found<'a>> {
        let variable = variable_of(key);
        let given = self.reader.overrides.variables.get(&variable);
        let mut notes = self.reader.notes.borrow_mut();
        notes.variables.insert(variable.clone());
        if let Some((_, option, text)) = self.reader.overrides.options.iter().find(|(named, ..)| *named == key) {
            notes.places.insert(key.to_owned(), Place::Outside((*option).to_owned()));
            return Some(Found::Variable(text));
        }
        if let Some(text) = given {
            notes.places.insert(key.to_owned(), Place::Outside(variable));
            return Some(Found::Variable(text));
        }
        let (written, value) = self.entry(name)?;
        notes.places.insert(key.to_owned(), self.reader.line(written.span().start));
        Some(Found::Value(value.get_ref()))
    }

    fn entry(&self, name: &str) -> Option<(&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>)> {
        self.table?.get_key_value(name)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The variable that overrides a key: `TIDINGS_` and the key in capitals, every other letter than A–Z and 0–9
/// an underscore: `sources.my-db.url` is `TIDINGS_SOURCES_MY_DB_URL`.
fn variable_of(key: &str) -> String {
    let name = key.replace("./", ".");
    let name = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    PREFIX.chars().chain(name).collect()
}
