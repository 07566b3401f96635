//! What becomes of changes on their way to whoever is told of them: tree events are merged, some of many silent ones
//! are left out, and what comes late of a task that is over is dropped.

use crate::cells::change::Change;
use crate::cells::coalesce::{Coalescer, Delays};
use crate::dialect::cells::task::Task;
use crate::dialect::cells::tree::{Action, TreeEvent};
use crate::event::Offset;
use crate::pace::Pace;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long it is remembered that a task is over.
const OVER: Duration = Duration::from_secs(60);

/// How changes flow.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub delays: Delays,
    /// Silent tree events a second, and at once.
    pub silent: (u32, u32),
}

/// The changes that are on their way.
#[derive(Debug)]
pub struct Flow {
    tree: Coalescer,
    silent: Pace,
    /// The tasks that are over, and since when.
    over: HashMap<Arc<str>, Instant>,
}

impl Flow {
    /// Nothing is on its way.
    pub fn new(settings: Settings, now: Instant) -> Flow {
        let (per_second, burst) = settings.silent;
        Flow { tree: Coalescer::new(settings.delays), silent: Pace::new(per_second, burst, now), over: HashMap::new() }
    }

    /// Takes a change that came with an entry; adds what is told now to `out`.
    pub fn take(&mut self, change: Change, offset: Offset, now: Instant, out: &mut Vec<Change>) {
        match change {
            Change::Tree(event) => {
                let may_be_left_out = !matches!(event.action, Action::Delete | Action::UpdatePath);
                if event.is_silent && may_be_left_out && !self.silent.try_take(now) {
                    return;
                }
                self.tree(out, |tree, out| tree.take(event, offset, now, out));
            }
            Change::Followed(node) => self.tree.follow(&node),
            Change::Task(task) if self.is_late(&task, now) => {}
            other => out.push(other),
        }
    }

    /// Adds what is due to `out`.
    pub fn due(&mut self, now: Instant, out: &mut Vec<Change>) {
        self.tree(out, |tree, out| tree.due(now, out));
    }

    /// Adds all that waits to `out`.
    pub fn flush(&mut self, out: &mut Vec<Change>) {
        self.tree(out, Coalescer::flush);
    }

    /// Forgets what need not be known any more. To be called from time to time.
    pub fn forget(&mut self, now: Instant) {
        self.over.retain(|_, since| now.saturating_duration_since(*since) < OVER);
    }

    /// When something is due.
    pub fn next(&self) -> Option<Instant> {
        self.tree.next()
    }

    /// The oldest entry of which something is still on its way.
    pub fn oldest(&self) -> Option<Offset> {
        self.tree.oldest()
    }

    fn tree(&mut self, out: &mut Vec<Change>, take: impl FnOnce(&mut Coalescer, &mut Vec<TreeEvent>)) {
        let mut told = Vec::new();
        take(&mut self.tree, &mut told);
        out.extend(told.into_iter().map(Change::Tree));
    }

    /// Whether a task goes on that was over.
    fn is_late(&mut self, task: &Task, now: Instant) -> bool {
        if task.is_over {
            self.over.insert(task.id.clone(), now);
            return false;
        }
        self.over.get(&task.id).is_some_and(|since| now.saturating_duration_since(*since) < OVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::cells::node::Node;

    fn flow(silent: (u32, u32), now: Instant) -> Flow {
        let delays = Delays { quiet: Duration::ZERO, longest: Duration::ZERO };
        Flow::new(Settings { delays, silent }, now)
    }

    fn task(id: &str, is_over: bool) -> Change {
        Change::Task(Task { id: id.into(), owner: "alice".into(), is_over, text: String::new() })
    }

    #[test]
    fn what_comes_late_of_a_task_that_is_over_is_dropped_for_a_minute() {
        let start = Instant::now();
        let mut flow = flow((1, 1), start);
        let mut told = |change, seconds| {
            let mut out = Vec::new();
            flow.forget(start + Duration::from_secs(seconds));
            flow.take(change, 1, start + Duration::from_secs(seconds), &mut out);
            out.len()
        };
        assert_eq!(told(task("t", false), 0), 1);
        assert_eq!(told(task("t", true), 1), 1);
        assert_eq!(told(task("t", false), 2), 0, "it runs no more");
        assert_eq!(told(task("u", false), 2), 1, "another task");
        assert_eq!(told(task("t", true), 3), 1, "its end may be told again");
        assert_eq!(told(task("t", false), 64), 1, "it runs again");
    }

    #[test]
    fn of_many_silent_events_only_some_are_told_but_every_removal_and_move() {
        let now = Instant::now();
        let mut flow = flow((1, 2), now);
        let mut told = |action, is_silent| {
            let node = Some(Arc::new(Node { uuid: "n".into(), path: "a/n".into(), ..Node::default() }));
            let mut out = Vec::new();
            let event = TreeEvent { is_silent, ..TreeEvent::new(action, node.clone(), node) };
            flow.take(Change::Tree(event), 1, now, &mut out);
            out.len()
        };
        assert_eq!([told(Action::Create, true), told(Action::UpdateMeta, true)], [1, 1]);
        for action in [Action::Create, Action::UpdateContent, Action::UpdateMeta, Action::UpdateUserMeta] {
            assert_eq!(told(action, true), 0, "{action:?}");
            assert_eq!(told(action, false), 1, "{action:?} that is not silent");
        }
        assert_eq!([told(Action::Delete, true), told(Action::UpdatePath, true)], [1, 1]);
    }
}
