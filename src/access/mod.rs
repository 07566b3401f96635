//! Who may see what: what a resource, or a channel, says of its readers, and what that leaves for one viewer.
//!
//! Promise: this is the one place that decides. Lists, history, live pushes, HTTP and writes all go by the
//! [`Bound`] that is made here.

pub mod rule;

use crate::access::rule::Rule;
use crate::audience::Sight;
use crate::document::Document;
use crate::filter::{Filter, Path};
use crate::viewer::Viewer;
use serde_json::Value;
use std::sync::Arc;

/// Who may read a resource at all. To others it is as if unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Everybody who can connect.
    Anyone,
    /// Whoever has shown a valid credential.
    Authenticated,
    /// Whoever has one of these roles.
    Roles(Vec<Box<str>>),
}

/// What a resource, or a channel, says of its readers. Each part narrows what the others leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    pub read: Read,
    /// Only records that match this.
    pub only: Option<Rule>,
    /// Fields that hold a subject or a list of subjects; only records that name the viewer in one of them. Empty:
    /// all.
    pub audience: Vec<Path>,
    /// Rows of another resource say who may see a record; every entry carries who that is.
    pub is_shared: bool,
    /// The roles that see everything regardless.
    pub admins: Vec<Box<str>>,
}

/// What a resource is to one viewer.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The records that the rules leave.
    only: Arc<Filter>,
    /// Whose eyes look at the audience of an entry.
    pub sight: Sight,
}

impl Read {
    /// Whether this viewer is meant.
    pub fn admits(&self, viewer: &Viewer) -> bool {
        match self {
            Read::Anyone => true,
            Read::Authenticated => viewer.is_authenticated(),
            Read::Roles(roles) => has_one_of(viewer, roles),
        }
    }
}

impl Access {
    /// These readers, who see every record.
    pub fn of(read: Read) -> Access {
        Access { read, only: None, audience: Vec::new(), is_shared: false, admins: Vec::new() }
    }

    /// Whether some readers see records that others do not.
    pub fn is_limited(&self) -> bool {
        self.only.is_some() || !self.audience.is_empty() || self.is_shared
    }

    /// What the resource is to this viewer; `None`: unknown.
    pub fn bind(&self, viewer: &Viewer) -> Option<Bound> {
        if has_one_of(viewer, &self.admins) {
            return Some(self.everything());
        }
        if !self.read.admits(viewer) {
            return None;
        }
        let rule = self.only.as_ref().map_or(Filter::All, |rule| rule.bind(viewer));
        let sight = match self.is_shared {
            true => {
                Sight { subject: viewer.subject.clone(), groups: viewer.groups.as_slice().into(), ..Sight::default() }
            }
            // Equal watches of all viewers can share.
            false => Sight::default(),
        };
        Some(Bound { only: Arc::new(Filter::both(rule, self.named(viewer))), sight })
    }

    /// Every record, whoever asks.
    pub fn everything(&self) -> Bound {
        let sight = Sight { sees_all: self.is_shared, ..Sight::default() };
        Bound { only: Arc::new(Filter::All), sight }
    }

    /// The records that name the viewer where the audience stands.
    fn named(&self, viewer: &Viewer) -> Filter {
        match &viewer.subject {
            _ if self.audience.is_empty() => Filter::All,
            None => Filter::Nothing,
            Some(subject) => {
                let subject = Value::from(&**subject);
                Filter::any(self.audience.iter().map(|path| Filter::equal(path.clone(), &subject)).collect())
            }
        }
    }
}

impl Bound {
    /// Whatever these eyes see.
    pub fn with_eyes(sight: Sight) -> Bound {
        Bound { only: Arc::new(Filter::All), sight }
    }

    /// Nothing at all.
    pub fn nothing() -> Bound {
        Bound { only: Arc::new(Filter::Nothing), sight: Sight::default() }
    }

    /// What is asked for, as far as it may be seen.
    pub fn limit(&self, asked: &Filter) -> Filter {
        Filter::both(asked.clone(), (*self.only).clone())
    }

    /// What both leave; the eyes are those of `self`.
    pub fn narrowed(self, other: &Bound) -> Bound {
        Bound { only: Arc::new(other.limit(&self.only)), sight: self.sight }
    }

    /// Whether the rules leave this record; its audience is another question.
    pub fn has(&self, id: &str, document: &Document) -> bool {
        self.only.matches(id, document.value())
    }

    /// Whether nothing is kept from the viewer.
    pub fn is_everything(&self) -> bool {
        *self.only == Filter::All && (self.sight == Sight::default() || self.sight.sees_all)
    }
}

/// Roles count only with a valid credential.
fn has_one_of(viewer: &Viewer, roles: &[Box<str>]) -> bool {
    viewer.is_authenticated() && roles.iter().any(|role| viewer.roles.iter().any(|held| **held == **role))
}

#[cfg(test)]
mod tests;
