//! Who may see an entry, and as what. Computed in log order when the entry is logged, and stored with it, so that
//! live delivery, history and resume agree; only whether a right has expired is looked at when it is told.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Milliseconds since 1970.
type Millis = i64;

/// What somebody may do with a record; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Reader,
    Commenter,
    Writer,
    Owner,
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    Subject(Arc<str>),
    Group(Arc<str>),
    Anyone,
}

/// A role for somebody, maybe until some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub who: Who,
    pub role: Role,
    /// The last millisecond in which it counts; `None`: for ever.
    pub until: Option<Millis>,
}

/// The grants of one record, nearest first: a level that gives somebody a role hides the levels behind it.
///
/// Within a level, a grant of the subject itself decides; without one, the highest of those of its groups and of
/// what anyone has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(Arc<[Vec<Grant>]>);

/// Who may see an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Nobody is excluded here; the reader's own rule still applies.
    Everyone,
    /// Only who has a role on the record: by `before` the version before the entry, by `after` the one after it.
    /// They differ where the entry, or something else at this place in the log, changes who may see it.
    Limited { before: Rights, after: Rights },
}

/// Whose eyes a watch has: what of a viewer decides which entries it may see. Watches with equal eyes can share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Sight {
    /// `None` sees only what everyone may see.
    pub subject: Option<Arc<str>>,
    pub groups: Arc<[Arc<str>]>,
    /// What is open to anyone does not count: only grants that name the viewer, or a group of it.
    pub is_named: bool,
    /// Sees every record, whomever its grants name.
    pub sees_all: bool,
}

impl Role {
    /// Every role, the lowest first.
    pub const ALL: [Role; 4] = [Role::Reader, Role::Commenter, Role::Writer, Role::Owner];

