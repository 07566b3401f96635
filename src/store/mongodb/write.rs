//! One write: the record is read, judged, and changed in the fields that differ, all in one transaction, which the
//! database ends if somebody else changes the record meanwhile; then it is done again.

use super::condition::Translator;
use super::operand::object_id;
use super::{Failed, MongoStore, number, primary, value};
use crate::document::Document as Shown;
use crate::error::{Error, Kind, Result};
use crate::event::Stamp;
use crate::mongodb::collection::{Binding, ID, Record};
use crate::mongodb::failure::{code, failure};
use crate::patch::{self, Ops};
use crate::resource::Resource;
use crate::store::{Condition, Write, Written, tag};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::error::{TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{Acknowledgment, ReadConcern, TransactionOptions, WriteConcern};
use mongodb::{ClientSession, Collection};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How long a write is tried again because others change the same record.
const PATIENCE: Duration = Duration::from_secs(10);

/// The value of a unique index is taken.
const DUPLICATE: i32 = 11000;

type Fields = Map<String, Value>;

impl MongoStore {
    pub(super) async fn change(
        &self,
        binding: &Binding,
        resource: &Resource,
        id: &str,
        write: &Write,
        condition: &Condition,
    ) -> Result<Written> {
        if matches!(write, Write::Append(_)) {
            return Err(Error::new(Kind::Refused, "a collection takes no lines"));
        }
        let doing = format!("writing to {}", binding.collection);
        let writing = Writing { collection: self.database.collection(&binding.collection), binding, resource, id };
        let begun = Instant::now();
        let mut pause = Duration::from_millis(2);
        let mut was_taken = false;
        loop {
            let error = match self.attempt_write(&writing, write, condition).await {
                Ok(written) => return Ok(written),
                Err(Failed::Own(error)) => return Err(error),
                Err(Failed::Driver(error)) => error,
            };
            // Somebody else may just have created it; then it is there at the next look.
            let is_taken = code(&error) == Some(DUPLICATE);
            let is_passing = error.contains_label(TRANSIENT_TRANSACTION_ERROR) || (is_taken && !was_taken);
            if !is_passing || begun.elapsed() > PATIENCE {
                return Err(failure(&doing, &error));
            }
            was_taken = is_taken;
            tokio::time::sleep(pause.mul_f64(rand::random())).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    async fn attempt_write(
        &self,
        writing: &Writing<'_>,
        write: &Write,
        condition: &Condition,
    ) -> std::result::Result<Written, Failed> {
        let mut session = self.database.client().start_session().await?;
        let options = TransactionOptions::builder()
            .read_concern(ReadConcern::snapshot())
            .write_concern(WriteConcern::builder().w(Acknowledgment::Majority).build())
            .selection_criteria(primary())
            .build();
        session.start_transaction().with_options(options).await?;
        let outcome = match writing.run(&mut session, write, condition).await {
            Ok(outcome) => outcome,
            Err(error) => {
                // It ends by itself too, only later.
                let _ = session.abort_transaction().await;
                return Err(error);
            }
        };
        if outcome.before == outcome.after {
            let _ = session.abort_transaction().await;
            return Ok(outcome);
        }
        // Whether the first try did it is not known then; asking again does no harm.
        if let Err(error) = session.commit_transaction().await {
            if !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) {
                return Err(error.into());
            }
            session.commit_transaction().await?;
        }
        let stamp = session.operation_time().map_or(Stamp::None, |time| Stamp::Time(number(time)));
        Ok(Written { stamp, ..outcome })
    }
}

/// One record being written.
struct Writing<'a> {
    collection: Collection<RawDocumentBuf>,
    binding: &'a Binding,
    resource: &'a Resource,
    id: &'a str,
}

impl Writing<'_> {
    async fn run(
        &self,
        session: &mut ClientSession,
        write: &Write,
        condition: &Condition,
    ) -> std::result::Result<Written, Failed> {
        let stored = self.find(session).await?;
        let record = stored.as_ref().map(|document| self.binding.read(document));
        let before = record.as_ref().map(|record| self.shown(record));
        let holds = match condition {
            Condition::None => true,
            Condition::Exists => before.is_some(),
            Condition::Absent => before.is_none(),
            Condition::Tag(tags) => before.as_ref().is_some_and(|document| tags.contains(&tag(document))),
        };
        if !holds {
            return Err(Error::new(Kind::Conflict, "the record is not as the condition says").into());
        }
        let after = match (stored.zip(record), write) {
            (None, Write::Put(value)) => Some(self.insert(session, fields_of(value)?).await?),
            (None, _) => return Err(Error::new(Kind::Missing, format!("there is no record {}", self.id)).into()),
            (Some((stored, _)), Write::Delete) => {
                self.collection.delete_one(itself(&stored)?).session(session).await?;
                None
            }
            (Some((stored, record)), write) => {
                let target = self.target(&record, write)?;
                Some(self.update(session, &stored, &record, target).await?)
            }
        };
        let after = after.map(|record| self.shown(&record));
        Ok(Written { before, after, stamp: Stamp::None })
    }

    fn shown(&self, record: &Record) -> Shown {
        self.resource.present(&record.id, record.value.clone())
    }

    /// The document with this id.
    async fn find(&self, session: &mut ClientSession) -> std::result::Result<Option<RawDocumentBuf>, Failed> {
        let translator = Translator { binding: self.binding, resource: self.resource };
        let candidates = self.collection.find(translator.with_id(self.id)).sort(doc! { ID: 1 });
        let mut candidates = candidates.session(&mut *session).await?;
        while candidates.advance(session).await? {
            let document = candidates.current();
            if self.binding.id_of(document) == self.id {
                return Ok(Some(document.to_owned()));
            }
        }
        Ok(None)
    }

    /// What the record is to be.
    fn target(&self, record: &Record, write: &Write) -> Result<Fields> {
        let shown = self.shown(record).into_value();
        let with_id = Resource { hide: Vec::new(), ..self.resource.clone() }.present(&record.id, record.value.clone());
        let whole = with_id.value();
        let target = match write {
            Write::MergePatch(changes) => patch::merge(whole, changes),
            _ if shown != *whole => {
                let sentence = "the record has fields that are hidden, so only a merge patch can change it";
                return Err(Error::new(Kind::Refused, sentence));
            }
            Write::JsonPatch(operations) => patch::apply(whole, &Ops::parse(operations.clone())?)?,
            Write::Put(value) => value.clone(),
            Write::Append(_) | Write::Delete => return Err(Error::new(Kind::Internal, "there is nothing to become")),
        };
        fields_of(&target)
    }

    /// Changes the fields that differ, if there are any.
    async fn update(
        &self,
        session: &mut ClientSession,
        stored: &RawDocumentBuf,
        record: &Record,
        mut target: Fields,
    ) -> std::result::Result<Record, Failed> {
        let known = record.value.as_object().cloned().unwrap_or_default();
        let own = target.remove("id");
        if own.as_ref().is_some_and(|id| known.get("id") != Some(id) && id.as_str() != Some(self.id)) {
            return Err(key_changed().into());
        }
        self.keep_key(&mut target, known.get(&self.binding.key))?;
        let mut document = Document::try_from(stored.as_ref()).map_err(unreadable)?;
        let (mut set, mut unset) = (Document::new(), Document::new());
        for (name, new) in &target {
            if known.get(name) == Some(new) {
                continue;
            }
            let new = value::stored(document.get(name), new)?;
            set.insert(writable(name)?, new.clone());
            document.insert(name, new);
        }
        for name in known.keys().filter(|name| *name != "id" && !target.contains_key(*name)) {
            unset.insert(writable(name)?, "");
            document.remove(name);
        }
        let mut change = Document::new();
        for (operator, fields) in [("$set", set), ("$unset", unset)] {
            if !fields.is_empty() {
                change.insert(operator, fields);
            }
        }
        if !change.is_empty() {
            self.collection.update_one(itself(stored)?, change).session(session).await?;
        }
        Ok(self.record(&document)?)
    }

    async fn insert(&self, session: &mut ClientSession, mut target: Fields) -> std::result::Result<Record, Failed> {
        let own = target.remove("id");
        let key = match (self.binding.is_keyed_by_id(), own) {
            (true, Some(id)) if id.as_str() != Some(self.id) => return Err(key_changed().into()),
            (true, _) => self.new_key(session).await?,
            (false, Some(id)) => value::stored(None, &id)?,
            (false, None) => Bson::ObjectId(ObjectId::new()),
        };
        self.keep_key(&mut target, Some(&Value::String(self.id.to_owned())))?;
        let mut document = doc! { ID: key };
        for (name, new) in &target {
            document.insert(writable(name)?, value::stored(None, new)?);
        }
        let raw = RawDocumentBuf::try_from(&document).map_err(unreadable)?;
        self.collection.insert_one(raw).session(session).await?;
        Ok(self.record(&document)?)
    }

    /// A new `_id`: an object id if the id reads like one, unless the collection's are strings.
    async fn new_key(&self, session: &mut ClientSession) -> std::result::Result<Bson, Failed> {
        let text = || Bson::String(self.id.to_owned());
        let Some(key) = object_id(self.id) else { return Ok(text()) };
        let documents = self.collection.clone_with_type::<Document>();
        let other =
            documents.find_one(doc! {}).sort(doc! { ID: -1 }).projection(doc! { ID: 1 }).session(session).await?;
        let are_strings = other.is_some_and(|other| matches!(other.get(ID), Some(Bson::String(_))));
        Ok(if are_strings { text() } else { key })
    }

    /// The key field, where it is not `_id`, stays what it is. A record without one is known by its `_id`.
    fn keep_key(&self, target: &mut Fields, stored: Option<&Value>) -> Result<()> {
        if self.binding.is_keyed_by_id() {
            return Ok(());
        }
        let given = target.remove(&self.binding.key);
        target.extend(stored.map(|key| (self.binding.key.clone(), key.clone())));
        match given.as_ref().is_some_and(|given| Some(given) != stored) {
            true => Err(key_changed()),
            false => Ok(()),
        }
    }

    fn record(&self, document: &Document) -> Result<Record> {
        let raw = RawDocumentBuf::try_from(document).map_err(unreadable)?;
        Ok(self.binding.read(&raw))
    }
}

/// Names this document only.
fn itself(document: &RawDocumentBuf) -> Result<Document> {
    let key = document.get(ID).map_err(unreadable)?.map(Bson::try_from).transpose().map_err(unreadable)?;
    Ok(doc! { ID: {"$eq": key.unwrap_or(Bson::Null)} })
}

/// The name of a field, if it can be one in a change.
fn writable(name: &str) -> Result<&str> {
    let is_path = name.is_empty() || name.starts_with('$') || name.contains(['.', '\0']) || name == ID;
    match is_path {
        true => Err(Error::new(Kind::Malformed, format!("{name:?} cannot be the name of a field"))),
        false => Ok(name),
    }
}

/// The fields of a record; null is absent.
fn fields_of(value: &Value) -> Result<Fields> {
    let fields = value.as_object().ok_or_else(|| Error::new(Kind::Malformed, "a record is a JSON object"))?;
    Ok(fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn key_changed() -> Error {
    Error::new(Kind::Malformed, "the key of a record cannot be changed")
}

fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::because(Kind::Malformed, "a document is no BSON", error)
}
