//! Brings the desk what happens: what the log shows, completed by what only the store knows. So the desk itself never
//! waits for a store.
//!
//! Of the tree it is told where those nodes are that access rules name, before it is told of the rule.

use crate::cells::rows::{Names, Part};
use crate::document::Document;
use crate::event::{Entry, Mark, Offset, Operation};
use crate::filter::{Filter, Path};
use crate::query::{Query, Row};
use crate::replica::tap::Shown;
use crate::resource::Resource;
use crate::store::Store;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What may wait for the desk.
const WAITING: usize = 64;

/// Nodes that are asked for at once.
const AT_ONCE: usize = 500;

/// How long everything waits for a store that does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// When nodes are asked for again that the store did not tell of.
const AGAIN: Duration = Duration::from_secs(5);

/// What the desk is told.
#[derive(Debug)]
pub enum Told {
    /// All rows of a resource.
    Rows { resource: Arc<str>, rows: Vec<Row> },
    /// What was logged.
    Entry(Logged),
    /// Where nodes are: those of `asked` that have no row are nowhere.
    Nodes { asked: Vec<Arc<str>>, rows: Vec<Row>, mark: Arc<Mark> },
    /// Everything up to this offset was told.
    Upto(Offset),
}

/// An entry of the log.
#[derive(Debug, Clone)]
pub struct Logged {
    pub entry: Arc<Entry>,
    /// The rows that were told last have it already.
    pub is_known: bool,
    /// The row of a node of which an event does not say where it is.
    pub node: Option<Row>,
}

/// Reads rows of nodes.
#[derive(Clone)]
pub struct Nodes {
    pub resource: Resource,
    pub store: Arc<dyn Store>,
    pub names: Arc<Names>,
}

impl Nodes {
    /// What completes an entry: the row of the node that an event is about, where it does not say its path.
    pub async fn of(&self, entry: &Entry, column: Option<&str>) -> Option<Row> {
        let event = entry.event.after.as_ref()?.value();
        let target = column.map_or(Some(event), |column| event.get(column))?.get("Target")?;
        let has_path = target.get("Path").and_then(Value::as_str).is_some_and(|path| !path.is_empty());
        let uuid = target.get("Uuid").and_then(Value::as_str).filter(|_| !has_path)?;
        let (rows, _) = self.read(&[uuid.into()]).await?;
        rows.into_iter().next()
    }

    /// The rows of these nodes, as far as there are any, and the state in which they were read.
    async fn read(&self, nodes: &[Arc<str>]) -> Option<(Vec<Row>, Mark)> {
        let name = self.names.of(Part::TreeNodes, Part::TreeNodes.key());
        let uuids: Vec<Value> = nodes.iter().map(|node| Value::from(&**node)).collect();
        let filter = Arc::new(Filter::one_of(Path::parse(name), &uuids));
        let asked = Query::all(filter);
        match tokio::time::timeout(PATIENCE, self.store.query(&self.resource, &asked)).await {
            Ok(Ok(snapshot)) => Some((snapshot.rows, snapshot.mark)),
            Ok(Err(error)) => {
                tracing::warn!(error = %error.chain(), "where nodes are cannot be read");
                None
            }
            Err(_) => {
                tracing::warn!("where nodes are was not told in time");
                None
            }
        }
    }
}

/// What completes what is shown.
pub struct Feed {
    places: Places,
    tree: Option<Nodes>,
    names: Arc<Names>,
    /// Ids that stand for something else than a node.
    virtual_roots: HashSet<String>,
    /// The nodes that were asked for, and those of them that nobody told of.
    asked: HashSet<Arc<str>>,
    missing: Vec<Arc<str>>,
    out: mpsc::Sender<Told>,
}

impl Feed {
    /// Completes with these nodes; what is told comes out of the receiver.
    pub fn new(
        places: Places,
        tree: Option<Nodes>,
        names: Arc<Names>,
        virtual_roots: HashSet<String>,
    ) -> (Feed, mpsc::Receiver<Told>) {
        let (out, told) = mpsc::channel(WAITING);
        let feed = Feed { places, tree, names, virtual_roots, asked: HashSet::new(), missing: Vec::new(), out };
        (feed, told)
    }

