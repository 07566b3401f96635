//! Which collection a resource is, and how a document of it becomes a record.

use crate::mongodb::form;
use mongodb::bson::{RawBsonRef, RawDocument};
use serde_json::Value;
use std::sync::Arc;

/// The field that every document has, and that is its key unless another one is named.
pub const ID: &str = "_id";

/// Which collection a resource is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The resource's name in the configuration.
    pub resource: Arc<str>,
    pub collection: String,
    /// The field of its key, at the top of the document.
    pub key: String,
}

/// A document as a record: its key as text, and its value with nothing hidden yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: String,
    pub value: Value,
}

impl Binding {
    /// A collection keyed by `_id`.
    pub fn new(resource: &str, collection: &str) -> Binding {
        Binding { resource: resource.into(), collection: collection.to_owned(), key: ID.to_owned() }
    }

    /// Whether the key is the field that the database itself keeps unique and never lets change.
    pub fn is_keyed_by_id(&self) -> bool {
        self.key == ID
    }

    /// The key of a document as text: its key field, or `_id` where that is missing or null.
    pub fn id_of(&self, document: &RawDocument) -> String {
        let present = |name: &str| match document.get(name) {
            Ok(None | Some(RawBsonRef::Null)) | Err(_) => None,
            Ok(Some(value)) => Some(form::key(value)),
        };
        present(&self.key).or_else(|| present(ID)).unwrap_or_else(|| form::key(RawBsonRef::Null))
    }

    /// A document as a record.
    pub fn read(&self, document: &RawDocument) -> Record {
        Record { id: self.id_of(document), value: form::document(document) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::{Bson, RawDocumentBuf, doc};

    #[test]
    fn the_key_is_the_named_field_or_else_the_id() {
        let graphs = Binding { key: "instanceId".into(), ..Binding::new("graphObjs", "graphobjects") };
        let nodes = Binding::new("nodes", "nodes");
        for (document, of_graph, of_node) in [
            (doc! { "_id": "6b01", "instanceId": "g1" }, "g1", "6b01"),
            (doc! { "_id": 7, "instanceId": Bson::Null }, "7", "7"),
            (doc! { "_id": "6b01" }, "6b01", "6b01"),
            (doc! { "instanceId": 5 }, "5", "null"),
        ] {
            let raw = RawDocumentBuf::try_from(&document).unwrap();
            assert_eq!(
                (graphs.id_of(&raw), nodes.id_of(&raw)),
                (of_graph.to_owned(), of_node.to_owned()),
                "{document}"
            );
        }
        let raw = RawDocumentBuf::try_from(&doc! { "_id": "6b01", "instanceId": "g1" }).unwrap();
        assert_eq!(graphs.read(&raw).value, serde_json::json!({"id": "6b01", "instanceId": "g1"}));
    }
}
