//! One query: candidates from the database, read from one snapshot, judged here.

use super::condition::Translator;
use super::{Failed, MongoStore, number, primary};
use crate::error::{Error, Kind, Result};
use crate::event::Mark;
use crate::mongodb::collection::{Binding, ID};
use crate::mongodb::discover::find;
use crate::mongodb::failure::{code, failure};
use crate::query::{Query, Row};
use crate::resource::Resource;
use crate::store::Snapshot;
use crate::store::gather::{Gather, Order};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, RawDocumentBuf, doc};
use mongodb::options::{Collation, FindOptions, ReadConcern, SessionOptions, TransactionOptions};
use mongodb::{ClientSession, Collection};
use std::time::{Duration, Instant};

/// The snapshot is gone, or a collection was just made, dropped or renamed; a newer one will do.
const SNAPSHOT_UNAVAILABLE: i32 = 246;

/// How often a newer snapshot is tried.
const ATTEMPTS: usize = 5;

/// For what is being written to be there, on a server that does not say when it is.
const SETTLING: Duration = Duration::from_millis(40);

/// How long a quiet moment is waited for on such a server.
const PATIENCE: Duration = Duration::from_secs(1);

impl MongoStore {
    /// The rows of one snapshot, which contains what was written before the call.
    pub(super) async fn read(&self, binding: &Binding, resource: &Resource, query: &Query) -> Result<Snapshot> {
        let doing = format!("reading {}", binding.collection);
        let translator = Translator { binding, resource };
        let condition = translator.translate(&query.filter).over.query();
        let Some(condition) = condition else {
            let rows = Gather::new(query, Order::Asked)?.finish()?;
            return Ok(Snapshot { rows, mark: Mark::Time(number(self.now().await?)) });
        };
        let asked = Asked { binding, resource, query, condition };
        for _ in 0..ATTEMPTS {
            match self.attempt(&asked).await {
                Err(Failed::Driver(error)) if code(&error) == Some(SNAPSHOT_UNAVAILABLE) => {}
                Err(Failed::Driver(error)) => return Err(failure(&doing, &error)),
                Err(Failed::Own(error)) => return Err(error),
                Ok(snapshot) => return Ok(snapshot),
            }
        }
        Err(Error::new(Kind::Unreachable, format!("{doing} failed: the collection keeps changing")))
    }

    async fn attempt(&self, asked: &Asked<'_>) -> std::result::Result<Snapshot, Failed> {
        let time = self.now().await?;
        let options = SessionOptions::builder().snapshot(true).snapshot_time(time).build();
        let mut session = self.database.client().start_session().with_options(options).await?;
        let rows = self.gather(&mut session, asked).await?;
        if session.snapshot_time().is_none_or(|read| read == time) {
            return Ok(Snapshot { rows, mark: Mark::Time(number(time)) });
        }
        // It read at another time than it was asked to, and what it says of that is not what it read.
        self.attempt_now(asked).await
    }

    /// Reads from a server that cannot read at a given time, which no MongoDB is, but servers that speak its
    /// protocol are. A transaction there has one state, which contains everything up to a time shortly before it
    /// began: what had a time then has settled. Nothing else is in it if the time is still the same when it has
    /// begun; where no moment is that quiet, changes in between are told again behind the list, and none is lost.
    async fn attempt_now(&self, asked: &Asked<'_>) -> std::result::Result<Snapshot, Failed> {
        let begun = Instant::now();
        loop {
            let time = self.now().await?;
            tokio::time::sleep(SETTLING).await;
            let mut session = self.database.client().start_session().await?;
            let options = TransactionOptions::builder().read_concern(ReadConcern::snapshot()).build();
            session.start_transaction().with_options(options).await?;
            let collection = self.database.collection::<Document>(&asked.binding.collection);
            collection.find_one(doc! {}).projection(doc! { ID: 1 }).session(&mut session).await?;
            let is_quiet = session.operation_time() == Some(time);
            let rows = match is_quiet || begun.elapsed() > PATIENCE {
                true => Some(self.gather(&mut session, asked).await),
                false => None,
            };
            session.abort_transaction().await?;
            if let Some(rows) = rows {
                return Ok(Snapshot { rows: rows?, mark: Mark::Time(number(time)) });
            }
        }
    }

    async fn gather(&self, session: &mut ClientSession, asked: &Asked<'_>) -> std::result::Result<Vec<Row>, Failed> {
        let Asked { binding, resource, query, .. } = asked;
        let collection = self.database.collection::<RawDocumentBuf>(&binding.collection);
        // Without another order rows ascend by the text of their key; with keys of one simple type that is the
        // order of the database, which can then stop early.
        let by_key = binding.is_keyed_by_id() && query.limit.is_some() && query.sort.is_empty();
        let is_text_order = by_key
            && find(&self.database, &binding.collection).await?.is_some_and(|listed| !listed.has_own_order())
            && is_uniform(&collection, session).await?;
        let order = if is_text_order { Order::Asked } else { Order::Any };
        let mut gather = Gather::new(query, order)?;
        let found = collection.find(asked.condition.clone()).with_options(self.reading(order));
        let mut cursor = found.session(&mut *session).await?;
        while !gather.is_full() && cursor.advance(session).await? {
            let record = binding.read(cursor.current());
            let document = resource.present(&record.id, record.value);
            gather.take(Row::new(record.id, document))?;
        }
        Ok(gather.finish()?)
    }

    fn reading(&self, order: Order) -> FindOptions {
        let mut options = FindOptions::default();
        options.max_time = Some(self.statement_timeout);
        options.selection_criteria = Some(primary());
        match order {
            Order::Asked => options.sort = Some(doc! { ID: 1 }),
            // Strings are compared by their bytes, whatever the collection's own order is.
            Order::Any => options.collation = Some(Collation::builder().locale("simple").build()),
        }
        options
    }
}

/// A query of one collection.
struct Asked<'a> {
    binding: &'a Binding,
    resource: &'a Resource,
    query: &'a Query,
    /// What every row fulfils.
    condition: Document,
}

/// Whether every `_id` is of one type whose order is that of its text: MongoDB orders by type first, so the least
/// and the greatest tell.
async fn is_uniform(
    collection: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
) -> mongodb::error::Result<bool> {
    let mut ends = Vec::new();
    for direction in [1, -1] {
        let keys = collection.clone_with_type::<Document>();
        let end = keys.find_one(doc! {}).sort(doc! { ID: direction }).projection(doc! { ID: 1 });
        ends.extend(end.selection_criteria(primary()).session(&mut *session).await?);
    }
    let is_uuid = |binary: &Binary| binary.subtype == BinarySubtype::Uuid && binary.bytes.len() == 16;
    Ok(match &*ends {
        [] => true,
        [least, greatest] => match (least.get(ID), greatest.get(ID)) {
            (Some(Bson::String(_)), Some(Bson::String(_))) => true,
            (Some(Bson::ObjectId(_)), Some(Bson::ObjectId(_))) => true,
            (Some(Bson::Binary(least)), Some(Bson::Binary(greatest))) => is_uuid(least) && is_uuid(greatest),
            _ => false,
        },
        _ => false,
    })
}
