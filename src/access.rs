//! Who may read and see what: the one test that lists, history and live pushes share.

use crate::event::Audience;
use crate::resource::Read;
use crate::viewer::Viewer;
use std::sync::Arc;

/// Whether this viewer may read the resource at all. To others it is as if unknown.
pub fn may_read(read: &Read, viewer: &Viewer) -> bool {
    match read {
        Read::Anyone => true,
        Read::Authenticated => viewer.is_authenticated(),
        Read::Roles(roles) => {
            viewer.is_authenticated() && roles.iter().any(|role| viewer.roles.iter().any(|held| **held == **role))
        }
    }
}

/// Whose eyes a watch has: what of a viewer decides which entries it may see. Watches with equal eyes can share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Sight {
    /// `None` sees only what everyone may see.
    pub subject: Option<Arc<str>>,
}

impl Sight {
    /// Whether an entry with this audience may be seen.
    pub fn may_see(&self, audience: &Audience) -> bool {
        match audience {
            Audience::Everyone => true,
            Audience::Subjects(subjects) => {
                self.subject.as_ref().is_some_and(|subject| subjects.iter().any(|named| **named == **subject))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(subject: Option<&str>, roles: &[&str]) -> Viewer {
        Viewer {
            subject: subject.map(Into::into),
            roles: roles.iter().map(|role| (*role).into()).collect(),
            ..Viewer::anonymous()
        }
    }

    #[test]
    fn a_rule_admits_whom_it_names_and_nobody_else() {
        let roles = Read::Roles(vec!["admin".into(), "ops".into()]);
        for (viewer, authenticated, by_role) in [
            (viewer(None, &[]), false, false),
            (viewer(None, &["admin"]), false, false),
            (viewer(Some("ann"), &[]), true, false),
            (viewer(Some("ann"), &["Admin", "op"]), true, false),
            (viewer(Some("ann"), &["x", "ops"]), true, true),
        ] {
            assert!(may_read(&Read::Anyone, &viewer));
            assert_eq!(may_read(&Read::Authenticated, &viewer), authenticated, "{viewer:?}");
            assert_eq!(may_read(&roles, &viewer), by_role, "{viewer:?}");
        }
        assert!(!may_read(&Read::Roles(Vec::new()), &viewer(Some("ann"), &["admin"])));
    }

    #[test]
    fn an_entry_for_some_is_seen_by_none_of_the_others() {
        let some = Audience::Subjects(["ann".into(), "bob".into()].into());
        let sight = |subject: Option<&str>| Sight { subject: subject.map(Into::into) };
        assert!(sight(Some("bob")).may_see(&some));
        assert!(!sight(Some("eve")).may_see(&some));
        assert!(!sight(None).may_see(&some));
        assert!(!sight(Some("ann")).may_see(&Audience::Subjects([].into())));
        assert!(sight(None).may_see(&Audience::Everyone));
    }
}
