//! How many events somebody has not seen: right whoever writes and acknowledges at the same time.

use super::Setting;
use super::world::{ANN, BOB, BOX, CAROL, MisakeyWorld, ack, event, id};
use crate::server;
use crate::socket::{Heard, PATIENCE, Socket};
use crate::transcript::{Change, Word};
use serde_json::{Value, json};
use tidings::app::App;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Who posts and acknowledges at the same time, and how much.
const WRITERS: usize = 20;
const POSTS: usize = 5;

fn text(number: usize, sender: &str) -> Value {
    event(number, sender, "msg.text", json!({"encrypted": "e", "public_key": "pk"}), None)
}

/// Says acknowledgements, each with a mark of its own, and waits for each to come back.
async fn acknowledge(mut socket: Socket, identity: &'static str, times: usize) {
    for _ in 0..times {
        let mut tries = 1;
        while !is_acknowledged(&mut socket, identity).await {
            assert!(tries < 6, "no acknowledgement of {identity} comes back");
            tries += 1;
        }
    }
}

/// Whether one comes back: a store that is slow may give it up, and then whoever said it says it again.
async fn is_acknowledged(socket: &mut Socket, identity: &str) -> bool {
    let mark = json!(uuid::Uuid::new_v4().to_string());
    let mut said: Value = serde_json::from_str(&ack(identity)).expect("an acknowledgement");
    said["mark"] = mark.clone();
    socket.say(said.to_string()).await;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        // Those of others come back here too, and not every one of theirs is written yet.
        match socket.hear_within(PATIENCE).await {
            Heard::Json(message) if message["mark"] == mark => return true,
            Heard::Json(_) | Heard::Nothing => {}
            other => panic!("expected an acknowledgement, got {other:?}"),
        }
    }
    false
}

/// Twenty post while two acknowledge; what is left is counted, and an acknowledgement takes all of it away.
async fn counts_are_right(setting: Setting) {
    let app = server::start(&setting.configuration).await;
    let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
    world.make_box().await;
    let muted = json!({"id": id(900), "identity_id": CAROL, "box_id": BOX, "muted": true});
    world.write("box_settings", &id(900), Word::Created, muted).await;
    world.add(event(3, CAROL, "member.join", Value::Null, None)).await;
    world.until_counted(ANN, |row| row["count"] == 2).await;
    let mut all = JoinSet::new();
    for identity in [ANN, BOB] {
        for _ in 0..WRITERS / 2 {
            all.spawn(acknowledge(world.open(identity).await, identity, POSTS));
        }
    }
    post(&app, &world, &setting.databases, 100, WRITERS).await;
    while let Some(done) = all.join_next().await {
        done.expect("it acknowledges");
    }
    world.control.barrier().await.expect("everything is logged");
    for identity in [ANN, BOB] {
        acknowledge(world.open(identity).await, identity, 1).await;
        world.until_counted(identity, |row| row["count"] == 0).await;
    }
    // From here on nobody acknowledges: every message but one's own is counted.
    post(&app, &world, &setting.databases, 300, WRITERS).await;
    let own = WRITERS / 2 * POSTS;
    world.until_counted(ANN, |row| row["count"] == own).await;
    world.until_counted(BOB, |row| row["count"] == own).await;
    let carol = world.until_counted(CAROL, |_| true).await;
    assert!(carol.is_null() || carol["count"] == 0, "she has muted the box: {carol}");
    app.stop().await;
}

