//! The parts that a MongoDB source is made of, and what an operator asks of its database.

use crate::access::Read;
use crate::app::parts::{self, Opened, SourcePart};
use crate::catalog::Catalog;
use crate::config::{Config, Records, Resource, Source, redacted};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::mongodb::address::Address;
use crate::mongodb::collection::{Binding, ID};
use crate::mongodb::connect::connect;
use crate::mongodb::discover::{discover, is_name};
use crate::mongodb::doctor;
use crate::source::Health;
use crate::source::mongodb::{self as source_mongodb, Discover, MongoSource};
use crate::store::Store;
use crate::store::mongodb::{self as store_mongodb, MongoStore};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// A database, and what of it is to be served.
pub struct Database {
    address: Address,
    database: mongodb::Database,
    /// The resources that follow this source.
    resources: Vec<Resource>,
    bindings: Vec<Binding>,
    /// The resources that follow another source and have their rows here.
    rows: Vec<Binding>,
}

impl Database {
    /// What the configuration says of a database's collections; every one that can be served where it says
    /// nothing. `taken` are the names that other resources have already.
    ///
    /// # Errors
    /// A URL that is none; `Unreachable` or `Refused` when the database cannot be asked.
    pub async fn of(config: &Config, source: &Source, taken: &HashSet<String>) -> Result<Database> {
        let address = Address::parse(&source.url)?;
        let database = connect(&address).await?;
        let mut resources: Vec<Resource> =
            config.resources.iter().filter(|resource| resource.source == source.name).cloned().collect();
        if config.discovers(source) {
            resources.extend(found(config, source, &database, &resources, taken).await?);
        }
        let bindings = resources.iter().map(|one| binding(one, &one.records)).collect::<Result<Vec<_>>>()?;
        let elsewhere = config.resources.iter().filter_map(|one| Some((one, one.rows.as_ref()?)));
        let rows = elsewhere
            .filter(|(_, rows)| rows.source == source.name)
            .map(|(resource, rows)| binding(resource, &rows.records))
            .collect::<Result<Vec<_>>>()?;
        if bindings.is_empty() && rows.is_empty() {
            let url = redacted(&source.url);
            tracing::info!(source = source.name, url, "there is no collection yet; those that come are served");
        }
        Ok(Database { address, database, resources, bindings, rows })
    }

    /// Puts together what follows and reads the database. Collections that are found later go into the catalog.
    pub fn open(self, config: &Config, source: &Source, catalog: &Arc<Catalog>) -> Opened {
        let every = self.bindings.iter().chain(&self.rows).cloned().collect();
        let settings = store_mongodb::Settings { bindings: every, statement_timeout: source.statement_timeout };
        let store: Arc<dyn Store> = Arc::new(MongoStore::new(self.database.clone(), settings));
        let rows = self.rows.iter().map(|binding| (binding.resource.clone(), store.clone())).collect();
        let discovers = config.discovers(source);
        if self.resources.is_empty() && !discovers {
            return Opened { rows, ..Opened::default() };
        }
        let health = Arc::new(Health::default());
        let primary = ["id".to_owned()];
        let serve = |one| parts::serve_records(one, &primary, store.clone(), health.clone());
        let served = self.resources.iter().map(serve).collect();
        let late = Late {
            database: self.database,
            source: source.clone(),
            read: config.read_of_discovered(),
            catalog: catalog.clone(),
            health: health.clone(),
            known: Mutex::default(),
        };
        let discover: Option<Discover> = discovers.then(|| -> Discover { Arc::new(move |name| late.serve(name)) });
        let settings = source_mongodb::Settings { bindings: self.bindings, discover };
        let follower = MongoSource::new(self.address, settings);
        let part = SourcePart { name: source.name.as_str().into(), source: Arc::new(follower), health };
        Opened { served, sources: vec![part], rows, ..Opened::default() }
    }
}

/// Serves collections that are made while the program runs.
struct Late {
    database: mongodb::Database,
    source: Source,
    read: Read,
    catalog: Arc<Catalog>,
    health: Arc<Health>,
    /// What was decided of each collection; asked again, it is the same.
    known: Mutex<HashMap<String, Option<Binding>>>,
}

impl Late {
    /// Makes a resource of a collection that was not there at the start, if its name is free and can be served.
    fn serve(&self, collection: &str) -> Option<Binding> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(collection.to_owned()).or_insert_with(|| self.add(collection)).clone()
    }

    fn add(&self, collection: &str) -> Option<Binding> {
        let source = self.source.name.as_str();
        if !is_name(collection) {
            tracing::info!(
                source,
                collection,
                reason = "its name cannot stand in a path",
                "a collection is not served"
            );
            return None;
        }
        let records = Records::Collection(collection.to_owned());
        let resource = Resource::discovered(collection, source, records, self.read.clone());
        let binding = Binding::new(collection, collection);
        let settings = store_mongodb::Settings {
            bindings: vec![binding.clone()],
            statement_timeout: self.source.statement_timeout,
        };
        let store = Arc::new(MongoStore::new(self.database.clone(), settings));
        let served = parts::serve_records(&resource, &["id".to_owned()], store, self.health.clone());
        if !self.catalog.add(served) {
            tracing::warn!(source, collection, reason = "its name is that of another", "a collection is not served");
            return None;
        }
        tracing::info!(source, collection, "a new collection is served");
        Some(binding)
    }
}

/// The collections that no resource names, as resources.
async fn found(
    config: &Config,
    source: &Source,
    database: &mongodb::Database,
    named: &[Resource],
    taken: &HashSet<String>,
) -> Result<Vec<Resource>> {
    let collections = discover(database).await?;
    for left in collections.left_out {
        let (collection, reason) = (left.collection, left.reason);
        tracing::info!(source = source.name, collection, reason, "a collection is not served");
    }
    let is_named = |collection: &String| {
        named.iter().any(|one| matches!(&one.records, Records::Collection(other) if other == collection))
    };
    let unnamed = collections.served.into_iter().filter(|collection| !is_named(collection));
    Ok(unnamed
        .map(|collection| {
            let is_taken = taken.contains(&collection) || named.iter().any(|one| one.name == collection);
            let name = if is_taken { format!("{}.{collection}", source.name) } else { collection.clone() };
            Resource::discovered(&name, &source.name, Records::Collection(collection), config.read_of_discovered())
        })
        .collect())
}

/// What a doctor finds in a database.
///
/// # Errors
/// As [`Database::of`].
pub async fn findings(config: &Config, source: &Source) -> Result<Vec<Finding>> {
    let database = Database::of(config, source, &HashSet::new()).await?;
    Ok(doctor::examine(&database.address, &database.bindings).await)
}

fn binding(resource: &Resource, records: &Records) -> Result<Binding> {
    let mistake = |sentence: String| Error::new(Kind::Configuration, sentence);
    let Records::Collection(collection) = records else {
        return Err(mistake(format!("resource {:?} has no collection", resource.name)));
    };
    let key = match &*resource.id {
        [] => ID,
        [key] if key == "id" => ID,
        [key] if key.contains('.') || key.starts_with('$') => {
            return Err(mistake(format!("the key of {:?} is a field at the top of a document", resource.name)));
        }
        [key] => key,
        _ => return Err(mistake(format!("the key of {:?} is one field", resource.name))),
    };
    Ok(Binding { key: key.to_owned(), ..Binding::new(&resource.name, collection) })
}