    /// `reader`, `commenter`, `writer` or `owner`.
    pub fn word(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Commenter => "commenter",
            Role::Writer => "writer",
            Role::Owner => "owner",
        }
    }

    /// The role with this word.
    pub fn from_word(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl Rights {
    /// Grants by level, nearest first.
    pub fn new(levels: Vec<Vec<Grant>>) -> Rights {
        Rights(levels.into_iter().filter(|level| !level.is_empty()).collect())
    }

    /// The same role for each of these, for ever.
    pub fn of(subjects: impl IntoIterator<Item = Arc<str>>, role: Role) -> Rights {
        let grant = |subject| Grant { who: Who::Subject(subject), role, until: None };
        Rights::new(vec![subjects.into_iter().map(grant).collect()])
    }

    /// The levels, nearest first.
    pub fn levels(&self) -> &[Vec<Grant>] {
        &self.0
    }

    /// Everybody who is named in any level, each once.
    pub fn named(&self) -> BTreeSet<&Who> {
        self.0.iter().flatten().map(|grant| &grant.who).collect()
    }

    /// What these eyes may do at some time; `None`: nothing, not even see it.
    pub fn role(&self, sight: &Sight, now: Millis) -> Option<Role> {
        if sight.sees_all {
            return Some(Role::Owner);
        }
        self.0.iter().find_map(|level| role_in(level, sight, now))
    }
}

fn role_in(level: &[Grant], sight: &Sight, now: Millis) -> Option<Role> {
    let is_self = |who: &Who| matches!((who, &sight.subject), (Who::Subject(one), Some(subject)) if one == subject);
    let is_shared = |who: &Who| match who {
        Who::Subject(_) => false,
        Who::Group(group) => sight.groups.contains(group),
        Who::Anyone => !sight.is_named,
    };
    let live = || level.iter().filter(|grant| grant.until.is_none_or(|until| now <= until));
    let own = live().filter(|grant| is_self(&grant.who)).map(|grant| grant.role).max();
    own.or_else(|| live().filter(|grant| is_shared(&grant.who)).map(|grant| grant.role).max())
}

impl Sight {
    /// Whom grants may name so that these eyes see by them.
    pub fn names(&self) -> impl Iterator<Item = Who> {
        let groups = self.groups.iter().cloned().map(Who::Group);
        self.subject.iter().cloned().map(Who::Subject).chain(groups)
    }
}

impl Audience {
    /// The same rights before and after.
    pub fn limited(rights: Rights) -> Audience {
        Audience::Limited { before: rights.clone(), after: rights }
    }

    /// Whether these eyes may see the version before the entry.
    pub fn shows_before(&self, sight: &Sight, now: Millis) -> bool {
        match self {
            Audience::Everyone => true,
            Audience::Limited { before, .. } => before.role(sight, now).is_some(),
        }
    }

    /// Whether these eyes may see the version after the entry.
    pub fn shows_after(&self, sight: &Sight, now: Millis) -> bool {
        match self {
            Audience::Everyone => true,
            Audience::Limited { after, .. } => after.role(sight, now).is_some(),
        }
    }

    /// What these eyes may do with the version after the entry; `None` also where everyone may see it.
    pub fn role(&self, sight: &Sight, now: Millis) -> Option<Role> {
        match self {
            Audience::Everyone => None,
            Audience::Limited { after, .. } => after.role(sight, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(who: Who, role: Role, until: Option<Millis>) -> Grant {
        Grant { who, role, until }
    }

    fn subject(name: &str) -> Who {
        Who::Subject(name.into())
    }

    fn sight(subject: &str, groups: &[&str]) -> Sight {
        let groups: Vec<Arc<str>> = groups.iter().map(|group| (*group).into()).collect();
        Sight { subject: Some(subject.into()), groups: groups.into(), ..Sight::default() }
    }

    #[test]
    fn the_nearest_level_decides_even_downwards() {
        let rights = Rights::new(vec![
            vec![grant(subject("ann"), Role::Reader, None)],
            vec![grant(subject("ann"), Role::Owner, None), grant(subject("bob"), Role::Writer, None)],
        ]);
        assert_eq!(rights.role(&sight("ann", &[]), 0), Some(Role::Reader));
        assert_eq!(rights.role(&sight("bob", &[]), 0), Some(Role::Writer));
        assert_eq!(rights.role(&sight("eve", &[]), 0), None);
        assert_eq!(rights.role(&Sight::default(), 0), None);
        assert_eq!(rights.role(&Sight { sees_all: true, ..Sight::default() }, 0), Some(Role::Owner));
    }

    #[test]
    fn a_grant_of_the_subject_itself_decides_before_groups_and_anyone() {
        let rights = Rights::new(vec![vec![
            grant(subject("ann"), Role::Reader, None),
            grant(Who::Group("ops".into()), Role::Writer, None),
            grant(Who::Anyone, Role::Commenter, None),
        ]]);
        assert_eq!(rights.role(&sight("ann", &["ops"]), 0), Some(Role::Reader));
        assert_eq!(rights.role(&sight("bob", &["ops"]), 0), Some(Role::Writer));
        assert_eq!(rights.role(&sight("bob", &[]), 0), Some(Role::Commenter));
        assert_eq!(rights.role(&Sight::default(), 0), Some(Role::Commenter));
        let named = |subject, groups| Sight { is_named: true, ..sight(subject, groups) };
        assert_eq!(rights.role(&named("bob", &[]), 0), None);
        assert_eq!(rights.role(&named("bob", &["ops"]), 0), Some(Role::Writer));
    }

    #[test]
    fn a_right_that_has_expired_gives_way_to_the_next_level() {
        let rights = Rights::new(vec![
            vec![grant(subject("ann"), Role::Writer, Some(10))],
            vec![grant(subject("ann"), Role::Reader, None)],
        ]);
        assert_eq!(rights.role(&sight("ann", &[]), 10), Some(Role::Writer));
        assert_eq!(rights.role(&sight("ann", &[]), 11), Some(Role::Reader));
    }

    #[test]
    fn before_and_after_are_judged_each_by_its_own_rights() {
        let (old, new) = (Rights::of(["ann".into()], Role::Reader), Rights::of(["bob".into()], Role::Reader));
        let audience = Audience::Limited { before: old, after: new };
        let (ann, bob) = (sight("ann", &[]), sight("bob", &[]));
        assert!(audience.shows_before(&ann, 0) && !audience.shows_after(&ann, 0));
        assert!(!audience.shows_before(&bob, 0) && audience.shows_after(&bob, 0));
        assert!(Audience::Everyone.shows_before(&Sight::default(), 0));
        assert!(!Audience::limited(Rights::default()).shows_after(&ann, 0));
    }
}
