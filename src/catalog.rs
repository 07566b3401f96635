//! What is served: every resource with where its records are read, how its source is doing, and who may see what.

use crate::access::{Access, Bound};
use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::Mark;
use crate::filter::{Filter, Path};
use crate::interest::Interests;
use crate::query::Query;
use crate::replica::shared::{Table, View};
use crate::resource::Resource;
use crate::source::Health;
use crate::store::select::select;
use crate::store::{Snapshot, Store};
use crate::viewer::Viewer;
use serde_json::Value;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

/// How long a list waits for what was committed before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two times that a source is asked to look for it.
const LOOK: Duration = Duration::from_millis(20);

/// A resource together with its parts.
pub struct Served {
    pub resource: Resource,
    pub access: Access,
    pub store: Arc<dyn Store>,
    pub health: Arc<Health>,
    /// Where the rows of another resource say who may see a record.
    pub sharing: Option<Sharing>,
    /// Where the source wants to know which patterns are watched, because it asks the broker for no others.
    pub interests: Option<Arc<Interests>>,
}

/// The records of a resource with who may see them, and where the grants that say so come from.
pub struct Sharing {
    pub view: Arc<View>,
    pub grants: Feed,
}

/// Where changes come from: a source, with the store that knows how far it should be.
#[derive(Clone)]
pub struct Feed {
    pub source: Arc<str>,
    pub store: Arc<dyn Store>,
    pub health: Arc<Health>,
}

impl Served {
    /// What the resource is to this viewer; `None`: unknown.
    pub fn bind(&self, viewer: &Viewer) -> Option<Bound> {
        self.access.bind(viewer)
    }

    /// The rows that are asked for, as far as they may be seen.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn query(&self, bound: &Bound, asked: &Query) -> Result<Snapshot> {
        let query = Query { filter: Arc::new(bound.limit(&asked.filter)), ..asked.clone() };
        let Some(sharing) = &self.sharing else { return self.store.query(&self.resource, &query).await };
        let (rows, offset) = self.read(sharing, |table| table.rows(&bound.sight)).await?;
        Ok(Snapshot { rows: select(rows.into_iter(), &query)?, mark: Mark::Offset(offset) })
    }

    /// Whether the mark of its lists is an offset of the log: they are read from what the log has.
    pub fn is_read_from_log(&self) -> bool {
        self.resource.append_only || self.sharing.is_some()
    }

    /// Where its changes come from, and what says who may see them.
    pub fn feeds(&self) -> Vec<Feed> {
        let (source, store, health) = (self.resource.source.clone(), self.store.clone(), self.health.clone());
        let grants = self.sharing.iter().map(|sharing| sharing.grants.clone());
        std::iter::once(Feed { source, store, health }).chain(grants).collect()
    }

    /// Reads the table once it has everything that was committed before.
    async fn read<T>(&self, sharing: &Sharing, read: impl FnOnce(&Table) -> T) -> Result<T> {
        let feeds = self.feeds();
        let mut marks = Vec::new();
        for feed in &feeds {
            marks.push((feed.source.clone(), feed.store.mark().await?));
        }
        let mut reading = pin!(sharing.view.read(&marks, read));
        let late = Instant::now() + PATIENCE;
        while Instant::now() < late {
            feeds.iter().for_each(|feed| feed.health.ring());
            if let Ok(read) = tokio::time::timeout(LOOK, &mut reading).await {
                return Ok(read);
            }
        }
        Err(Error::new(Kind::Unreachable, "what was committed is not in the log yet"))
    }

    /// The record with this key, if it may be seen.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn record(&self, bound: &Bound, id: &str) -> Result<Option<Document>> {
        let filter = Arc::new(bound.limit(&Filter::equal(Path::parse("id"), &Value::from(id))));
        // A record's own `id` may be the key of another one, so the filter can find more than the one meant.
        let asked = Query::all(filter);
        // The store has the newest version, which is what a write is compared with.
        let rows = self.store.query(&self.resource, &asked).await?.rows;
        let Some(row) = rows.into_iter().find(|row| *row.id == *id) else { return Ok(None) };
        let is_shown = match &self.sharing {
            // Not before what was committed with that version is known, such as the end of a grant.
            Some(sharing) => self.read(sharing, |table| table.shows(id, &row.document, &bound.sight)).await?,
            None => true,
        };
        Ok(is_shown.then_some(row.document))
    }

    /// Whether a record may be seen.
    pub fn shows(&self, bound: &Bound, id: &str, document: &Document) -> bool {
        let sharing = self.sharing.as_ref();
        let is_shared = |sharing: &Sharing| sharing.view.now(|table| table.shows(id, document, &bound.sight));
        bound.has(id, document) && sharing.is_none_or(is_shared)
    }
}

