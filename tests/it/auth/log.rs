//! Tokens are in no log line, whatever becomes of them.

use super::RESOURCES;
use super::issuer::{Issuer, Key, Mood};
use crate::program::Running;
use serde_json::json;
use std::io::Write;

#[tokio::test]
async fn no_token_and_no_secret_is_ever_logged() {
    let issuer = Issuer::start().await;
    let (known, unknown) = (Key::Rsa("k1"), Key::Ec("k2"));
    issuer.publish(&[known]);
    issuer.say("opaque-one", json!({"active": true, "sub": "ann"}));
    let (keys, tokens) = (issuer.url("/keys"), issuer.url("/introspect"));
    let text = RESOURCES.replace("listen = \"127.0.0.1:0\"", "")
        + &format!(
            "[auth]\nthrottle.failures = \"unlimited\"\ntokens_from = [\"header\", \"query\", \"cookie:session\"]\n\
             jwt = {{ algorithm = [\"RS256\", \"ES256\"], jwks_url = \"{keys}\" }}\n\
             introspection = {{ url = \"{tokens}\", client_id = \"tidings\", client_secret = \"very/secret\" }}\n"
        );
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("it is written");
    let path = file.path().display().to_string();
    let mut server = Running::serve(&["--config", &path, "-v"]).await;
    let bad = known.sign(&json!({})) + "x";
    let shown = [known.sign(&json!({})), unknown.sign(&json!({})), bad, "opaque-one".into(), "opaque-two".into()];
    let http = reqwest::Client::new();
    for mood in [Mood::Well, Mood::Broken, Mood::Babbling] {
        issuer.is(mood);
        for token in &shown {
            let _ = server.get(&format!("/api/nodes?access_token={token}")).await;
            let _ = server.get(&format!("/nowhere?access_token={token}")).await;
            for (name, value) in [("authorization", format!("Bearer {token}")), ("cookie", format!("session={token}"))]
            {
                let asked = http.get(server.http("/api/nodes")).header(name, value).send().await;
                asked.expect("an answer");
            }
            let mut socket = server.socket("/").await;
            socket.say(json!({"handler": "token", "params": {"token": token}}).to_string()).await;
            socket.settle().await;
        }
    }
    server.stop().await;
    let said = server.said();
    assert!(said.contains("a token cannot be introspected"), "{said}");
    for token in &shown {
        let middle = &token[token.len() / 3..];
        assert!(!said.contains(middle), "{token} is in\n{said}");
    }
    assert!(!said.contains("very/secret") && !said.contains("very%2Fsecret"), "{said}");
}