    /// Works until nothing more is shown, or nobody wants to be told.
    pub async fn run(mut self, mut shown: mpsc::Receiver<Shown>) {
        let mut again = tokio::time::interval(AGAIN);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_open = tokio::select! {
                next = shown.recv() => match next {
                    Some(next) => self.complete(next).await,
                    None => return,
                },
                _ = again.tick(), if !self.missing.is_empty() => {
                    let missing = std::mem::take(&mut self.missing);
                    self.ask(missing).await
                }
            };
            if !is_open {
                return;
            }
        }
    }

    async fn complete(&mut self, shown: Shown) -> bool {
        let told = match shown {
            Shown::Upto(offset) => Told::Upto(offset),
            Shown::Rows { resource, rows } => {
                if self.are_acls(&resource) {
                    let nodes = rows.iter().filter_map(|row| self.node_of(&row.id, &row.document)).collect();
                    if !self.ask_new(nodes).await {
                        return false;
                    }
                }
                Told::Rows { resource, rows }
            }
            Shown::Entry { entry, is_known } => {
                let event = &entry.event;
                if self.are_acls(&event.resource) {
                    let after = event.after.as_ref().filter(|_| event.operation != Operation::Removed);
                    let node = after.and_then(|after| self.node_of(&event.id, after));
                    if !self.ask_new(node.into_iter().collect()).await {
                        return false;
                    }
                }
                let is_tree = self.tree.as_ref().is_some_and(|tree| tree.resource.name == event.resource);
                if is_tree && matches!(event.operation, Operation::Reset(_)) {
                    let all = self.asked.iter().cloned().collect();
                    if !self.ask(all).await {
                        return false;
                    }
                }
                let node = match (&self.tree, self.places.at(&event.resource)) {
                    (Some(tree), Some((Part::TreeNodes, Holds::Events { column }))) => tree.of(&entry, column).await,
                    _ => None,
                };
                Told::Entry(Logged { entry, is_known, node })
            }
        };
        self.out.send(told).await.is_ok()
    }

    fn are_acls(&self, resource: &str) -> bool {
        self.places.at(resource) == Some((Part::Acls, Holds::Rows))
    }

    /// The node that an access rule names.
    fn node_of(&self, id: &str, row: &Document) -> Option<Arc<str>> {
        let node = self.names.fields(Part::Acls, id, row)?.text("node_id");
        (!node.is_empty() && !self.virtual_roots.contains(node)).then(|| node.into())
    }

    /// Asks for those nodes that were not asked for yet. Whether somebody is told.
    async fn ask_new(&mut self, nodes: Vec<Arc<str>>) -> bool {
        let mut new = nodes;
        new.retain(|node| self.asked.insert(node.clone()));
        self.ask(new).await
    }

    async fn ask(&mut self, nodes: Vec<Arc<str>>) -> bool {
        let Some(tree) = self.tree.clone() else { return true };
        for (number, chunk) in nodes.chunks(AT_ONCE).enumerate() {
            let Some((rows, mark)) = tree.read(chunk).await else {
                // Everybody waits for this, so the rest is asked for later too.
                self.missing.extend_from_slice(nodes.get(number * AT_ONCE..).unwrap_or_default());
                return true;
            };
            let told = Told::Nodes { asked: chunk.to_vec(), rows, mark: Arc::new(mark) };
            if self.out.send(told).await.is_err() {
                return false;
            }
        }
        true
    }
}

/// Which part a resource is, and whether its entries are rows or events.
#[derive(Debug, Clone, Default)]
pub struct Places(HashMap<Arc<str>, (Part, Holds)>);

/// What a resource holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Rows,
    /// Events, each the whole record; or in a column of this name.
    Events {
        column: Option<&'static str>,
    },
}

impl Places {
    /// Places by the names of resources.
    pub fn new(places: impl IntoIterator<Item = (Arc<str>, Part, Holds)>) -> Places {
        Places(places.into_iter().map(|(resource, part, holds)| (resource, (part, holds))).collect())
    }

    /// What is at a resource.
    pub fn at(&self, resource: &str) -> Option<(Part, Holds)> {
        self.0.get(resource).copied()
    }

    /// Whether frames of a part come from events.
    pub fn has_events(&self, part: Part) -> bool {
        self.0.values().any(|(own, holds)| *own == part && *holds != Holds::Rows)
    }

    /// The resources, in the order of their parts.
    pub fn resources(&self) -> Vec<Arc<str>> {
        let mut all: Vec<_> = self.0.iter().map(|(resource, (part, _))| (*part, resource.clone())).collect();
        all.sort();
        all.into_iter().map(|(_, resource)| resource).collect()
    }

    /// The resource of a part's rows.
    pub fn rows(&self, part: Part) -> Option<&Arc<str>> {
        self.0.iter().find(|(_, at)| **at == (part, Holds::Rows)).map(|(resource, _)| resource)
    }
}
