use super::*;

const QUIET: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_millis(300);

fn coalescer() -> Coalescer {
    Coalescer::new(Delays { quiet: QUIET, longest: LONGEST })
}

fn node(uuid: &str, path: &str) -> Arc<Node> {
    Arc::new(Node { uuid: uuid.into(), path: path.into(), ..Node::default() })
}

fn tagged(uuid: &str, path: &str, etag: &str) -> Arc<Node> {
    Arc::new(Node { etag: etag.into(), ..Node::clone(&node(uuid, path)) })
}

fn about(action: Action, target: Arc<Node>) -> TreeEvent {
    TreeEvent::new(action, None, Some(target))
}

fn gone(source: Arc<Node>) -> TreeEvent {
    TreeEvent::new(Action::Delete, Some(source), None)
}

/// What is told, as `Create n@path`.
fn words(events: &[TreeEvent]) -> Vec<String> {
    let word = |event: &TreeEvent| {
        let node = event.target.as_ref().or(event.source.as_ref()).expect("a node");
        format!("{:?} {}@{}", event.action, node.uuid, node.path)
    };
    events.iter().map(word).collect()
}

/// Takes events, each so many milliseconds after the start, and tells when what comes out: `150 Create n@path`.
fn play(events: Vec<(u64, TreeEvent)>) -> Vec<String> {
    let (mut coalescer, start, mut told) = (coalescer(), Instant::now(), Vec::new());
    let mut events = events.into_iter().peekable();
    for millis in 0..2000 {
        let now = start + Duration::from_millis(millis);
        let mut out = Vec::new();
        while let Some((_, event)) = events.next_if(|(at, _)| *at == millis) {
            coalescer.take(event, millis + 1, now, &mut out);
        }
        coalescer.due(now, &mut out);
        told.extend(words(&out).into_iter().map(|word| format!("{millis} {word}")));
    }
    assert_eq!((coalescer.next(), coalescer.oldest()), (None, None), "nothing is kept of what was told");
    assert!(coalescer.waiting.is_empty() && coalescer.paths.is_empty());
    told
}

#[test]
fn many_changes_of_a_node_are_one_and_the_strongest_names_it() {
    use Action::{Create, UpdateContent, UpdateMeta};
    for (actions, told) in [
        (vec![Create, UpdateContent, UpdateMeta], "Create"),
        (vec![UpdateMeta, UpdateContent, UpdateMeta], "UpdateContent"),
        (vec![UpdateMeta, UpdateMeta], "UpdateMeta"),
        (vec![UpdateMeta, Create], "Create"),
    ] {
        let events = actions.into_iter().map(|action| (0, about(action, node("n", "a/n")))).collect();
        assert_eq!(play(events), [format!("100 {told} n@a/n")]);
    }
}

#[test]
fn r3_what_is_created_and_removed_in_a_moment_leaves_no_ghost() {
    let events = vec![
        (0, about(Action::Create, node("n", "a/n"))),
        (10, about(Action::Create, node("m", "a/n/m"))),
        (20, about(Action::Create, node("o", "a/no"))),
        (50, gone(node("n", "a/n"))),
    ];
    assert_eq!(play(events), ["50 Delete n@a/n", "120 Create o@a/no"], "and neither does what was below it");
}

#[test]
fn r3_a_node_that_changes_for_ever_is_told_of_at_a_bounded_delay() {
    let events = (0..10).map(|step| (step * 90, about(Action::UpdateMeta, node("n", "a/n")))).collect();
    let told: Vec<u64> = play(events).iter().map(|told| told.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(told, [300, 660, 910]);
}

#[test]
fn a_folder_comes_before_what_is_in_it() {
    let events = vec![
        (0, about(Action::Create, node("file", "a/b/f"))),
        (10, about(Action::Create, node("inner", "a/b"))),
        (20, about(Action::Create, node("outer", "a"))),
    ];
    assert_eq!(play(events), ["100 Create outer@a", "100 Create inner@a/b", "100 Create file@a/b/f"]);
}

#[test]
fn a_move_and_metadata_of_users_come_behind_what_waits() {
    let moved = TreeEvent::new(Action::UpdatePath, Some(node("n", "a/n")), Some(node("n", "b/n")));
    let events = vec![
        (0, about(Action::Create, node("n", "a/n"))),
        (1, about(Action::Create, node("m", "a/n/m"))),
        (2, about(Action::Create, node("b", "b"))),
        (10, moved),
    ];
    assert_eq!(play(events), ["10 Create n@a/n", "10 Create m@a/n/m", "10 Create b@b", "10 UpdatePath n@b/n"]);
    let events =
        vec![(0, about(Action::UpdateMeta, node("n", "a/n"))), (10, about(Action::UpdateUserMeta, node("n", "a/n")))];
    assert_eq!(play(events), ["10 UpdateMeta n@a/n", "10 UpdateUserMeta n@a/n"]);
}

#[test]
fn what_waits_goes_along_when_a_folder_above_it_moves() {
    let (mut coalescer, now, mut out) = (coalescer(), Instant::now(), Vec::new());
    coalescer.take(about(Action::Create, node("n", "a/n")), 7, now, &mut out);
    coalescer.follow(&node("n", "b/n"));
    coalescer.follow(&node("other", "b/other"));
    assert_eq!(coalescer.oldest(), Some(7));
    coalescer.take(gone(node("a", "a")), 8, now, &mut out);
    coalescer.flush(&mut out);
    assert_eq!(words(&out), ["Delete a@a", "Create n@b/n"]);
}

#[test]
fn a_temporary_tag_never_replaces_a_real_one() {
    for (tags, told) in [
        (["temporary", "e1"], "e1"),
        (["e1", "temporary"], "e1"),
        (["e1", "e2"], "e2"),
        (["temporary", "temporary"], "temporary"),
        (["", "temporary"], "temporary"),
    ] {
        let (mut coalescer, now, mut out) = (coalescer(), Instant::now(), Vec::new());
        for tag in tags {
            coalescer.take(about(Action::UpdateContent, tagged("n", "a/n", tag)), 1, now, &mut out);
        }
        coalescer.flush(&mut out);
        assert_eq!(&*out[0].target.as_ref().expect("a node").etag, told, "{tags:?}");
    }
}

#[test]
fn of_partial_events_the_first_node_is_told_with_what_the_last_says() {
    let (mut coalescer, now, mut out) = (coalescer(), Instant::now(), Vec::new());
    for (path, size, meta) in [("a/n", 1, ("x", "1")), ("", 2, ("y", "2"))] {
        let meta = [(meta.0.to_owned(), meta.1.to_owned())].into();
        let node = Node { size, meta, ..Node::clone(&node("n", path)) };
        let event = TreeEvent { is_partial: true, ..about(Action::UpdateMeta, Arc::new(node)) };
        coalescer.take(event, 1, now, &mut out);
    }
    coalescer.flush(&mut out);
    let told = out[0].target.as_ref().expect("a node");
    assert_eq!((&*told.path, told.size, told.meta.len()), ("a/n", 2, 2));
}

#[test]
fn without_a_delay_nothing_waits() {
    let mut coalescer = Coalescer::new(Delays { quiet: Duration::ZERO, longest: LONGEST });
    let mut out = Vec::new();
    coalescer.take(about(Action::Create, node("n", "a/n")), 1, Instant::now(), &mut out);
    assert_eq!(words(&out), ["Create n@a/n"]);
    assert_eq!(coalescer.next(), None);
}
