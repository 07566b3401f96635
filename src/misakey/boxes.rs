//! Who is in which box, by the rows that say so, and what is left to say of a box that goes.
//!
//! A member is the creator of the box and whoever has a join row to which no leave or kick refers.

use crate::misakey::rows::{BoxEvent, CREATE, DELETE, JOIN, KICK, LEAVE};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Identities, each once.
pub type Members = BTreeSet<Arc<str>>;

/// All boxes.
#[derive(Debug, Default)]
pub struct Boxes {
    boxes: HashMap<Arc<str>, Known>,
    /// The rows that are held, with what each says.
    rows: HashMap<Arc<str>, Held>,
}

#[derive(Debug, Default)]
struct Known {
    creation: Option<Creation>,
    /// Join row → who came in.
    joins: HashMap<Arc<str>, Arc<str>>,
    /// The join rows that are ended. They stay so when the row that ended them goes.
    ended: HashSet<Arc<str>>,
    /// Whose join rows went since the last event: perhaps all of the box is going.
    leaving: Members,
    /// Its end was told.
    is_closed: bool,
    /// How many of its rows are held.
    rows: usize,
}

#[derive(Debug)]
struct Creation {
    creator: Arc<str>,
    public_key: Value,
    deleter: Option<Arc<str>>,
}

#[derive(Debug)]
struct Held {
    box_id: Arc<str>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Join,
    /// It ends a join, or the box.
    End,
}

/// The end of a box.
#[derive(Debug, PartialEq)]
pub struct Closing {
    pub box_id: Arc<str>,
    pub deleter: Option<Arc<str>>,
    pub public_key: Value,
    /// Everybody who was a member before the rows began to go, and whoever deletes it.
    pub members: Members,
}

impl Boxes {
    /// The rows as they are, in any order, in place of whatever was known.
    pub fn load(&mut self, rows: impl IntoIterator<Item = BoxEvent>) {
        *self = Boxes::default();
        for row in rows {
            self.put(&row);
            if row.kind == DELETE
                && let Some(known) = self.boxes.get_mut(&row.box_id)
            {
                known.is_closed = true;
            }
        }
    }

    /// A row is there, or is this by now.
    pub fn put(&mut self, row: &BoxEvent) {
        self.forget(&row.id);
        let kind = match row.kind.as_str() {
            CREATE => Kind::Create,
            JOIN => Kind::Join,
            LEAVE | KICK | DELETE => Kind::End,
            _ => return,
        };
        let known = self.boxes.entry(row.box_id.clone()).or_default();
        known.rows += 1;
        match kind {
            Kind::Create => {
                let public_key = row.public_key().cloned().unwrap_or_default();
                let (creator, deleter) = (row.sender.clone(), row.deleter.clone());
                known.creation = Some(Creation { creator, public_key, deleter });
            }
            Kind::Join => drop(known.joins.insert(row.id.clone(), row.sender.clone())),
            Kind::End => known.ended.extend(row.referrer.clone()),
        }
        self.rows.insert(row.id.clone(), Held { box_id: row.box_id.clone(), kind });
    }

    /// A row has come to be: life goes on in its box.
    pub fn add(&mut self, row: &BoxEvent) {
        self.put(row);
        if let Some(known) = self.boxes.get_mut(&row.box_id)
            && row.kind != DELETE
        {
            known.leaving.clear();
            known.is_closed &= row.kind != CREATE;
        }
    }

    /// The box ends by a row that says so; `None` when that was told already.
    pub fn close(&mut self, marker: &BoxEvent) -> Option<Closing> {
        let known = self.boxes.entry(marker.box_id.clone()).or_default();
        let closing = known.close(&marker.box_id, Some(marker.sender.clone()))?;
        let own = marker.public_key().cloned().unwrap_or_default();
        let public_key = if closing.public_key.is_null() { own } else { closing.public_key };
        Some(Closing { public_key, ..closing })
    }

