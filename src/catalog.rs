//! What is served: every resource with where its records are read and how its source is doing.

use crate::interest::Interests;
use crate::resource::Resource;
use crate::source::Health;
use crate::store::Store;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// A resource together with its parts.
pub struct Served {
    pub resource: Resource,
    pub store: Arc<dyn Store>,
    pub health: Arc<Health>,
    /// Where the source wants to know which patterns are watched, because it asks the broker for no others.
    pub interests: Option<Arc<Interests>>,
}

/// All resources by name, and the channels' aliases. Resources that are found later are added, none is taken out.
#[derive(Default)]
pub struct Catalog {
    resources: RwLock<HashMap<Arc<str>, Arc<Served>>>,
    aliases: HashMap<Arc<str>, Arc<str>>,
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
        }
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

    /// The resource behind a channel: an alias first, then a name; never a private one.
    pub fn channel(&self, channel: &str) -> Option<Arc<Served>> {
        let name = self.aliases.get(channel).map_or(channel, |name| name);
        self.resource(name).filter(|served| !served.resource.private)
    }

    /// The resources whose names begin with what stands before the `*` of `mq:*`; never private ones.
    pub fn family(&self, pattern: &str) -> Vec<Arc<Served>> {
        let Some(prefix) = pattern.strip_suffix('*') else { return Vec::new() };
        let mut members = self.resources();
        members.retain(|served| !served.resource.private && served.resource.name.starts_with(prefix));
        members
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