/// A way in to a resource: its own name, or that of a channel, which may narrow it.
pub struct Channel {
    pub served: Arc<Served>,
    narrows: Option<Arc<Access>>,
}

impl Channel {
    /// What the resource is to this viewer on this way; `None`: unknown.
    pub fn bind(&self, viewer: &Viewer) -> Option<Bound> {
        let bound = self.served.bind(viewer)?;
        match &self.narrows {
            Some(access) => Some(bound.narrowed(&access.bind(viewer)?)),
            None => Some(bound),
        }
    }
}

/// All resources by name, and the channels' aliases. Resources that are found later are added, none is taken out.
#[derive(Default)]
pub struct Catalog {
    resources: RwLock<HashMap<Arc<str>, Arc<Served>>>,
    aliases: HashMap<Arc<str>, Arc<str>>,
    /// What channels leave of their resource, by their name.
    narrows: HashMap<Arc<str>, Arc<Access>>,
}

impl Catalog {
    /// A catalog of these resources; `aliases` are channel name → resource name.
    pub fn new(
        resources: impl IntoIterator<Item = Served>,
        aliases: impl IntoIterator<Item = (Arc<str>, Arc<str>)>,
    ) -> Catalog {
        Catalog {
            resources: RwLock::new(
                resources.into_iter().map(|served| (served.resource.name.clone(), Arc::new(served))).collect(),
            ),
            aliases: aliases.into_iter().collect(),
            narrows: HashMap::new(),
        }
    }

    /// The same, where these channels narrow their resource.
    pub fn narrowed(self, narrows: impl IntoIterator<Item = (Arc<str>, Access)>) -> Catalog {
        let narrows = narrows.into_iter().map(|(channel, access)| (channel, Arc::new(access))).collect();
        Catalog { narrows, ..self }
    }

    /// Adds a resource; whether its name was free.
    pub fn add(&self, served: Served) -> bool {
        let name = served.resource.name.clone();
        let mut resources = self.resources.write().unwrap_or_else(PoisonError::into_inner);
        if resources.contains_key(&name) {
            return false;
        }
        resources.insert(name, Arc::new(served));
        true
    }

    /// The resource with this name, private or not.
    pub fn resource(&self, name: &str) -> Option<Arc<Served>> {
        self.known().get(name).cloned()
    }

    /// The way in by a channel: an alias first, then a name; never to a private resource.
    pub fn channel(&self, channel: &str) -> Option<Channel> {
        let name = self.aliases.get(channel).map_or(channel, |name| name);
        let served = self.resource(name).filter(|served| !served.resource.private)?;
        Some(Channel { served, narrows: self.narrows.get(channel).cloned() })
    }

    /// The ways in to the resources whose names begin with what stands before the `*` of `mq:*`; never to private
    /// ones.
    pub fn family(&self, pattern: &str) -> Vec<Channel> {
        let Some(prefix) = pattern.strip_suffix('*') else { return Vec::new() };
        let members = self.resources().into_iter().filter(|served| served.resource.name.starts_with(prefix));
        members.filter_map(|served| self.channel(&served.resource.name)).collect()
    }

    /// Every resource, in order of its name.
    pub fn resources(&self) -> Vec<Arc<Served>> {
        let mut all: Vec<_> = self.known().values().cloned().collect();
        all.sort_by(|a, b| a.resource.name.cmp(&b.resource.name));
        all
    }

    /// The aliases of a resource.
    pub fn aliases(&self, resource: &str) -> Vec<&Arc<str>> {
        let mut names: Vec<_> =
            self.aliases.iter().filter(|(_, name)| &***name == resource).map(|(alias, _)| alias).collect();
        names.sort();
        names
    }

    fn known(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Arc<Served>>> {
        self.resources.read().unwrap_or_else(PoisonError::into_inner)
    }
}