/// So many post at the same time, every other one as Ann, the others as Bob.
async fn post(app: &App, world: &MisakeyWorld, databases: &crate::setting::Databases, from: usize, writers: usize) {
    let mut all = JoinSet::new();
    for writer in 0..writers {
        let sender = if writer % 2 == 0 { ANN } else { BOB };
        let writes = super::writes::another(&world.writes, databases.0.as_ref()).await;
        let address = app.address();
        all.spawn(async move {
            for post in 0..POSTS {
                let number = from + writer * POSTS + post;
                let (resource, record) = ("box_events".to_owned(), Some(text(number, sender).to_string()));
                let change = Change { resource, id: id(number), word: Word::Created, record };
                writes
                    .make(address, &change, |record| super::writes::place(&change, record))
                    .await
                    .expect("it is written");
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.expect("it posts");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_right_under_20_who_post_and_acknowledge_by_a_trigger() {
    let Some(setting) = Setting::postgres("outbox", "").await else { return };
    counts_are_right(setting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_right_under_20_who_post_and_acknowledge_by_counting() {
    counts_are_right(Setting::embedded("")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_right_under_20_who_post_and_acknowledge_in_mongodb() {
    let Some(setting) = Setting::mongodb().await else { return };
    counts_are_right(setting).await;
}

#[tokio::test]
async fn events_that_nobody_counted_are_counted_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let setting = Setting::embedded("counts = \"off\"");
    let data = format!("[server]\ndata = {:?}", directory.path().display().to_string());
    let configuration = setting.configuration.replace("[server]", &data);
    let app = server::start(&configuration).await;
    let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
    world.make_box().await;
    world.add(text(3, ANN)).await;
    assert_eq!(
        super::writes::rows(&world.writes, app.address(), "event_counts").await,
        Vec::<Value>::new(),
        "it is off"
    );
    drop(world);
    app.stop().await;
    let app = server::start(&configuration.replace("counts = \"off\"", "counts = \"auto\"")).await;
    let world = MisakeyWorld::of(app.address(), Setting::embedded("").writes).await;
    for identity in [ANN, BOB] {
        world.until_counted(identity, |row| row["count"] == 1).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn counting_never_enters_the_outbox_where_only_acknowledgements_are_captured() {
    let Some(setting) = Setting::postgres("outbox", "").await else { return };
    let client = setting.databases.0.as_ref().expect("a database").client().await;
    let app = server::start(&setting.configuration).await;
    client.batch_execute("select misakey.capture_acks_only()").await.expect("it is captured so");
    let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
    world.make_box().await;
    world.add(text(3, ANN)).await;
    world.until_counted(BOB, |row| row["count"] == 1).await;
    let captured =
        "select count(*) from tidings.change where resource = 'misakey.event_count' and operation <> 'reset'";
    let number: i64 = client.query_one(captured, &[]).await.expect("a number").get(0);
    assert_eq!(number, 0);
    acknowledge(world.open(BOB).await, BOB, 2).await;
    let mut other = world.open(BOB).await;
    client.execute("select misakey.ack($1::text::uuid, $2::text::uuid)", &[&BOB, &BOX]).await.expect("it is written");
    assert_eq!(other.json().await["object"], json!({"sender_id": BOB, "box_id": BOX}));
    app.stop().await;
}

#[tokio::test]
async fn r5_counts_are_right_for_a_box_whose_id_begins_and_ends_with_b() {
    for setting in [Some(Setting::embedded("")), Setting::postgres("outbox", "").await] {
        let Some(setting) = setting else { return };
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        let boxes = ["bbbbbbbb-0000-4000-8000-00000000bbbb", "00000000-0000-4000-8000-000000000000"];
        for (place, box_id) in boxes.into_iter().enumerate() {
            for (number, sender, kind) in [(1, ANN, "create"), (2, BOB, "member.join"), (3, ANN, "msg.text")] {
                let mut row = event(place * 10 + number, sender, kind, json!({}), None);
                row["box_id"] = json!(box_id);
                world.add(row).await;
            }
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let rows = super::writes::rows(&world.writes, app.address(), "event_counts").await;
            let mut counts: Vec<_> = rows.iter().map(|row| (row["id"].clone(), row["count"].clone())).collect();
            counts.sort_by_key(|(id, _)| id.to_string());
            let expected: Vec<_> = [ANN, BOB]
                .into_iter()
                .flat_map(|identity| {
                    [boxes[1], boxes[0]].map(|box_id| (json!(format!("{identity}:{box_id}")), json!(1)))
                })
                .collect();
            if counts == expected {
                break;
            }
            assert!(Instant::now() < end, "{counts:?}");
            sleep(std::time::Duration::from_millis(10)).await;
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn an_acknowledgement_of_a_box_that_one_is_not_in_can_be_ignored() {
    for setting in [
        Some(Setting::embedded("ack_members_only = true")),
        Setting::postgres("outbox", "ack_members_only = true").await,
    ] {
        let Some(setting) = setting else { return };
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        world.make_box().await;
        let (mut carol, bob) = (world.open(CAROL).await, world.open(BOB).await);
        carol.say(ack(CAROL)).await;
        acknowledge(bob, BOB, 1).await;
        world.control.barrier().await.expect("everything is logged");
        let rows = super::writes::rows(&world.writes, app.address(), "event_counts").await;
        assert!(rows.iter().all(|row| row["identity_id"] != CAROL), "{rows:?}");
        app.stop().await;
    }
}
