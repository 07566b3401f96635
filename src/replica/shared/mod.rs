//! Records that rows of another resource share out: who may see a record is what its grants say, in log order.
//!
//! The grants and the whole records are held in memory. Each entry of the records is logged with who may see it; when
//! a grant comes, goes, changes or expires, an entry follows for the record that it is of, which changes nothing but
//! who may see it. So live watches, history and resumes agree, and a right ends where the log says so.
//!
//! Promise: what [`View`] shows is the state at one offset of the log, so a list and the entries after that offset
//! have no gap, no repeat, and nothing in them that the viewer might not see.

mod grant;
mod table;
mod view;

pub use table::Table;
pub use view::View;

use crate::audience::Audience;
use crate::event::{Entry, Mark, Offset, Operation, ResourceEvent, Stamp, Timestamp};
use crate::filter::Path;
use crate::query::Row;
use crate::replica::shared::table::Shift;
use crate::replica::{Logged, Replica};
use std::sync::Arc;
use std::time::Duration;

/// Where grants are, and how they are read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The resource whose records are shared out, and the one with the grants.
    pub records: Feed,
    pub grants: Feed,
    /// The field of a grant with the record's key.
    pub record: Path,
    /// The fields of a grant with a subject, or several, and with groups.
    pub subject: Option<Path>,
    pub group: Option<Path>,
    /// The field of a grant with the time until which it counts: milliseconds since 1970, or RFC 3339.
    pub until: Option<Path>,
    /// The field of a record with the subject, or subjects, that it belongs to.
    pub owner: Option<Path>,
    /// For how long after its end a grant is still told to have ended, if that was while the program was away.
    pub remembers: Duration,
}

/// A resource and the source that it comes from.
#[derive(Debug, Clone)]
pub struct Feed {
    pub resource: Arc<str>,
    pub source: Arc<str>,
}

/// The part that lives in the pump.
pub struct Shared {
    settings: Arc<Settings>,
    view: Arc<View>,
}

impl Shared {
    /// Records of which nothing is shown before both resources are loaded; the log is published up to this offset.
    pub fn new(settings: Settings, published: Offset) -> Shared {
        let settings = Arc::new(settings);
        Shared { view: Arc::new(View::new(Table::new(settings.clone(), published))), settings }
    }

    /// What others read.
    pub fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    /// The entry that tells of nothing but who may see a record.
    fn told(&self, shift: Shift, time: Timestamp, stamp: Stamp) -> Logged {
        let event = ResourceEvent {
            resource: self.settings.records.resource.clone(),
            id: shift.record,
            operation: Operation::Updated,
            before: Some(shift.document.clone()),
            after: Some(shift.document),
            time,
            stamp,
        };
        (event, Audience::Limited { before: shift.before, after: shift.after })
    }
}

impl Replica for Shared {
    fn follows(&self) -> Vec<Arc<str>> {
        vec![self.settings.records.resource.clone(), self.settings.grants.resource.clone()]
    }

    fn load(&mut self, resource: &str, rows: Vec<Row>, mark: Mark) {
        let mut table = self.view.change();
        match resource == &*self.settings.grants.resource {
            true => table.load_grants(rows, mark, Timestamp::now()),
            false => table.load_records(rows, mark),
        }
    }

    fn take(&mut self, event: ResourceEvent, audience: Audience, out: &mut Vec<Logged>) {
        let mut table = self.view.change();
        let is_grant = event.resource == self.settings.grants.resource;
        match (event.operation, is_grant) {
            (Operation::Reset(_), false) => {
                table.forget_records();
                out.push((event, audience));
            }
            (Operation::Reset(reason), true) => {
                table.forget_grants();
                out.push((event, audience));
                // Whoever holds a list of the records holds it by grants that nobody knows any longer.
                let records = self.settings.records.resource.clone();
                out.push((ResourceEvent::reset(records, reason), Audience::Everyone));
            }
            (_, false) => {
                let audience = table.change_record(&event);
                out.push((event, audience));
            }
            (_, true) => {
                let shifts = table.change_grant(&event, Timestamp::now());
                let (time, stamp) = (event.time, event.stamp);
                out.push((event, audience));
                out.extend(shifts.into_iter().map(|shift| self.told(shift, time, stamp)));
            }
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Logged>) {
        let ended = self.view.change().end_grants(now);
        out.extend(ended.into_iter().map(|shift| self.told(shift, now, Stamp::None)));
    }

    fn published(&mut self, _entries: &[Arc<Entry>], upto: Offset) {
        self.view.change().publish(upto);
        self.view.tell();
    }

    fn reached(&mut self, source: &Arc<str>, mark: &Mark) {
        self.view.change().reach(source, mark);
        self.view.tell();
    }
}

#[cfg(test)]
mod tests;
