//! Grants that come, go and end while somebody watches, or is away.

use super::{AUTH, Person, SHARED, told};
use crate::server;
use crate::socket::{PATIENCE, Socket};
use serde_json::json;
use tidings::app::App;
use tidings::event::Timestamp;

async fn start() -> (App, Person) {
    let app = server::start(&format!("{AUTH}{SHARED}")).await;
    let boss = Person::boss(&app);
    boss.put("documents/d", json!({"owner": "eve", "n": 1})).await;
    (app, boss)
}

async fn watch(app: &App, claims: serde_json::Value) -> Socket {
    let mut socket = Person::new(app, claims).socket("documents").await;
    socket.say(r#"{"handler":"watch","initial":true,"positions":true,"ref":1}"#).await;
    socket
}

#[tokio::test]
async fn a_grant_shows_a_record_at_once_and_its_end_takes_it_away() {
    let (app, boss) = start().await;
    let mut ann = watch(&app, json!({"sub": "ann"})).await;
    let mut bob = watch(&app, json!({"sub": "bob", "groups": ["red"]})).await;
    assert_eq!((told(&mut ann).await, told(&mut bob).await), (vec!["list".to_owned()], vec!["list".to_owned()]));
    boss.put("grants/1", json!({"document": "d", "user": "ann"})).await;
    boss.put("grants/2", json!({"document": "d", "team": "red"})).await;
    boss.put("documents/d", json!({"owner": "eve", "n": 2})).await;
    boss.remove("grants/1").await;
    boss.put("documents/d", json!({"owner": "eve", "n": 3})).await;
    // By now the record is bob's own, so the end of the grant is nothing to him.
    boss.put("documents/d", json!({"owner": "bob", "n": 4})).await;
    boss.remove("grants/2").await;
    boss.remove("documents/d").await;
    assert_eq!(told(&mut ann).await, ["item d", "item d", "remove d"]);
    assert_eq!(told(&mut bob).await, ["item d", "item d", "item d", "item d", "remove d"]);
    app.stop().await;
}

#[tokio::test]
async fn after_a_revoke_a_resume_takes_the_record_away_and_shows_nothing_of_it() {
    let (app, boss) = start().await;
    boss.put("grants/1", json!({"document": "d", "user": "ann"})).await;
    let mut ann = watch(&app, json!({"sub": "ann"})).await;
    let list = ann.json().await;
    assert_eq!(list["items"], json!([{"id": "d", "owner": "eve", "n": 1}]));
    drop(ann);
    boss.remove("grants/1").await;
    boss.put("documents/d", json!({"owner": "eve", "n": "secret"})).await;
    let mut again = Person::new(&app, json!({"sub": "ann"})).socket("documents").await;
    again.say(json!({"handler": "watch", "since": list["position"], "ref": 1}).to_string()).await;
    let (resumed, removed) = (again.json().await, again.json().await);
    assert_eq!((&resumed["complete"], &removed["handler"]), (&json!(true), &json!("remove")));
    assert_eq!(removed["data"], json!({"id": "d", "owner": "eve", "n": 1}));
    assert_eq!(told(&mut again).await, [""; 0]);
    app.stop().await;
}

#[tokio::test]
async fn a_grant_ends_on_time_for_watches_lists_and_resumes() {
    let (app, boss) = start().await;
    let mut ann = watch(&app, json!({"sub": "ann"})).await;
    let list = ann.json().await;
    let end = Timestamp::now().0 + 4000;
    boss.put("grants/1", json!({"document": "d", "user": "ann", "until": end})).await;
    assert_eq!(told(&mut ann).await, ["item d"]);
    let removed = ann.hear_within(PATIENCE).await;
    let late = Timestamp::now().0 - end;
    assert!(format!("{removed:?}").contains("remove"), "{removed:?}");
    assert!((0..8000).contains(&late), "it ended {late} ms after its time");
    boss.put("documents/d", json!({"owner": "eve", "n": 2})).await;
    ann.say(r#"{"handler":"all","ref":2}"#).await;
    assert_eq!(told(&mut ann).await, ["list"]);
    let mut again = Person::new(&app, json!({"sub": "ann"})).socket("documents").await;
    again.say(json!({"handler": "watch", "since": list["position"], "ref": 1}).to_string()).await;
    assert_eq!(told(&mut again).await, ["resumed complete", "item d", "remove d"]);
    app.stop().await;
}

#[tokio::test]
async fn a_list_has_what_was_granted_or_revoked_just_before() {
    let (app, boss) = start().await;
    let ann = Person::new(&app, json!({"sub": "ann"}));
    let mut socket = ann.socket("documents").await;
    for round in 0..50 {
        boss.put("grants/1", json!({"document": "d", "user": "ann", "round": round})).await;
        socket.say(r#"{"handler":"all","ref":1}"#).await;
        assert_eq!(socket.json().await["items"].as_array().map(Vec::len), Some(1), "round {round}");
        boss.remove("grants/1").await;
        socket.say(r#"{"handler":"all","ref":1}"#).await;
        assert_eq!(socket.json().await["items"], json!([]), "round {round}");
    }
    app.stop().await;
}
