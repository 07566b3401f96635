//! Somebody in the chat.

use crate::cells::world::{CellsWorld, token};
use crate::socket::{Heard, Socket};
use crate::transcript::World;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Long enough for what must not come.
const QUIET: Duration = Duration::from_millis(400);

/// A socket of the chat, at which somebody is.
pub struct Chatter(Socket);

impl Chatter {
    /// Somebody who comes to a world's server.
    pub async fn come(world: &CellsWorld, login: &str) -> Chatter {
        Chatter::come_to(world.address(), login).await
    }

    /// The same, to a server at this address.
    pub async fn come_to(address: SocketAddr, login: &str) -> Chatter {
        let url = format!("ws://{address}/ws/chat");
        let socket = Socket::open(&url).await.unwrap_or_else(|status| panic!("refused: {status}"));
        let mut chatter = Chatter(socket);
        chatter.subscribe(login).await;
        chatter
    }

    /// Shows who it is; nothing answers that.
    pub async fn subscribe(&mut self, login: &str) {
        self.say(json!({"@type": "subscribe", "jwt": token(login)})).await;
    }

    pub async fn say(&mut self, frame: Value) {
        self.0.say(frame.to_string()).await;
    }

    pub async fn join(&mut self, (kind, object): (&str, &str)) {
        self.say(json!({"@type": "JOIN", "Room": {"Type": kind, "RoomTypeObject": object}})).await;
    }

    pub async fn ping(&mut self, (kind, object): (&str, &str)) {
        let room = json!({"Type": kind, "RoomTypeObject": object});
        self.say(json!({"@type": "JOIN", "Room": room, "Message": {"Message": "PING"}})).await;
    }

    pub async fn leave(&mut self, (kind, object): (&str, &str)) {
        self.say(json!({"@type": "LEAVE", "Room": {"Type": kind, "RoomTypeObject": object}})).await;
    }

    pub async fn ask_history(&mut self, (kind, object): (&str, &str), offset: usize, limit: usize) {
        let room = json!({"Type": kind, "RoomTypeObject": object});
        let page = json!({"Offset": offset, "Limit": limit}).to_string();
        self.say(json!({"@type": "HISTORY", "Room": room, "Message": {"Message": page}})).await;
    }

    pub async fn post(&mut self, room: &str, text: &str) {
        self.say(json!({"@type": "POST", "Message": {"RoomUuid": room, "Message": text}})).await;
    }

    pub async fn edit(&mut self, room: &str, message: &str, text: &str) {
        self.say(json!({"@type": "POST", "Message": {"Uuid": message, "RoomUuid": room, "Message": text}})).await;
    }

    pub async fn delete(&mut self, message: &str) {
        self.say(json!({"@type": "DELETE_MSG", "Message": {"Uuid": message}})).await;
    }

    /// The next frame.
    pub async fn heard(&mut self) -> Value {
        self.0.json().await
    }

    /// The next frame, which tells of a room: its uuid and who is in it.
    pub async fn room(&mut self) -> (String, Vec<String>) {
        let heard = self.heard().await;
        assert_eq!(heard["@type"], "ROOM_UPDATE", "{heard}");
        let users = heard["Room"]["Users"].as_array().into_iter().flatten();
        let users = users.map(|user| user.as_str().expect("a login").to_owned()).collect();
        (heard["Room"]["Uuid"].as_str().expect("a uuid").to_owned(), users)
    }

    /// The next frame, which tells who is in a room.
    pub async fn users(&mut self) -> Vec<String> {
        self.room().await.1
    }

    /// The next frame, which is a message: its uuid and its text.
    pub async fn message(&mut self) -> (String, String) {
        let heard = self.heard().await;
        assert!(heard["@type"].is_null() && heard["Uuid"].is_string(), "{heard}");
        let text = |key: &str| heard[key].as_str().unwrap_or_default().to_owned();
        (text("Uuid"), text("Message"))
    }

    /// Nothing comes for a while.
    pub async fn silence(&mut self) {
        match self.0.hear_within(QUIET).await {
            Heard::Nothing => {}
            other => panic!("expected silence, got {other:?}"),
        }
    }

    /// Whatever comes within this time; `None`: nothing does.
    pub async fn heard_within(&mut self, time: Duration) -> Option<Value> {
        match self.0.hear_within(time).await {
            Heard::Json(value) => Some(value),
            Heard::Nothing => None,
            other => panic!("expected a message, got {other:?}"),
        }
    }
}

/// All rows of a resource.
pub async fn rows(world: &CellsWorld, resource: &str) -> Vec<Value> {
    let answer = reqwest::get(format!("http://{}/api/{resource}", world.address())).await.expect("an answer");
    let body: Value = answer.json().await.expect("JSON");
    let items = body.as_array().or_else(|| body["items"].as_array());
    items.unwrap_or_else(|| panic!("no rows but {body}")).clone()
}
