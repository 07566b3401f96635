//! Watches over the publication and the slot while changes are streamed: somebody may alter them behind our back,
//! and the stream would simply say less.

use super::Settings;
use super::following::Altered;
use crate::error::{Error, Kind, Result};
use crate::postgres::name::TableName;
use crate::postgres::publication::{self, Lack, State};
use crate::postgres::slot;
use crate::source::{End, Feed};
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tokio_postgres::Client;

/// Retained WAL that is worth a warning; the next one follows at twice as much.
const MUCH_WAL: u64 = 1 << 30;

/// What is watched.
pub(super) struct Guard<'a> {
    pub(super) client: &'a Client,
    pub(super) settings: &'a Settings,
    pub(super) feed: &'a Feed,
    /// What the tables of the resources were when changes were last known to be whole.
    pub(super) versions: BTreeMap<String, String>,
    /// Resources whose changes may still be missing from transactions that were open when it was mended.
    pub(super) unsettled: Vec<Unsettled>,
    pub(super) altered: mpsc::Sender<Altered>,
}

/// Some resources, until all transactions before this one have ended.
pub(super) struct Unsettled {
    resources: Vec<String>,
    until: u64,
}

impl Unsettled {
    /// Resources whose tables were looked at just now; nothing when no transaction is open that could have written
    /// them unseen.
    pub(super) fn of(resources: Vec<String>, state: &State) -> Option<Unsettled> {
        let is_open = state.ended_before < state.begun_before && !resources.is_empty();
        is_open.then_some(Unsettled { resources, until: state.begun_before })
    }
}

impl Guard<'_> {
    /// Looks again and again; ends with what is wrong.
    pub(super) async fn watch(mut self) -> Result<End> {
        let mut much = MUCH_WAL;
        loop {
            tokio::time::sleep(self.settings.check).await;
            let state = provide(self.client, self.settings, self.feed).await?;
            let versions = versions(self.settings, &state);
            let altered = difference(&self.versions, &versions);
            let settled = self.unsettled.extract_if(.., |one| one.until <= state.ended_before);
            let mut again: Vec<String> = settled.flat_map(|one| one.resources).collect();
            self.unsettled.extend(Unsettled::of(altered.clone(), &state));
            if !altered.is_empty() {
                tracing::warn!(source = %self.feed.source(), resources = ?altered, "a table or its publication was altered, watchers start over");
            }
            again.extend(altered);
            self.versions = versions;
            if !again.is_empty() {
                let version = |name: String| (self.versions.get(&name).cloned().unwrap_or_default(), name);
                let versions = again.into_iter().map(version).map(|(version, name)| (name, version)).collect();
                if self.altered.send(Altered { versions }).await.is_err() {
                    return Ok(End::Disconnected);
                }
            }
            let Some(slot) = slot::find(self.client, &self.settings.slot).await? else {
                return Ok(End::Disconnected);
            };
            if slot.endangered || slot.retained_bytes >= much {
                much = slot.retained_bytes.max(much).saturating_mul(2);
                let (mebibytes, source) = (slot.retained_bytes >> 20, self.feed.source());
                tracing::warn!(source = %source, slot = self.settings.slot, mebibytes, endangered = slot.endangered, "the server keeps much WAL for the slot");
            } else if slot.retained_bytes < MUCH_WAL {
                much = MUCH_WAL;
            }
        }
    }
}

/// The publication as it has to be; it is mended where that is allowed, but never made anew, for whoever took it away
/// wants no slot either.
///
/// # Errors
/// `Refused` with what is wrong with it.
pub(super) async fn provide(client: &Client, settings: &Settings, feed: &Feed) -> Result<State> {
    let tables: Vec<TableName> = settings.bindings.iter().map(|binding| binding.table.clone()).collect();
    let state = publication::state(client, &settings.publication, &tables).await?;
    let Some(lack) = state.lacks().into_iter().next() else { return Ok(state) };
    if settings.install && !matches!(lack, Lack::Publication(_)) {
        tracing::warn!(source = %feed.source(), lack = %lack, "the publication was altered and is mended");
        publication::install(client, &settings.publication, &tables).await?;
        let state = publication::state(client, &settings.publication, &tables).await?;
        if state.lacks().is_empty() {
            return Ok(state);
        }
    }
    Err(Error::new(Kind::Refused, format!("{lack}: run `tidings sql install`")))
}

/// What the tables of the resources are now.
pub(super) fn versions(settings: &Settings, state: &State) -> BTreeMap<String, String> {
    let names = settings.bindings.iter().map(|binding| binding.resource.to_string());
    names.zip(state.tables.iter().map(|table| table.version.clone())).collect()
}

/// The resources whose tables are not what they were.
pub(super) fn difference(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    now.iter().filter(|(name, version)| before.get(*name) != Some(*version)).map(|(name, _)| name.clone()).collect()
}
