//! Tokens that are not accepted, whatever is wrong with them, and where they are looked for.

use super::issuer::{Issuer, Key, now, usual};
use super::{read, serve, socket, statuses};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

const RSA_PUBLIC: &str = include_str!("../../keys/rsa.public.pem");

const KEY: Key = Key::Rsa("k1");

#[tokio::test]
async fn a_bad_token_is_refused_before_the_upgrade() {
    let issuer = Issuer::start().await;
    issuer.publish(&[KEY]);
    let url = issuer.url("/keys");
    let app = serve(&format!(
        "jwt = {{ algorithm = \"RS256\", jwks_url = \"{url}\", issuer = \"issuer\", audience = \"tidings\", leeway = \"0s\" }}"
    ))
    .await;
    let good = KEY.sign(&json!({}));
    let (signed, signature) = good.rsplit_once('.').expect("a signature");
    let (_, body) = signed.split_once('.').expect("a body");
    let unsigned = |header: Value| format!("{}.{body}.", URL_SAFE_NO_PAD.encode(header.to_string()));
    let shared = |key: &[u8]| {
        let header = Header { kid: Some("k1".to_owned()), ..Header::default() };
        jsonwebtoken::encode(&header, &usual(&json!({})), &EncodingKey::from_secret(key)).expect("a token")
    };
    let other = if signature.starts_with('A') { "B" } else { "A" };
    for (why, token) in [
        ("empty", String::new()),
        ("no token", "x".to_owned()),
        ("dots", "..".to_owned()),
        ("huge", "a".repeat(20_000)),
        ("huge and signed", KEY.sign(&json!({"padding": "x".repeat(20_000)}))),
        ("alg none", unsigned(json!({"alg": "none", "kid": "k1"}))),
        ("alg None", unsigned(json!({"alg": "None"}))),
        ("no signature", format!("{signed}.")),
        ("another signature", format!("{signed}.{other}{}", &signature[1..])),
        ("another alg", Key::Ec("k1").sign(&json!({}))),
        ("the public key as a secret", shared(RSA_PUBLIC.as_bytes())),
        ("the trimmed public key as a secret", shared(RSA_PUBLIC.trim().as_bytes())),
        ("an empty secret", shared(b"")),
        ("unknown kid", Key::Rsa("k2").sign(&json!({}))),
        ("expired", KEY.sign(&json!({"exp": now() - 1}))),
        ("no expiry", KEY.sign(&json!({"exp": null}))),
        ("not yet valid", KEY.sign(&json!({"nbf": now() + 60}))),
        ("from the future", KEY.sign(&json!({"iat": now() + 60}))),
        ("another issuer", KEY.sign(&json!({"iss": "other"}))),
        ("no issuer", KEY.sign(&json!({"iss": null}))),
        ("another audience", KEY.sign(&json!({"aud": ["other"]}))),
        ("no audience", KEY.sign(&json!({"aud": null}))),
        ("no subject", KEY.sign(&json!({"sub": null}))),
        ("an empty subject", KEY.sign(&json!({"sub": ""}))),
    ] {
        assert_eq!(statuses(&app, &token).await, (401, 401), "{why}");
        let answer = read(&app, "/api/nodes", &token).await;
        assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_token\"", "{why}");
    }
    assert_eq!(statuses(&app, &good).await, (101, 200));
    app.stop().await;
}

#[tokio::test]
async fn the_first_place_that_has_a_token_counts() {
    let settings = "tokens_from = [\"query:t\", \"header\", \"cookie:session\"]\n\
                    jwt = { algorithm = \"HS256\", secret = \"s\" }";
    let app = serve(settings).await;
    let secret = EncodingKey::from_secret(b"s");
    let good = jsonwebtoken::encode(&Header::default(), &usual(&json!({})), &secret).expect("a token");
    let (header, cookie) = (format!("bEaReR {good}"), format!("a=b; session={good}"));
    let status = async |query: &str, header: Option<(&'static str, &str)>| {
        socket(&app, &format!("/nodes{query}"), header).await.err().unwrap_or(101)
    };
    assert_eq!(status(&format!("?t={good}"), Some(("authorization", "Bearer x"))).await, 101);
    assert_eq!(status("?t=x", Some(("authorization", &header))).await, 401);
    assert_eq!(status("?t=", Some(("authorization", &header))).await, 401);
    assert_eq!(status("", Some(("authorization", &header))).await, 101);
    assert_eq!(status("", Some(("cookie", "session=x"))).await, 401);
    assert_eq!(status("?access_token=x", None).await, 101, "it is not looked for there, so this is nobody");
    let mut by_cookie = socket(&app, "/nodes", Some(("cookie", &cookie))).await.expect("an upgrade");
    by_cookie.say(r#"{"handler":"all"}"#).await;
    assert_eq!(by_cookie.json().await["items"], json!([]));

    // A page of another origin has the browser send the cookie too: it does not count.
    let put = |origin: &str| {
        let request = reqwest::Client::new().put(format!("http://{}/api/news/n1", app.address()));
        request.header("cookie", &cookie).header("origin", origin).body("{}").send()
    };
    assert_eq!(put("https://evil.example").await.expect("an answer").status(), 403);
    assert_eq!(put(&format!("http://{}", app.address())).await.expect("an answer").status(), 201);
    let parameter = reqwest::get(format!("http://{}/api/nodes?t={good}", app.address())).await.expect("an answer");
    assert_eq!(parameter.status(), 200);
    app.stop().await;
}
