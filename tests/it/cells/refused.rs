//! Who is not let in, or may not stay, and how that is told.

use super::world::{CellsWorld, signed, token};
use super::{SOON, Setting};
use crate::server;
use crate::socket::Heard;
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::Duration;
use tidings::event::Timestamp;
use tokio_tungstenite::tungstenite::Message;

fn now() -> i64 {
    Timestamp::now().0 / 1000
}

/// The text of a refusal, whose close is legal and whose JSON is whole.
fn refused(heard: Heard) -> String {
    let Heard::Close(1008, reason) = heard else { panic!("expected a refusal, got {heard:?}") };
    assert!(reason.len() <= 123);
    let reason: Value = serde_json::from_str(&reason).expect("whole JSON");
    assert_eq!((&reason["@type"], &reason["jwt"]), (&json!("error"), &json!("")));
    reason["error"].as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_every_refusal_is_a_legal_close_with_whole_json() {
    let (app, mut world) = CellsWorld::start(Setting::embedded("")).await;
    let locked = json!({"uuid": "u-locked", "login": "locked", "locks": ["logout"]});
    world.make(&json!({"users": [locked]})).await;
    let of = |sub: &str, left: i64| {
        signed(&json!({"sub": sub, "exp": now() + left, "jti": uuid::Uuid::new_v4().to_string()}))
    };
    let broken = || of("u-alice", 100).rsplit_once('.').expect("a signature").0.to_owned() + ".AAAA";
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1LWFsaWNlIn0";
    for (path, empty, json) in [
        ("/ws/event", "empty jwt", Some("invalid json")),
        ("/ws", "empty jwt", Some("invalid json")),
        ("/ws/chat", "Empty JWT", None),
        ("/chat", "Empty JWT", None),
    ] {
        for (said, why) in [
            (r#"{"@type":"subscribe"}"#.to_owned(), Some(empty)),
            // A token is another one on each path: the same would be refused later and later.
            (format!("register:{}", broken()), Some("invalid jwt")),
            (format!("register:{unsigned}.{}", path.replace('/', "")), Some("invalid jwt")),
            (format!("register:opaque{path}"), Some("invalid jwt")),
            (format!("register:{}", of("u-alice", -100)), Some("expired jwt")),
            (format!("register:{}", of("u-nobody", 100)), Some("unknown user")),
            (format!("register:{}", of("u-locked", 100)), Some("locked user")),
            ("hello".to_owned(), json),
            ("[1]".to_owned(), json),
            (r#"{"@type":"hello"}"#.to_owned(), None),
            (r#"{"@type":"JOIN","Room":{"Type":"WORKSPACE","RoomTypeObject":"ws-1"}}"#.to_owned(), None),
        ] {
            let mut socket = world.open(path).await;
            socket.say(said.clone()).await;
            match why {
                Some(why) => assert_eq!(refused(socket.hear().await), why, "{said} on {path}"),
                None => {
                    let heard = socket.hear_within(Duration::from_millis(100)).await;
                    assert_eq!(heard, Heard::Nothing, "{said} on {path}");
                }
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_is_repeated_comes_late_and_a_good_token_comes_before_it() {
    let (app, mut world) = CellsWorld::start(Setting::embedded("")).await;
    let mut first = world.open("/ws").await;
    first.say("register:bad").await;
    assert_eq!(refused(first.hear().await), "invalid jwt");
    let (mut second, mut third) = (world.open("/ws").await, world.open("/ws").await);
    second.say("register:bad").await;
    third.say("register:bad").await;
    third.say(json!({"@type": "subscribe", "jwt": token("alice"), "resume": ""}).to_string()).await;
    assert_eq!(third.json().await["@type"], "subscribed", "nobody waits");
    assert_eq!(second.hear_within(Duration::from_millis(300)).await, Heard::Nothing);
    assert_eq!(refused(second.hear().await), "invalid jwt");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let task = json!({"id": "t", "job_id": "j", "status": "Running", "trigger_owner": "alice"});
    world.write("tasks", "t", Word::Created, task).await;
    loop {
        let heard = third.json().await;
        if heard["@type"] != "position" {
            break assert_eq!(heard["TaskUpdated"]["ID"], "t", "it is still there");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_found_by_uuid_or_login_or_address_and_exactly() {
    let (app, mut world) = CellsWorld::start(Setting::embedded("")).await;
    let more = json!([{"uuid": "u-mail", "login": "mail@example.com"}, {"uuid": "alice", "login": "u-alice"}]);
    world.make(&json!({"users": more})).await;
    let table = [
        (json!({"sub": "u-alice", "name": "bob"}), Some("alice")),
        (json!({"name": "bob"}), Some("bob")),
        (json!({"email": "mail@example.com"}), Some("mail@example.com")),
        (json!({"sub": "gone", "name": "bob", "email": "mail@example.com"}), Some("mail@example.com")),
        (json!({"sub": "alice"}), Some("u-alice")),
        (json!({"sub": "U-ALICE"}), None),
        (json!({"sub": "gone", "name": "alice"}), None),
    ];
    for (number, (mut claims, owner)) in table.into_iter().enumerate() {
        claims["exp"] = json!(now() + 100);
        let mut socket = world.open("/ws/event").await;
        socket.say(json!({"@type": "subscribe", "jwt": signed(&claims), "resume": ""}).to_string()).await;
        let Some(owner) = owner else {
            assert_eq!(refused(socket.hear().await), "unknown user", "{claims}");
            continue;
        };
        assert_eq!(socket.json().await["@type"], "subscribed", "{claims}");
        let id = format!("t{number}");
        let task = json!({"id": id, "job_id": "j", "status": "Running", "trigger_owner": owner});
        world.write("tasks", &id, Word::Created, task).await;
        assert_eq!(socket.json().await["TaskUpdated"]["TriggerOwner"], owner, "{claims}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stays_nobody_is_closed_and_binary_frames_mean_nothing() {
    let (app, world) = CellsWorld::start(Setting::embedded("subscribe_timeout_s = 1\n")).await;
    let (mut nobody, mut somebody) = (world.open("/ws/chat").await, world.open("/ws/event").await);
    nobody.send(Message::binary(b"register:x".to_vec())).await;
    somebody.say(format!("register:{}", token("alice"))).await;
    assert_eq!(refused(nobody.hear().await), "no subscription");
    assert_eq!(somebody.hear_within(Duration::from_millis(1500)).await, Heard::Nothing);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_locked_or_deleted_is_sent_away_at_once() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    let (mut alice, mut bob) = (world.hearer("alice").await, world.hearer("bob").await);
    let locked =
        json!({"uuid": "u-alice", "login": "alice", "profile": "standard", "roles": ["r-edit"], "locks": ["logout"]});
    world.write("users", "u-alice", Word::Updated, locked).await;
    let event = alice.event().await;
    assert_eq!((&event["Type"], &event["User"]["Login"]), (&json!("UPDATE"), &json!("alice")));
    assert_eq!(refused(alice.socket.hear().await), "locked user");
    world.write("users", "u-bob", Word::Removed, json!({})).await;
    assert_eq!(bob.event().await["Type"], "DELETE");
    assert_eq!(refused(bob.socket.hear().await), "unknown user");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_upgrade_is_told_so() {
    let app = server::start(&Setting::embedded("").configuration).await;
    for path in ["/ws", "/chat", "/ws/event", "/ws/chat?x=1"] {
        let url = format!("http://{}{path}", app.address());
        let answers = [reqwest::get(&url).await, reqwest::Client::new().post(&url).send().await];
        for answer in answers {
            assert_eq!(answer.expect("an answer").status().as_u16(), 426, "{path}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_that_is_wanted_who_has_an_old_token_is_closed_some_time_after_its_end() {
    let (app, world) = CellsWorld::start(Setting::embedded("on_expiry = \"close\"\n")).await;
    let (mut short, mut renewed) = (world.open("/ws").await, world.open("/ws").await);
    let old = signed(&json!({"sub": "u-alice", "exp": now() - 20}));
    for socket in [&mut short, &mut renewed] {
        socket.say(format!("register:{old}")).await;
    }
    renewed.say(format!("register:{}", token("alice"))).await;
    assert_eq!(refused(short.hear_within(Duration::from_secs(100)).await), "expired jwt");
    assert_eq!(renewed.hear_within(Duration::from_millis(500)).await, Heard::Nothing, "another one was shown");
    app.stop().await;
}
