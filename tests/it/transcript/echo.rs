//! The runner against a server that says back what it hears: a wrong transcript must fail, and say where.

use super::{Change, Sync, World, read, run};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Says everything back; closes on `bye`; refuses the path `/no`.
struct Echo {
    address: SocketAddr,
    names: Vec<(String, String)>,
}

impl Echo {
    async fn start() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let admit = |request: &Request, response: Response| match request.uri().path() {
                        "/no" => Err(forbidden()),
                        _ => Ok(response),
                    };
                    let Ok(mut socket) = accept_hdr_async(stream, admit).await else { return };
                    while let Some(Ok(message)) = socket.next().await {
                        let answer = match message.to_text() {
                            Ok("bye") => Message::Close(Some(CloseFrame { code: 4000.into(), reason: "{}".into() })),
                            Ok("hush") => continue,
                            _ if message.is_text() => message,
                            _ => continue,
                        };
                        if socket.send(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Echo { address, names: vec![("$A".to_owned(), "alice".to_owned())] }
    }
}

fn forbidden() -> ErrorResponse {
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = StatusCode::FORBIDDEN;
    refusal
}

impl World for Echo {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn given(&mut self, text: &str) -> Result<(), String> {
        if text == "luck" { Ok(()) } else { Err("no luck".to_owned()) }
    }

    async fn change(&mut self, _change: &Change) -> Result<(), String> {
        Ok(())
    }

    fn names(&self) -> &[(String, String)] {
        &self.names
    }

    fn token(&self, _who: &str) -> Option<String> {
        None
    }

    fn sync(&self, number: usize) -> Option<Sync> {
        let question = format!(r#"{{"sync":{number}}}"#);
        Some(Sync { question, is_answer: Box::new(move |answer| answer["sync"] == number) })
    }
}

async fn played(text: &str) -> Result<(), String> {
    let mut world = Echo::start().await;
    run(&mut world, &read(&format!("# one\n{text}"))?[0]).await
}

#[tokio::test]
async fn a_true_transcript_is_played() {
    for text in [
        "given luck\npath /x\n> {\"a\":\"$A\"}\n< {\"a\":\"alice\"}\n~ 5ms",
        "path /x\na> 1\nb> {}\nb< {}\na< \"*\"",
        "path /x\n> [1,2]\n> [3]\n! r k removed\n(\n< [3]\n< [1,\"*\"]\n)",
        "a path /no\na< 403",
        "path /x\n> bye\n< close 4000 {}",
        "path /x\n> hush\n~ 5ms",
    ] {
        played(text).await.unwrap_or_else(|why| panic!("{text}\n{why}"));
    }
}

#[tokio::test]
async fn a_false_transcript_fails_and_says_where() {
    for (text, line, expected, got) in [
        ("given rain", 2, "no luck", ""),
        ("path /x\n> {\"a\":1}\n< {\"a\":2}", 4, r#"expected {"a":2}"#, r#"got      {"a":1}"#),
        ("path /x\n> [1]\n> [2]\n< [2]", 5, "expected [2]", "got      [1]"),
        ("path /x\n> {}\n~ 5ms", 4, "expected silence", "got      {}"),
        ("path /x\n> [1]\n> [2]\n(\n< [1]\n< [3]\n)", 5, "expected [3]", "got      [2]"),
        ("a path /no\na> {}", 3, "refused", "403"),
        ("a path /no\na< 401", 3, "expected a refusal with 401", "403"),
        ("path /x\n> bye\n< {}", 4, "expected {}", "got      close 4000"),
        ("path /x\n> bye\n< close 4001", 4, "expected close 4001", "got      close 4000"),
    ] {
        let why = played(text).await.expect_err(text);
        assert!(why.starts_with(&format!("{line}: ")), "{text}\n{why}");
        assert!(why.contains(expected) && why.contains(got), "{text}\n{why}");
    }
}
