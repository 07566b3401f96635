use super::*;
use crate::event::Operation;
use crate::resource::Resource;
use crate::source::{Batch, Health, State};
use crate::store::{Condition, Store, Write};
use serde_json::json;
use tokio::sync::mpsc;

fn nodes() -> Resource {
    Resource::named("nodes")
}

async fn put(store: &Embedded, id: &str) {
    store.write(&nodes(), id, Write::Put(json!({})), &Condition::None).await.unwrap();
}

/// A running source; the test is its log.
struct Run {
    batches: mpsc::Receiver<Batch>,
    health: Arc<Health>,
    end: tokio::task::JoinHandle<Result<End>>,
}

impl Run {
    fn start(store: &Arc<Embedded>, place: Option<Vec<u8>>) -> Run {
        let source = EmbeddedSource::new(store.clone(), vec!["nodes".into(), "other".into()]);
        let (sender, batches) = mpsc::channel(4);
        let health = Arc::new(Health::default());
        let feed = Feed::new("embedded".into(), sender, health.clone(), Arc::default());
        let end = tokio::spawn(async move { source.run(place, &feed).await });
        Run { batches, health, end }
    }

    /// Takes the next batch into the log.
    async fn take(&mut self) -> (Vec<String>, Option<Vec<u8>>, Option<Mark>) {
        let batch = self.batches.recv().await.unwrap();
        batch.logged.unwrap().send(1).unwrap();
        (batch.events.iter().map(|event| event.id.to_string()).collect(), batch.place, batch.reached)
    }

    async fn stop(self) {
        self.health.stop();
        assert_eq!(self.end.await.unwrap().unwrap(), End::Stopped);
    }
}

#[tokio::test]
async fn changes_follow_the_place_and_go_once_they_are_logged() {
    let store = Embedded::open(None).unwrap();
    put(&store, "a").await;
    put(&store, "b").await;
    let mut run = Run::start(&store, None);
    assert_eq!(run.take().await, (vec!["a".into(), "b".into()], bytes(2), Some(Mark::Offset(2))));
    put(&store, "c").await;
    assert_eq!(run.take().await, (vec!["c".into()], bytes(3), Some(Mark::Offset(3))));
    put(&store, "d").await;
    // The log does not take this one: it has to come again.
    drop(run.batches.recv().await.unwrap());
    assert!(run.end.await.unwrap().is_err());
    assert_eq!(store.changes(0, 10).unwrap().len(), 1, "what is logged is no longer recorded");

    let mut run = Run::start(&store, bytes(3));
    assert_eq!(run.take().await, (vec!["d".into()], bytes(4), Some(Mark::Offset(4))));
    run.stop().await;
}

#[tokio::test]
async fn a_run_with_nothing_to_tell_says_how_far_it_is() {
    let store = Embedded::open(None).unwrap();
    put(&store, "a").await;
    store.forget(1).unwrap();
    let mut run = Run::start(&store, bytes(1));
    assert_eq!(run.take().await, (vec![], bytes(1), Some(Mark::Offset(1))));
    run.health.ring();
    while !matches!(run.health.state(), State::Live { .. }) {
        tokio::task::yield_now().await;
    }
    run.stop().await;
}

#[tokio::test]
async fn many_changes_come_in_batches_in_order() {
    let store = Embedded::open(None).unwrap();
    let ids: Vec<_> = (0..600).map(|number| format!("n{number}")).collect();
    for id in &ids {
        put(&store, id).await;
    }
    let mut run = Run::start(&store, bytes(0));
    let mut seen = Vec::new();
    while seen.len() < 600 {
        let (more, place, reached) = run.take().await;
        assert!(more.len() <= BATCH);
        seen.extend(more);
        assert_eq!((place, reached), (bytes(seen.len() as u64), Some(Mark::Offset(seen.len() as u64))));
    }
    assert_eq!(seen, ids);
    run.stop().await;
}

#[tokio::test]
async fn a_store_that_was_replaced_makes_watchers_start_over() {
    for place in [bytes(5), Some(b"of another kind".to_vec())] {
        let store = Embedded::open(None).unwrap();
        put(&store, "a").await;
        let mut run = Run::start(&store, place);
        let batch = run.batches.recv().await.unwrap();
        let resets: Vec<_> = batch.events.iter().map(|event| (&*event.resource, event.operation)).collect();
        let reset = Operation::Reset(Reason::Epoch);
        assert_eq!(resets, [("nodes", reset), ("other", reset)]);
        assert_eq!((batch.place, batch.reached), (bytes(0), None));
        batch.logged.unwrap().send(2).unwrap();
        assert_eq!(run.take().await, (vec!["a".into()], bytes(1), Some(Mark::Offset(1))));
        run.stop().await;
    }
}
