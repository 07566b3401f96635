//! Who may not come in, by the answers that clients in the field know, byte for byte.

use super::Setting;
use super::world::{ANN, BOB, token, token_of};
use crate::server;
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// An answer: its status, its headers in lower case, its body.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Asks with these headers, and for a WebSocket.
pub async fn ask(address: SocketAddr, path: &str, headers: &str) -> Answer {
    request(address, path, &format!("{UPGRADE}{headers}")).await
}

async fn request(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: tidings.example\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
                return Answer { status, head, body: body.to_owned() };
            }
        }
        let reading = timeout(crate::socket::PATIENCE, stream.read_buf(&mut answer));
        assert!(reading.await.expect("an answer").expect("it can be read") > 0, "no answer but {text}");
    }
}

fn unauthorized(origin: &str, desc: &str, details: &str) -> (u16, String) {
    (401, format!(r#"{{"code":"unauthorized","origin":"{origin}","desc":"{desc}","details":{details}}}"#))
}

#[tokio::test]
async fn r4_every_refusal_is_answered_as_agreed_and_in_this_order() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let (path, other) = (format!("/box-users/{ANN}/ws"), format!("/box-users/{BOB}/ws"));
    let (good, old, nobody) = (token(ANN), token_of(&json!({"sub": ANN}), -60), token_of(&json!({"sub": ""}), 60));
    let cookie = |details: &str| unauthorized("cookies", "", details);
    let inactive = || unauthorized("headers", "token is not active: not authorized", "{}");
    let foreign = || (403, r#"{"code":"forbidden","origin":"not_defined","desc":"","details":{}}"#.to_owned());
    let malformed =
        || (400, r#"{"code":"bad_request","origin":"path","desc":"","details":{"id":"malformed"}}"#.to_owned());
    let (none, required) = (r#"{"accesstoken":"invalid"}"#, r#"{"accesstoken":"required"}"#);
    let kind = r#"{"tokentype":"invalid"}"#;
    for (path, headers, expected) in [
        (path.clone(), String::new(), cookie(none)),
        ("/box-users/x/ws?access_token=".to_owned(), "Authorization: Basic eA==\r\n".to_owned(), cookie(none)),
        (path.clone(), "Cookie: accesstoken=; tokentype=bearer\r\n".to_owned(), cookie(required)),
        (path.clone(), format!("Cookie: accesstoken={good}\r\n"), cookie(kind)),
        (path.clone(), format!("Cookie: accesstoken={good}; tokentype=Bearer\r\n"), cookie(kind)),
        (format!("{path}?access_token=bad"), format!("Cookie: accesstoken={good}; tokentype=bearer\r\n"), inactive()),
        (format!("{path}?access_token={good}"), "Authorization: Bearer bad\r\n".to_owned(), inactive()),
        (format!("{path}?access_token={old}"), String::new(), inactive()),
        (format!("{path}?access_token={nobody}"), String::new(), inactive()),
        (format!("/box-users/x/ws?access_token={good}"), String::new(), malformed()),
        (format!("/box-users/{}/ws?access_token={good}", ANN.replace('-', "")), String::new(), malformed()),
        (format!("{other}?access_token={good}"), "Origin: https://evil.example\r\n".to_owned(), foreign()),
    ] {
        for upgrade in [UPGRADE, ""] {
            let answer = request(app.address(), &path, &format!("{upgrade}{headers}")).await;
            assert_eq!((answer.status, answer.body), expected, "{path} {headers} {upgrade}");
            assert!(answer.head.contains("content-type: application/json; charset=utf-8"), "{}", answer.head);
        }
    }
    let good = format!("{path}?access_token={good}");
    let bad_key = UPGRADE.replace("dGhl", "");
    for (headers, status, body) in [
        ("", 400, "Bad Request\n"),
        (&*bad_key, 400, "Bad Request\n"),
        (&*format!("{UPGRADE}Origin: https://evil.example\r\n"), 403, "Forbidden\n"),
        (&*format!("{UPGRADE}Origin: null\r\n"), 403, "Forbidden\n"),
    ] {
        let answer = request(app.address(), &good, headers).await;
        assert_eq!((answer.status, &*answer.body), (status, body), "{headers}");
        assert!(answer.head.contains("sec-websocket-version: 13"), "{}", answer.head);
        assert!(answer.head.contains("content-type: text/plain"), "{}", answer.head);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_token_in_any_place_lets_in_and_nothing_is_negotiated() {
    let setting = Setting::embedded("allowed_origins = [\"https://app.example\"]");
    let app = server::start(&setting.configuration).await;
    let (path, good) = (format!("/box-users/{ANN}/ws"), token(&ANN.to_uppercase()));
    for (path, headers) in [
        (path.clone(), format!("Authorization: bearer {good}\r\n")),
        (format!("{}?access_token={good}", path.replace(ANN, &ANN.to_uppercase())), String::new()),
        (
            path.clone(),
            format!("Cookie: a=b; accesstoken=\"{good}\"; tokentype=bearer\r\nOrigin: https://tidings.example\r\n"),
        ),
        (path.clone(), format!("Authorization: Bearer {good}\r\nOrigin: https://app.example\r\n")),
    ] {
        let offered = "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a\r\n";
        let answer = ask(app.address(), &path, &format!("{headers}{offered}")).await;
        assert_eq!(answer.status, 101, "{path} {headers} {}", answer.body);
        for name in ["extensions", "sec-websocket-protocol", "set-cookie"] {
            assert!(!answer.head.contains(name), "{}", answer.head);
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn any_origin_may_be_allowed() {
    let app = server::start(&Setting::embedded("allowed_origins = [\"*\"]").configuration).await;
    let path = format!("/box-users/{ANN}/ws?access_token={}", token(ANN));
    assert_eq!(ask(app.address(), &path, "Origin: null\r\n").await.status, 101);
    app.stop().await;
}

#[tokio::test]
async fn a_signed_token_names_its_identity_by_the_first_claim_that_is_a_text() {
    let app = server::start(&Setting::embedded("").configuration).await;
    let path = format!("/box-users/{ANN}/ws");
    for (claims, status) in [
        (json!({"mid": ANN, "sub": BOB}), 101),
        (json!({"mid": "", "ext": {"mid": ANN}, "sub": BOB}), 101),
        (json!({"mid": 7, "sub": ANN}), 101),
        (json!({"mid": BOB, "sub": ANN}), 403),
        (json!({"ext": {}}), 401),
    ] {
        let token = token_of(&claims, 60);
        let answer = ask(app.address(), &format!("{path}?access_token={token}"), "").await;
        assert_eq!(answer.status, status, "{claims}");
    }
    app.stop().await;
}
