//! The events and the chat of Pydio Cells, put together from the resources that the configuration names.

use crate::app::parts::Opened;
use crate::app::service::{Ground, Service};
use crate::auth::{Settings, Verifier, Verify};
use crate::catalog::Catalog;
use crate::cells::chat::{self, Chat, Clerk, Place, Silent, ToldBy};
use crate::cells::desk::{self, Command, Desk, Handle};
use crate::cells::feed::{Feed, Holds, Nodes, Places, Told};
use crate::cells::refusals::Refusals;
use crate::cells::rows::{Names, Part};
use crate::cells::talk::Terms;
use crate::config::{self, Config};
use crate::door::Door;
use crate::door::cells::{CellsDoor, PATHS};
use crate::error::{Error, Kind, Result};
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::replica::tap::{Shown, Tap};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// The claims of a token that say whose it is, in the order in which they count.
const SUBJECTS: [&str; 3] = ["sub", "name", "email"];

/// The event and chat channels whose parts are open.
pub struct Cells {
    config: config::Cells,
    places: Places,
    names: Arc<Names>,
    verifier: Arc<dyn Verify>,
    desk: Handle,
    /// What the desk is given when it begins.
    commands: Mutex<Option<mpsc::Receiver<Command>>>,
    shown: Mutex<Option<mpsc::Receiver<Shown>>>,
}

impl Cells {
    /// Opens its parts.
    ///
    /// # Errors
    /// Whatever cannot be opened, in one sentence that says what to do.
    pub async fn open(config: &config::Cells, all: &Config, opened: &mut Opened) -> Result<Cells> {
        let served = |name: &str| opened.served.iter().find(|one| *one.resource.name == *name);
        let rows = config.roles.iter().map(|(part, name)| (name.as_str().into(), *part, Holds::Rows));
        let events = config.events.iter().map(|(part, name)| {
            // A line is an event; a row of an outbox has it in a column.
            let is_line = served(name).is_some_and(|one| one.resource.append_only);
            let column = (!is_line).then_some("event");
            (name.as_str().into(), *part, Holds::Events { column })
        });
        let (desk, commands) = Handle::new();
        Ok(Cells {
            places: Places::new(rows.chain(events)),
            names: Arc::new(Names::new(config.fields.iter().cloned())),
            verifier: Arc::new(Verifier::new(&verified_by(all)?)?),
            config: config.clone(),
            desk,
            commands: Mutex::new(Some(commands)),
            shown: Mutex::default(),
        })
    }

    /// Reads rows of nodes, where there are any.
    fn nodes(&self, catalog: &Catalog) -> Option<Nodes> {
        let served = catalog.resource(self.config.role(Part::TreeNodes)?)?;
        let (resource, store) = (served.resource.clone(), served.store.clone());
        Some(Nodes { resource, store, names: self.names.clone() })
    }

    /// The chat; `None` where its parts are not served, which the configuration does not let be.
    fn chat(&self, ground: &Ground) -> Option<Chat> {
        let place = |part| {
            let served = ground.catalog.resource(self.config.role(part)?)?;
            Some((Place::new(part, &served.resource, served.store.clone(), self.names.clone()), served))
        };
        let ((rooms, _), (messages, _)) = (place(Part::ChatRooms)?, place(Part::ChatMessages)?);
        let config = &self.config.chat;
        // A log has a name of its own, which lasts as long as what it keeps.
        let mut clerk = Clerk::new(self.names.clone(), rooms, messages, ground.log.epoch(), config.history_max);
        if let Some((nodes, served)) = place(Part::TreeNodes) {
            clerk = clerk.with_nodes(nodes, config.counts_comments && served.resource.writable);
        }
        let settings = chat::Settings {
            presence_ttl: config.presence_ttl,
            silent: if config.is_present_without_ping { Silent::Present } else { Silent::Absent },
            waiting: self.config.queue,
            told_by: if self.places.has_events(Part::ChatMessages) { ToldBy::Events } else { ToldBy::Rows },
        };
        Some(Chat::new(settings, clerk, ground.metrics.clone()))
    }

    fn feed(&self, catalog: &Catalog) -> (Feed, mpsc::Receiver<Told>) {
        let virtual_roots = self.config.rights.virtual_roots.keys().cloned().collect();
        Feed::new(self.places.clone(), self.nodes(catalog), self.names.clone(), virtual_roots)
    }
}

impl Service for Cells {
    fn replicas(&self, _catalog: &Arc<Catalog>, _metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>> {
        let held = [Part::Users, Part::Roles, Part::Workspaces, Part::Acls, Part::ChatRooms];
        let held = held.iter().filter_map(|part| self.places.rows(*part).cloned()).collect();
        let (tap, shown) = Tap::new(self.places.resources(), held);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        vec![Box::new(tap)]
    }

    fn tasks(&self, ground: &Ground) -> Vec<BoxFuture<'static, ()>> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(commands), Some(shown)) = (commands, shown) else { return Vec::new() };
        let settings = desk::Settings {
            places: self.places.clone(),
            names: self.names.clone(),
            rights: self.config.rights.clone(),
            flow: self.config.flow,
            tells_admins: self.config.tells_admins,
            epoch: ground.log.epoch(),
            metrics: ground.metrics.clone(),
        };
        let (feed, told) = self.feed(&ground.catalog);
        let Some(chat) = self.chat(ground) else { return Vec::new() };
        let desk = Desk::new(settings, chat, ground.log.last());
        vec![Box::pin(feed.run(shown)), Box::pin(desk.run(told, commands, ground.stopped.clone()))]
    }

    fn doors(&self, ground: &Ground) -> Vec<Box<dyn Door>> {
        let terms = Terms {
            desk: self.desk.clone(),
            verifier: self.verifier.clone(),
            refusals: Refusals::default(),
            subscribe_timeout: self.config.subscribe_timeout,
            ends_with_token: self.config.ends_with_token,
            places: self.places.clone(),
            tree: self.nodes(&ground.catalog),
        };
        let (max_message, queue) = (self.config.max_message, self.config.queue);
        vec![Box::new(CellsDoor { terms: Arc::new(terms), max_message, queue })]
    }

    fn routes(&self, _ground: &Ground) -> Router {
        let upgrade = || any(async || StatusCode::UPGRADE_REQUIRED);
        PATHS.iter().fold(Router::new(), |router, (path, _)| router.route(path, upgrade()))
    }
}

/// Tokens that nobody has signed say nothing here, and whose a token is may be said by other claims than usual.
fn verified_by(config: &Config) -> Result<Settings> {
    let missing = || Error::new(Kind::Configuration, "the dialect cells needs [auth] with jwt");
    let auth = config.auth.as_ref().ok_or_else(missing)?;
    let mut jwt = auth.jwt.clone().ok_or_else(missing)?;
    jwt.rules.subject_claims = SUBJECTS.map(str::to_owned).to_vec();
    Ok(Settings { jwt: Some(jwt), introspection: None, ..auth.clone() })
}
