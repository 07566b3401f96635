//! Counts what members have not seen, where the database does not do it by itself: after an event, the events of its
//! box are counted for each member and put into its row, unless it acknowledges meanwhile; then they are counted again.
//!
//! Counting leads to the same whoever does it and however often, so nodes need not agree on who does.

use crate::error::{Error, Kind, Result};
use crate::misakey::Role;
use crate::misakey::tables::{Moment, Tables, equal, read_kept};
use crate::query::Row;
use crate::store::{Condition, Write, tag};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long to leave a store alone that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The boxes whose counts are out of date, each once.
#[derive(Debug, Default)]
pub struct Outdated {
    boxes: Mutex<BTreeSet<Arc<str>>>,
    changed: Notify,
}

impl Outdated {
    /// Something happened in a box.
    pub fn add(&self, box_id: Arc<str>) {
        self.lock().insert(box_id);
        self.changed.notify_one();
    }

    /// The next box; waits for one.
    pub(super) async fn next(&self) -> Arc<str> {
        loop {
            let next = self.lock().pop_first();
            if let Some(box_id) = next {
                return box_id;
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Arc<str>>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts until it is stopped.
pub async fn recount(tables: Arc<Tables>, outdated: Arc<Outdated>, mut stopped: watch::Receiver<bool>) {
    loop {
        let box_id = tokio::select! {
            box_id = outdated.next() => box_id,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        let Err(error) = count(&tables, &box_id).await else { continue };
        outdated.add(box_id.clone());
        if error.kind() != Kind::Conflict {
            tracing::warn!(%box_id, error = %error.chain(), "the events of a box are not counted");
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }
}

/// Counts for every member of a box who has not muted it.
async fn count(tables: &Tables, box_id: &Arc<str>) -> Result<()> {
    let mut members = tables.members(box_id).await?;
    let muted = muted(tables, box_id).await?;
    members.retain(|member| !muted.contains(member));
    let rows = tables.rows(Role::EventCounts, vec![equal("box_id", box_id)], None).await?;
    let rows: HashMap<Arc<str>, Row> =
        rows.into_iter().filter_map(|row| Some((text(&row, "identity_id")?, row))).collect();
    let seen = |member: &Arc<str>| rows.get(member).and_then(|row| read_kept(&text(row, "acked_upto")?));
    let seen: Vec<(Arc<str>, Option<Moment>)> =
        members.into_iter().map(|member| (member.clone(), seen(&member))).collect();
    // Whoever has seen nothing is before all who have.
    let since = seen.iter().map(|(_, upto)| upto.as_ref()).min().flatten();
    let events = tables.counted(box_id, since).await?;
    let mut outcome = Ok(());
    for (member, upto) in &seen {
        let unseen =
            events.iter().filter(|(sender, at)| sender != member && upto.as_ref().is_none_or(|upto| at > upto));
        if let Err(error) = put(tables, box_id, member, rows.get(member), unseen.count()).await {
            outcome = Err(error);
        }
    }
    outcome
}

async fn muted(tables: &Tables, box_id: &str) -> Result<HashSet<Arc<str>>> {
    if tables.served(Role::BoxSettings).is_none() {
        return Ok(HashSet::new());
    }
    let rows = tables.rows(Role::BoxSettings, vec![equal("box_id", box_id)], None).await?;
    let muted = rows.iter().filter(|row| row.document.value().get("muted") == Some(&Value::Bool(true)));
    Ok(muted.filter_map(|row| text(row, "identity_id")).collect())
}

/// Puts a count into the row of a member, if that is as it was read.
///
/// # Errors
/// `Conflict` when it is not.
async fn put(tables: &Tables, box_id: &str, member: &str, row: Option<&Row>, count: usize) -> Result<()> {
    let served = tables.needed(Role::EventCounts)?;
    let (id, write, condition) = match row {
        Some(row) if row.document.value().get("count") == Some(&json!(count)) => return Ok(()),
        Some(row) => {
            (row.id.to_string(), Write::MergePatch(json!({"count": count})), Condition::Tag(vec![tag(&row.document)]))
        }
        None if count == 0 => return Ok(()),
        None => {
            let id = format!("{member}:{box_id}");
            let row = json!({"id": id, "identity_id": member, "box_id": box_id, "count": count});
            (id, Write::Put(row), Condition::Absent)
        }
    };
    match served.store.write(&served.resource, &id, write, &condition).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == Kind::Missing => Err(Error::because(Kind::Conflict, "the row is gone", error)),
        Err(error) => Err(error),
    }
}

fn text(row: &Row, name: &str) -> Option<Arc<str>> {
    row.document.value().get(name)?.as_str().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Read};
    use crate::catalog::{Catalog, Served};
    use crate::dialect::misakey::Ack;
    use crate::misakey::Acks;
    use crate::resource::Resource;
    use crate::source::Health;
    use crate::store::embedded::Embedded;

    const ANN: &str = "a11ce000-0000-4000-8000-000000000001";
    const BOB: &str = "b0b00000-0000-4000-8000-000000000002";
    const BOX: &str = "b0c50000-0000-4000-8000-0000000000b1";

    /// Empty tables of the embedded store.
    fn tables() -> Arc<Tables> {
        let store = Embedded::open(None).expect("a store");
        let served = Role::ALL.map(|role| Served {
            resource: Resource::named(role.name()),
            access: Access::of(Read::Anyone),
            store: store.clone(),
            health: Arc::new(Health::default()),
            sharing: None,
            interests: None,
        });
        let roles = Role::ALL.map(|role| (role, role.name().into())).to_vec();
        Arc::new(Tables::new(Arc::new(Catalog::new(served, [])), roles))
    }

    async fn write(tables: &Tables, role: Role, id: &str, row: Value) {
        let served = tables.needed(role).expect("a resource");
        served.store.write(&served.resource, id, Write::Put(row), &Condition::None).await.expect("it is written");
    }

    /// The n-th event, in a time with a fraction or without.
    async fn event(tables: &Tables, number: usize, sender: &str, kind: &str) {
        let created_at = ["2021-01-19T08:00:00Z", "2021-01-19T08:00:00.5Z", "2021-01-19T08:00:00.25Z"][number % 3];
        let row = json!({"box_id": BOX, "sender_id": sender, "type": kind, "created_at": created_at});
        write(tables, Role::BoxEvents, &format!("{number}"), row).await;
    }

    async fn row(tables: &Tables, identity: &str) -> Option<Row> {
        let rows = tables.rows(Role::EventCounts, vec![equal("identity_id", identity)], None).await;
        rows.expect("rows").pop()
    }

    async fn counted(tables: &Tables, identity: &str) -> Value {
        row(tables, identity).await.map(|row| row.document.value()["count"].clone()).unwrap_or_default()
    }

    async fn acknowledge(tables: &Arc<Tables>, identity: &str) {
        let ack = Ack { identity: identity.to_owned(), box_id: BOX.to_owned() };
        let tables = tables.clone();
        Acks { tables, members_only: false, notes_newest: true, metrics: Arc::default() }.write(&ack, "").await;
    }

    #[tokio::test]
    async fn what_came_after_the_newest_event_that_was_acknowledged_is_counted_but_not_ones_own() {
        let tables = tables();
        event(&tables, 0, ANN, "create").await;
        event(&tables, 3, BOB, "member.join").await;
        event(&tables, 2, ANN, "msg.text").await;
        count(&tables, &BOX.into()).await.expect("it is counted");
        assert_eq!((counted(&tables, ANN).await, counted(&tables, BOB).await), (json!(1), json!(1)));
        acknowledge(&tables, BOB).await;
        count(&tables, &BOX.into()).await.expect("it is counted");
        assert_eq!(counted(&tables, BOB).await, json!(0));
        // Half a second is after a quarter of one, and that was the newest.
        event(&tables, 1, ANN, "msg.text").await;
        event(&tables, 4, ANN, "msg.edit").await;
        count(&tables, &BOX.into()).await.expect("it is counted");
        assert_eq!((counted(&tables, ANN).await, counted(&tables, BOB).await), (json!(1), json!(1)));
    }

    #[tokio::test]
    async fn who_has_muted_a_box_is_counted_again_afterwards() {
        let tables = tables();
        event(&tables, 0, ANN, "create").await;
        let muted = |muted: bool| json!({"identity_id": ANN, "box_id": BOX, "muted": muted});
        write(&tables, Role::BoxSettings, "s", muted(true)).await;
        event(&tables, 1, BOB, "member.join").await;
        count(&tables, &BOX.into()).await.expect("it is counted");
        assert_eq!(counted(&tables, ANN).await, Value::Null);
        write(&tables, Role::BoxSettings, "s", muted(false)).await;
        count(&tables, &BOX.into()).await.expect("it is counted");
        assert_eq!(counted(&tables, ANN).await, json!(1));
    }

    #[tokio::test]
    async fn an_acknowledgement_that_comes_between_is_not_counted_away() {
        let tables = tables();
        write(
            &tables,
            Role::EventCounts,
            &format!("{ANN}:{BOX}"),
            json!({"identity_id": ANN, "box_id": BOX, "count": 2}),
        )
        .await;
        let read = row(&tables, ANN).await.expect("a row");
        acknowledge(&tables, ANN).await;
        let late = put(&tables, BOX, ANN, Some(&read), 3).await.expect_err("it was read before");
        assert_eq!(late.kind(), Kind::Conflict);
        assert_eq!(put(&tables, BOX, ANN, None, 3).await.expect_err("it is there").kind(), Kind::Conflict);
        assert_eq!(counted(&tables, ANN).await, json!(0));
    }
}
