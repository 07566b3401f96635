use super::*;
use crate::relay::Kind as Of;

fn push(text: &str) -> Push {
    Push { kind: Of::Channel, ids: vec!["room".into()], data: text.into() }
}

fn line() -> Arc<Waiting> {
    Arc::new(Waiting::new(Arc::default()))
}

fn texts(batch: &Batch) -> Vec<&str> {
    batch.parcels().iter().map(|parcel| &*parcel.push.data).collect()
}

#[tokio::test]
async fn pushes_go_in_the_order_of_handing_over_also_after_a_batch_came_back() {
    let line = line();
    ["a", "b", "c", "d"].into_iter().for_each(|text| line.hand_over(push(text)));
    let batch = line.take(2, usize::MAX).await;
    assert_eq!(texts(&batch), ["a", "b"]);
    drop(batch);
    let batch = line.take(3, usize::MAX).await;
    assert_eq!(texts(&batch), ["a", "b", "c"]);
    batch.gone();
    assert_eq!(texts(&line.take(1, 0).await), ["d"], "one always fits");
}

#[tokio::test]
async fn past_the_bound_the_oldest_are_dropped_and_counted() {
    let metrics = Arc::new(Metrics::default());
    let line = Arc::new(Waiting::new(metrics.clone()));
    (0..MOST + 3).for_each(|number| line.hand_over(push(&number.to_string())));
    assert_eq!(metrics.relay_dropped("waiting").get(), 3);
    let all = line.take(usize::MAX, usize::MAX).await;
    assert_eq!((all.parcels().len(), texts(&all)[0]), (MOST, "3"));
    drop(all);
    line.hand_over(push("one more"));
    assert_eq!(metrics.relay_dropped("waiting").get(), 4);
}

#[tokio::test]
async fn large_pushes_are_bounded_by_their_bytes_but_one_always_fits() {
    let line = line();
    let large = "x".repeat(MOST_BYTES / 2);
    (0..3).for_each(|_| line.hand_over(push(&large)));
    assert_eq!(line.take(9, usize::MAX).await.parcels().len(), 1);
    line.hand_over(push(&"x".repeat(MOST_BYTES + 1)));
    assert_eq!(line.take(9, usize::MAX).await.parcels().len(), 1);
}

#[tokio::test]
async fn flushed_means_that_nothing_handed_over_before_is_here() {
    let line = line();
    line.flushed().await.expect("nothing was handed over");
    line.hand_over(push("a"));
    assert!(line.flushed().await.is_err(), "the way is lost");
    line.found();
    let flushed = tokio::spawn({
        let line = line.clone();
        async move { line.flushed().await }
    });
    let batch = line.take(1, usize::MAX).await;
    tokio::task::yield_now().await;
    assert!(!flushed.is_finished(), "it is under way");
    line.hand_over(push("later"));
    batch.gone();
    flushed.await.expect("no panic").expect("it has gone, and what came later does not count");
    line.lost();
    assert!(line.flushed().await.is_err());
}

#[tokio::test]
async fn what_is_sent_at_once_goes_now_or_never() {
    let line = line();
    assert!(line.send(push("lost")).await.is_err());
    assert!(line.try_take(9, usize::MAX).is_none(), "it does not go later");
    line.found();
    let send = |text| {
        tokio::spawn({
            let line = line.clone();
            async move { line.send(push(text)).await }
        })
    };
    let sent = send("a");
    line.take(9, usize::MAX).await.gone();
    sent.await.expect("no panic").expect("it has gone");
    let sent = send("b");
    let batch = line.take(9, usize::MAX).await;
    drop(batch);
    line.lost();
    assert!(sent.await.expect("no panic").is_err());
    line.found();
    assert!(line.try_take(9, usize::MAX).is_none());
}

#[tokio::test]
async fn who_no_longer_waits_is_not_surprised_later() {
    let line = line();
    line.found();
    let sending = line.send(push("nobody takes it"));
    assert!(tokio::time::timeout(Duration::from_millis(1), sending).await.is_err());
    line.hand_over(push("next"));
    assert_eq!(texts(&line.take(9, usize::MAX).await), ["next"]);
}
