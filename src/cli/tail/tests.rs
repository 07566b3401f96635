//! `tidings tail` against a server that is only a script.

use crate::cli::tail::Tail;
use crate::error::{Kind, Result};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    tail: Tail,
}

/// Runs `tail` with these arguments after the URL.
async fn tail(listener: &TcpListener, arguments: &[&str]) -> (Result<()>, String) {
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let line = Line::try_parse_from(["tail", &url].iter().chain(arguments)).unwrap();
    let mut out = Vec::new();
    let result = line.tail.run(&mut out).await;
    (result, String::from_utf8(out).unwrap())
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The next client, and what it asked for.
async fn accept(listener: &TcpListener) -> (WebSocketStream<TcpStream>, Value) {
    let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
    let Message::Text(watch) = socket.next().await.unwrap().unwrap() else { panic!("not text") };
    (socket, serde_json::from_str(&watch).unwrap())
}

async fn say(socket: &mut WebSocketStream<TcpStream>, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

fn created(id: &str, position: &str) -> Value {
    json!({"handler": "item", "id": ["created", id], "data": {"id": id}, "position": position, "ref": "tail"})
}

#[tokio::test]
async fn it_resumes_where_the_connection_was_lost() {
    let listener = listener().await;
    let server = async {
        let (mut socket, watch) = accept(&listener).await;
        assert_eq!(watch["params"], json!({"type": "x"}));
        assert_eq!(watch.get("since"), None);
        say(&mut socket, created("a", "e:1")).await;
        drop(socket);
        let (mut socket, watch) = accept(&listener).await;
        assert_eq!(watch["since"], "e:1");
        say(&mut socket, created("b", "e:2")).await;
    };
    let (told, ()) = tokio::join!(tail(&listener, &["nodes", r#"{"type": "x"}"#, "--count", "2"]), server);
    told.0.unwrap();
    assert_eq!(told.1, "created  a  {\"id\":\"a\"}\ncreated  b  {\"id\":\"b\"}\n");
}

#[tokio::test]
async fn a_refusal_ends_it_at_once() {
    let listener = listener().await;
    let server = async {
        let (mut socket, _) = accept(&listener).await;
        let params = json!({"error": "E_RESOURCE", "summary": "no such resource"});
        say(&mut socket, json!({"handler": "error", "ref": "tail", "params": params})).await;
        let (mut socket, _) = accept(&listener).await;
        socket.close(Some(CloseFrame { code: 4401.into(), reason: "credential expired".into() })).await.unwrap();
        socket
    };
    let client = async {
        let (told, out) = tail(&listener, &["nope"]).await;
        assert_eq!((told.unwrap_err().kind(), out.as_str()), (Kind::Refused, ""));
        let (told, _) = tail(&listener, &["nodes"]).await;
        assert_eq!(told.unwrap_err().chain(), "the token has expired");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_and_not_waited_for() {
    let gone = listener().await;
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let line = Line::try_parse_from(["tail", &url, "nodes"]).unwrap();
    assert_eq!(line.tail.run(&mut Vec::new()).await.unwrap_err().kind(), Kind::Unreachable);
    let line = Line::try_parse_from(["tail", "ftp://x", "nodes"]).unwrap();
    assert_eq!(line.tail.run(&mut Vec::new()).await.unwrap_err().kind(), Kind::Configuration);
    assert!(Line::try_parse_from(["tail", "h:1", "nodes", "type=x"]).is_err());
}