    /// A row is gone; tells the end of its box if that was its beginning and it was not told before.
    pub fn remove(&mut self, row: &str) -> Option<Closing> {
        let (box_id, kind) = self.rows.get(row).map(|held| (held.box_id.clone(), held.kind))?;
        let known = self.boxes.get_mut(&box_id)?;
        let mut closing = None;
        match kind {
            Kind::Create => closing = known.close(&box_id, None),
            Kind::Join if !known.ended.contains(row) => known.leaving.extend(known.joins.get(row).cloned()),
            Kind::Join | Kind::End => {}
        }
        self.forget(row);
        closing
    }

    /// The same of a row that was gone when the rows were loaded, as far as it says itself what was there.
    pub fn remove_late(&mut self, row: &BoxEvent) -> Option<Closing> {
        match row.kind.as_str() {
            JOIN => {
                let known = self.boxes.entry(row.box_id.clone()).or_default();
                known.leaving.insert(row.sender.clone());
                None
            }
            CREATE => {
                let mut known = self.boxes.remove(&row.box_id).unwrap_or_default();
                let (creator, deleter) = (row.sender.clone(), row.deleter.clone());
                let public_key = row.public_key().cloned().unwrap_or_default();
                known.creation = Some(Creation { creator, public_key, deleter });
                known.close(&row.box_id, None)
            }
            _ => None,
        }
    }

    /// Who is in a box.
    pub fn members(&self, box_id: &str) -> Members {
        self.boxes.get(box_id).map(Known::members).unwrap_or_default()
    }

    /// Who made a box.
    pub fn creator(&self, box_id: &str) -> Option<&Arc<str>> {
        self.boxes.get(box_id)?.creation.as_ref().map(|creation| &creation.creator)
    }

    /// Every box.
    pub fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.boxes.keys()
    }

    /// Holds a row no longer; a box without rows is not known any more.
    fn forget(&mut self, row: &str) {
        let Some(Held { box_id, kind }) = self.rows.remove(row) else { return };
        let Some(known) = self.boxes.get_mut(&box_id) else { return };
        known.rows -= 1;
        match kind {
            Kind::Create => known.creation = None,
            Kind::Join => {
                known.joins.remove(row);
            }
            Kind::End => {}
        }
        if known.rows == 0 {
            self.boxes.remove(&box_id);
        }
    }
}

impl Known {
    fn members(&self) -> Members {
        let joined = self.joins.iter().filter(|(row, _)| !self.ended.contains(*row)).map(|(_, who)| who.clone());
        let creator = self.creation.iter().map(|creation| creation.creator.clone());
        creator.chain(joined).collect()
    }

