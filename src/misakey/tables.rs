//! The rows of boxes where they live.

use crate::catalog::{Catalog, Served};
use crate::error::{Error, Kind, Result};
use crate::filter::{Filter, Path, Test};
use crate::misakey::boxes::{Boxes, Members};
use crate::misakey::rows::{BoxEvent, OF_MEMBERS};
use crate::misakey::{COUNTED, Role};
use crate::query::{Direction, Query, Row, Sort};
use serde_json::{Value, json};
use std::sync::Arc;

/// So many of the newest rows are looked at for the newest one: the text of a time does not quite sort as the time.
const NEWEST: usize = 16;

/// The resources of all roles that there are.
pub struct Tables {
    catalog: Arc<Catalog>,
    roles: Vec<(Role, Arc<str>)>,
}

/// When an event came to be, and which it is: events of a box ascend by this.
pub type Moment = (jiff::Timestamp, Arc<str>);

impl Tables {
    /// The resources with these names.
    pub fn new(catalog: Arc<Catalog>, roles: Vec<(Role, Arc<str>)>) -> Tables {
        Tables { catalog, roles }
    }

    /// The resource of a role; `None`: there is none.
    pub fn served(&self, role: Role) -> Option<Arc<Served>> {
        let (_, name) = self.roles.iter().find(|(of, _)| *of == role)?;
        self.catalog.resource(name)
    }

    /// The same, where it must be there.
    ///
    /// # Errors
    /// `Missing` when it is not.
    pub fn needed(&self, role: Role) -> Result<Arc<Served>> {
        let missing = || Error::new(Kind::Missing, format!("there is no resource of the role {}", role.name()));
        self.served(role).ok_or_else(missing)
    }

    /// The row of an identity.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn identity(&self, id: &str) -> Result<Option<Value>> {
        let rows = self.rows(Role::Identities, vec![equal("id", id)], None).await?;
        Ok(rows.into_iter().next().map(|row| row.document.into_value()))
    }

    /// Who is in a box.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn members(&self, box_id: &str) -> Result<Members> {
        let rows = self.rows(Role::BoxEvents, vec![equal("box_id", box_id), one_of(&OF_MEMBERS)], None).await?;
        let mut boxes = Boxes::default();
        boxes.load(rows.iter().filter_map(event));
        Ok(boxes.members(box_id))
    }

    /// The newest event of a box.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn newest(&self, box_id: &str) -> Result<Option<Moment>> {
        let newest_first = vec![Sort { path: Path::parse("created_at"), direction: Direction::Descending }];
        let rows = self.rows(Role::BoxEvents, vec![equal("box_id", box_id)], Some(newest_first)).await?;
        Ok(rows.iter().filter_map(event).filter_map(|event| moment(&event)).max())
    }

    /// The counted events of a box since some time: who sent each, and when.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn counted(&self, box_id: &str, since: Option<&Moment>) -> Result<Vec<(Arc<str>, Moment)>> {
        let mut filters = vec![equal("box_id", box_id), one_of(&COUNTED)];
        // Whole seconds: with any fraction, and with a fraction and without, such texts ascend like times.
        filters.extend(since.map(|(time, _)| {
            let second = json!(time.to_string().get(..19));
            Filter::range(Path::parse("created_at"), Test::AtLeast, &second)
        }));
        let rows = self.rows(Role::BoxEvents, filters, None).await?;
        let events = rows.iter().filter_map(event);
        Ok(events.filter_map(|event| Some((event.sender.clone(), moment(&event)?))).collect())
    }

    /// The rows of a role that fulfil all of this; sorted, only the first few.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn rows(&self, role: Role, filters: Vec<Filter>, sort: Option<Vec<Sort>>) -> Result<Vec<Row>> {
        let served = self.needed(role)?;
        let query = Query {
            limit: sort.is_some().then_some(NEWEST),
            sort: sort.unwrap_or_default(),
            ..Query::all(Arc::new(Filter::every(filters)))
        };
        Ok(served.store.query(&served.resource, &query).await?.rows)
    }
}

/// Rows in which a field is this text.
pub fn equal(name: &str, text: &str) -> Filter {
    Filter::equal(Path::parse(name), &json!(text))
}

/// A moment as it is kept: `<created_at> <id>`.
pub fn kept(moment: &Moment) -> String {
    format!("{} {}", moment.0, moment.1)
}

/// What was kept; `None` when it is no moment.
pub fn read_kept(text: &str) -> Option<Moment> {
    let (time, id) = text.split_once(' ')?;
    Some((time.parse().ok()?, id.into()))
}

fn one_of(types: &[&str]) -> Filter {
    let types: Vec<Value> = types.iter().map(|kind| json!(kind)).collect();
    Filter::one_of(Path::parse("type"), &types)
}

fn event(row: &Row) -> Option<BoxEvent> {
    BoxEvent::read(&row.id, row.document.value())
}

fn moment(event: &BoxEvent) -> Option<Moment> {
    Some((event.created_at.as_str()?.parse().ok()?, event.id.clone()))
}
