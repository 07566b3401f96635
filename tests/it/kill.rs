//! Positions carry state, not processes: the program may end at any moment.

use crate::server::Process;
use crate::socket::{Heard, Socket};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

const CONFIGURATION: &str = "[resources.nodes]\nsource = \"embedded\"\nwritable = true\n";

/// Writes rows one after the other, from this number on, until the server is gone; tells those it confirmed.
async fn write_until_gone(address: SocketAddr, from: usize) -> Vec<String> {
    let client = reqwest::Client::new();
    let mut confirmed = Vec::new();
    for number in from.. {
        let id = format!("n{number}");
        let put = client.put(format!("http://{address}/api/nodes/{id}")).json(&json!({"id": id}));
        match put.send().await {
            Ok(answer) if answer.status().is_success() => confirmed.push(id),
            _ => break,
        }
    }
    confirmed
}

/// Notes what is told of new rows, and the position to go on from.
fn note(message: &Value, told: &mut Vec<String>, position: &mut String) {
    if let Some(newer) = message["position"].as_str() {
        newer.clone_into(position);
    }
    if message["handler"] == "item" {
        assert_eq!(message["id"][0], "created", "{message}");
        told.push(message["id"][1].as_str().expect("a key").to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_confirmed_change_and_repeats_none() {
    let mut server = Process::start(CONFIGURATION).await;
    let (mut confirmed, mut told, mut position) = (BTreeSet::new(), Vec::new(), String::new());
    for round in 0..4 {
        let mut socket = Socket::open(&format!("ws://{}/nodes", server.address())).await.expect("an upgrade");
        let start = if round == 0 { json!({"initial": true}) } else { json!({"since": position}) };
        let mut watch = json!({"handler": "watch", "positions": true, "ref": round});
        watch.as_object_mut().expect("an object").extend(start.as_object().expect("an object").clone());
        socket.say(watch.to_string()).await;
        let first = socket.json().await;
        if round == 0 {
            assert_eq!(first["items"], json!([]));
        } else {
            assert_eq!((&first["handler"], &first["complete"]), (&json!("resumed"), &json!(true)), "{first}");
        }
        note(&first, &mut told, &mut position);

        let writer = tokio::spawn(write_until_gone(server.address(), round * 1_000_000));
        while told.len() < (round + 1) * 50 {
            note(&socket.json().await, &mut told, &mut position);
        }
        server.kill();
        confirmed.extend(writer.await.expect("the writer ends"));
        // What had left the server before it ended still arrives.
        while let Heard::Json(message) = socket.hear_within(Duration::from_secs(1)).await {
            note(&message, &mut told, &mut position);
        }
        server.restart().await;
    }
    let mut socket = Socket::open(&format!("ws://{}/nodes", server.address())).await.expect("an upgrade");
    socket.say(json!({"handler": "watch", "positions": true, "since": position}).to_string()).await;
    socket.say(r#"{"handler":"barrier","ref":"end"}"#).await;
    loop {
        let message = socket.json().await;
        if message["handler"] == "barrier" {
            break;
        }
        note(&message, &mut told, &mut position);
    }
    let distinct: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(distinct.len(), told.len(), "something was told twice");
    let lost: Vec<_> = confirmed.difference(&distinct).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), confirmed.len());
}
