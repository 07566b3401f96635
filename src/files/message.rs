//! What clients are told of a file store, as it stands in the log: `{"key","meta","message"}`, an entry for each.
//! Only what differs from reader to reader is missing from the message; the dialect puts it in.

use crate::document::Document;
use crate::files::known::KnownFile;
use crate::filter::{Filter, Path};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a socket hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The metadata of every file that names its viewer.
    List,
    /// The metadata of one file.
    File(&'a str),
    /// The contents and revisions of one file.
    Media(&'a str),
}

/// Whether a message is about a file or about its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Metadata,
    Contents,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Created,
    Patch,
    Deleted,
    AccessGranted,
    AccessRemoved,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The file that it belongs to.
    pub file: Arc<str>,
    pub about: About,
    pub operation: Operation,
    pub kind: Arc<str>,
    /// The key of the file, or the id of a revision.
    pub id: Arc<str>,
    pub parent: Option<Arc<str>>,
    pub data: Option<Value>,
}

impl Operation {
    /// `created`, `patch`, `deleted`, `access-granted` or `access-removed`.
    pub fn word(self) -> &'static str {
        match self {
            Operation::Created => "created",
            Operation::Patch => "patch",
            Operation::Deleted => "deleted",
            Operation::AccessGranted => "access-granted",
            Operation::AccessRemoved => "access-removed",
        }
    }
}

impl Message {
    /// A message of a file's key and kind. Only those about its metadata name its parent.
    pub fn of_file(
        about: About,
        key: &Arc<str>,
        file: &KnownFile,
        operation: Operation,
        data: Option<Value>,
    ) -> Message {
        let parent = file.parent.clone().filter(|_| about == About::Metadata);
        Message { file: key.clone(), about, operation, kind: file.kind.clone(), id: key.clone(), parent, data }
    }

    /// The entry's document.
    pub fn document(self) -> Document {
        let mut message = json!({
            "type": "event",
            "operation": self.operation.word(),
            "kind": &*self.kind,
            "id": &*self.id,
        });
        if let Some(parent) = &self.parent {
            message["parent"] = json!(&**parent);
        }
        if let Some(data) = self.data {
            message["data"] = data;
        }
        let is_meta = self.about == About::Metadata;
        Document::new(json!({ "key": &*self.file, "meta": is_meta, "message": message }))
    }
}

/// The message of an entry's document.
pub fn message_of(document: &Document) -> Option<&Value> {
    document.value().get("message")
}

impl Heard<'_> {
    /// Which entries are meant.
    pub fn filter(self) -> Filter {
        let is = |name: &str, value: Value| Filter::equal(Path::parse(name), &value);
        let of_file = |key: &str, is_meta: bool| Filter::every(vec![is("key", json!(key)), is("meta", json!(is_meta))]);
        match self {
            Heard::List => is("meta", json!(true)),
            Heard::File(key) => of_file(key, true),
            Heard::Media(key) => of_file(key, false),
        }
    }
}