    fn close(&mut self, box_id: &Arc<str>, deleter: Option<Arc<str>>) -> Option<Closing> {
        if std::mem::replace(&mut self.is_closed, true) {
            return None;
        }
        let mut members = self.members();
        members.append(&mut self.leaving);
        let creation = self.creation.as_ref();
        let deleter = deleter.or_else(|| creation.and_then(|creation| creation.deleter.clone()));
        members.extend(deleter.clone());
        let public_key = creation.map(|creation| creation.public_key.clone()).unwrap_or_default();
        Some(Closing { box_id: box_id.clone(), deleter, public_key, members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(id: &str, sender: &str, kind: &str, more: Value) -> BoxEvent {
        let mut row = json!({"box_id": "x", "sender_id": sender, "type": kind});
        row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        BoxEvent::read(id, &row).expect("an event")
    }

    fn create(more: Value) -> BoxEvent {
        row("1", "ann", CREATE, more)
    }

    fn join(id: &str, sender: &str) -> BoxEvent {
        row(id, sender, JOIN, json!({}))
    }

    fn end(id: &str, sender: &str, kind: &str, of: &str) -> BoxEvent {
        row(id, sender, kind, json!({"referrer_id": of}))
    }

    fn members(boxes: &Boxes) -> Vec<String> {
        boxes.members("x").iter().map(ToString::to_string).collect()
    }

    fn boxes(rows: Vec<BoxEvent>) -> Boxes {
        let mut boxes = Boxes::default();
        boxes.load(rows);
        boxes
    }

    #[test]
    fn a_member_is_who_made_the_box_or_joined_and_did_not_leave() {
        let rows = vec![
            end("4", "bob", LEAVE, "2"),
            create(json!({})),
            join("2", "bob"),
            join("3", "cat"),
            join("5", "bob"),
            end("6", "cat", KICK, "3"),
        ];
        for rotation in 0..rows.len() {
            let mut rows = rows.clone();
            rows.rotate_left(rotation);
            assert_eq!(members(&boxes(rows.clone())), ["ann", "bob"]);
            let mut live = Boxes::default();
            rows.iter().for_each(|row| live.add(row));
            assert_eq!(members(&live), ["ann", "bob"]);
        }
    }

    #[test]
    fn a_removed_leave_brings_nobody_back() {
        let mut boxes = boxes(vec![create(json!({})), join("2", "bob"), end("3", "bob", LEAVE, "2")]);
        assert_eq!(boxes.remove("3"), None);
        assert_eq!(members(&boxes), ["ann"]);
    }

    #[test]
    fn the_end_of_a_box_is_told_once_to_all_in_whatever_order_its_rows_go() {
        let rows = vec![
            create(json!({"content": {"public_key": "pk"}})),
            join("2", "bob"),
            join("3", "cat"),
            end("4", "cat", KICK, "3"),
        ];
        let orders = [["1", "2", "3", "4"], ["4", "3", "2", "1"], ["2", "1", "4", "3"], ["3", "4", "1", "2"]];
        for order in orders {
            let mut boxes = boxes(rows.clone());
            boxes.put(&create(json!({"content": {"public_key": "pk"}, "deleted_by": "bob"})));
            let closings: Vec<Closing> = order.iter().filter_map(|id| boxes.remove(id)).collect();
            let expected = Closing {
                box_id: "x".into(),
                deleter: Some("bob".into()),
                public_key: json!("pk"),
                members: ["ann".into(), "bob".into()].into(),
            };
            assert_eq!(closings, [expected], "{order:?}");
            assert!(boxes.boxes.is_empty() && boxes.rows.is_empty(), "nothing is kept of it");
        }
    }

    #[test]
    fn a_marker_ends_the_box_and_its_rows_then_say_nothing() {
        let mut boxes = boxes(vec![create(json!({})), join("2", "bob")]);
        let marker = row("9", "eve", DELETE, json!({"content": {"public_key": "own"}}));
        boxes.add(&marker);
        let closing = boxes.close(&marker).expect("it is told");
        assert_eq!(closing.members, ["ann".into(), "bob".into(), "eve".into()].into());
        assert_eq!((closing.deleter.as_deref(), closing.public_key), (Some("eve"), json!("own")));
        assert_eq!(boxes.close(&marker), None);
        assert_eq!(boxes.remove("1"), None);
        let mut again = Boxes::default();
        again.load([marker, create(json!({}))]);
        assert_eq!(again.remove("1"), None, "it was told before the program began");
    }

    #[test]
    fn who_was_removed_hears_of_the_end_only_until_life_goes_on() {
        let mut boxes = boxes(vec![create(json!({})), join("2", "bob")]);
        boxes.remove("2");
        assert_eq!(members(&boxes), ["ann"]);
        boxes.add(&row("7", "ann", "msg.text", json!({})));
        assert_eq!(boxes.remove("1").expect("it is told").members, ["ann".into()].into());
    }

    #[test]
    fn what_went_before_the_rows_were_loaded_is_told_as_far_as_it_is_known() {
        let mut boxes = Boxes::default();
        assert_eq!(boxes.remove_late(&join("2", "bob")), None);
        let closing = boxes.remove_late(&create(json!({"deleted_by": "ann"}))).expect("it is told");
        assert_eq!(closing.members, ["ann".into(), "bob".into()].into());
        assert!(boxes.boxes.is_empty());
    }
}
