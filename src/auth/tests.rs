//! What is believed of signed tokens, and everything that is not.

use crate::auth::{
    Algorithm, Claims, Denied, JwtSettings, KeySource, Mint, Place, Published, Rules, Secret, Settings, Verifier,
    Verify,
};
use crate::error::Kind;
use crate::event::Timestamp;
use crate::viewer::Viewer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;
use tempfile::NamedTempFile;

const EC_PUBLIC: &str = include_str!("../../tests/keys/ec.public.pem");
const EC_PRIVATE: &str = include_str!("../../tests/keys/ec.private.pem");
const RSA_PUBLIC: &str = include_str!("../../tests/keys/rsa.public.pem");
const RSA_PRIVATE: &str = include_str!("../../tests/keys/rsa.private.pem");
const ED_PUBLIC: &str = include_str!("../../tests/keys/ed.public.pem");
const ED_PRIVATE: &str = include_str!("../../tests/keys/ed.private.pem");

fn settings(algorithm: &str, secret: &str) -> Settings {
    Settings::new(algorithm.parse().unwrap(), Secret::new(secret))
}

/// HS256 with the right secret, and these rules.
fn with_rules(rules: Rules) -> Settings {
    let keys = KeySource::Own(vec![Secret::new("secret")]);
    let jwt = JwtSettings { algorithms: vec![Algorithm::default()], keys, rules };
    Settings { jwt: Some(jwt), ..Settings::nothing() }
}

async fn judge(settings: &Settings, token: &str) -> Result<Viewer, Denied> {
    Verifier::new(settings).unwrap().verify(token).await
}

/// What is said where the secret is the right one.
async fn usual(token: &str) -> Result<Viewer, Denied> {
    judge(&settings("HS256", "secret"), token).await
}

fn now() -> i64 {
    Timestamp::now().0 / 1000
}

fn claims(subject: &str) -> Claims {
    Claims {
        subject: subject.to_owned(),
        roles: vec!["admin".to_owned()],
        workspaces: vec!["w1".to_owned(), "w2".to_owned()],
        groups: vec!["ops".to_owned()],
        lifetime: Duration::from_secs(60),
    }
}

fn minted(settings: &Settings) -> String {
    Mint::new(settings).unwrap().sign(&claims("ann"), now()).unwrap()
}

/// A token of any content, signed with the right secret.
fn signed(body: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), body, &EncodingKey::from_secret(b"secret")).unwrap()
}

#[tokio::test]
async fn a_token_of_ours_names_its_viewer() {
    let viewer = usual(&minted(&settings("HS256", "secret"))).await.unwrap();
    assert_eq!(viewer.subject.as_deref(), Some("ann"));
    assert_eq!(viewer.roles, ["admin".into()]);
    assert_eq!(viewer.workspaces, ["w1".into(), "w2".into()]);
    assert_eq!(viewer.groups, ["ops".into()]);
    let ends = viewer.expires.unwrap() - now();
    assert!((85..=90).contains(&ends), "a lifetime of 60 and a leeway of 30, not {ends}");
    assert_eq!(viewer.claims["sub"], "ann");
}

#[tokio::test]
async fn every_kind_of_key_verifies_what_its_private_half_signed() {
    for (algorithm, private, public) in [
        ("HS384", "secret", "secret"),
        ("HS512", "secret", "secret"),
        ("RS256", RSA_PRIVATE, RSA_PUBLIC),
        ("RS512", RSA_PRIVATE, RSA_PUBLIC),
        ("PS256", RSA_PRIVATE, RSA_PUBLIC),
        ("ES256", EC_PRIVATE, EC_PUBLIC),
        ("EdDSA", ED_PRIVATE, ED_PUBLIC),
    ] {
        let token = minted(&settings(algorithm, private));
        let public = settings(algorithm, public);
        assert!(judge(&public, &token).await.unwrap().is_authenticated(), "{algorithm}");
        let forged = format!("{}A{}", &token[..token.len() - 20], &token[token.len() - 19..]);
        assert!(forged == token || judge(&public, &forged).await == Err(Denied::Signature), "{algorithm}");
    }
}

#[tokio::test]
async fn only_the_configured_algorithm_is_accepted() {
    let body = json!({"sub": "ann", "exp": now() + 60});
    let unsigned = |header: Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&header), part(&body))
    };
    for algorithm in ["none", "None", "", "HS256 ", "XX", "ES512", "dir"] {
        let token = unsigned(json!({"alg": algorithm, "typ": "JWT"}));
        assert_eq!(usual(&token).await, Err(Denied::Algorithm), "{algorithm}");
    }
    assert_eq!(usual(&unsigned(json!({"alg": "HS256"}))).await, Err(Denied::Signature));
    assert_eq!(usual(&unsigned(json!({"alg": 7}))).await, Err(Denied::Malformed));
    assert_eq!(usual(&minted(&settings("HS512", "secret"))).await, Err(Denied::Algorithm));
    assert!("none".parse::<Algorithm>().is_err());
    let critical = unsigned(json!({"alg": "HS256", "crit": ["b64"], "b64": false}));
    assert_eq!(usual(&critical).await, Err(Denied::Malformed), "something that must be understood is not");
}

#[tokio::test]
async fn a_public_key_known_to_everybody_is_no_shared_secret() {
    let body = json!({"sub": "ann", "exp": now() + 60});
    let confused =
        |key: &str| jsonwebtoken::encode(&Header::default(), &body, &EncodingKey::from_secret(key.as_bytes()));
    for (algorithm, public) in [("RS256", RSA_PUBLIC), ("ES256", EC_PUBLIC)] {
        let denied = judge(&settings(algorithm, public), &confused(public).unwrap()).await;
        assert_eq!(denied, Err(Denied::Algorithm));
        assert!(Verifier::new(&settings("HS256", public)).is_err(), "not even where it is configured so");
    }
}

#[tokio::test]
async fn bad_claims_are_refused_by_name() {
    let later = now() + 600;
    for (body, denied) in [
        (json!({"sub": "ann", "exp": now() - 31}), Denied::Expired),
        (json!({"sub": "ann", "exp": later, "nbf": now() + 40}), Denied::NotYet),
        (json!({"sub": "ann", "exp": later, "iat": now() + 40}), Denied::NotYet),
        (json!({"sub": "ann", "exp": later, "nbf": "soon"}), Denied::Claim),
        (json!({"sub": "ann"}), Denied::Claim),
        (json!({"sub": "ann", "exp": "tomorrow"}), Denied::Claim),
        (json!({"sub": "ann", "exp": -1}), Denied::Claim),
        (json!({"sub": "ann", "exp": 1e300}), Denied::Claim),
        (json!({"exp": later}), Denied::Claim),
        (json!({"sub": "", "exp": later}), Denied::Claim),
        (json!({"sub": 7, "exp": later}), Denied::Claim),
        (json!([1]), Denied::Malformed),
    ] {
        assert_eq!(usual(&signed(&body)).await.unwrap_err(), denied, "{body}");
    }
    for body in [
        json!({"sub": "ann", "exp": now() - 20}),
        json!({"sub": "ann", "exp": later, "nbf": now() + 20, "iat": now() + 20}),
        json!({"sub": "ann", "exp": later, "aud": "somebody"}),
    ] {
        assert!(usual(&signed(&body)).await.is_ok(), "{body}");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_required_where_they_are_configured() {
    let rules = Rules { issuers: vec!["i".into(), "j".into()], audiences: vec!["a".into()], ..Rules::default() };
    let strict = with_rules(rules);
    assert!(judge(&strict, &minted(&strict)).await.is_ok());
    for (body, is_good) in [
        (json!({"iss": "j", "aud": ["x", "a"]}), true),
        (json!({"iss": "i"}), false),
        (json!({"aud": "a"}), false),
        (json!({"iss": "x", "aud": "a"}), false),
        (json!({"iss": "i", "aud": "x"}), false),
        (json!({"iss": "i", "aud": []}), false),
        (json!({"iss": {"i": 1}, "aud": "a"}), false),
    ] {
        let mut body = body;
        body["sub"] = "ann".into();
        body["exp"] = (now() + 60).into();
        let denied = judge(&strict, &signed(&body)).await.err();
        assert_eq!(denied, (!is_good).then_some(Denied::Claim), "{body}");
    }
}

#[tokio::test]
async fn the_earliest_of_the_configured_ends_counts() {
    let rules = Rules { expiry_claims: vec!["session.end".into(), "exp".into()], ..Rules::default() };
    let (soon, late) = (now() + 60, now() + 600);
    for (body, expires) in [
        (json!({"session": {"end": soon}, "exp": late}), Ok(Some(soon + 30))),
        (json!({"session": {"end": late}, "exp": soon}), Ok(Some(soon + 30))),
        (json!({"exp": late}), Ok(Some(late + 30))),
        (json!({"session": {"end": 1}, "exp": late}), Err(Denied::Expired)),
        (json!({}), Err(Denied::Claim)),
    ] {
        let mut body = body;
        body["sub"] = "ann".into();
        let viewer = judge(&with_rules(rules.clone()), &signed(&body)).await;
        assert_eq!(viewer.map(|viewer| viewer.expires), expires, "{body}");
    }
    // A claim of our own does not make good what has expired.
    let own = Rules { expiry_claims: vec!["session_end".into()], ..Rules::default() };
    let body = json!({"sub": "ann", "session_end": late, "exp": 1});
    assert_eq!(judge(&with_rules(own), &signed(&body)).await, Err(Denied::Expired));
    let lasting = Rules { require_expiry: false, ..Rules::default() };
    let viewer = judge(&with_rules(lasting), &signed(&json!({"sub": "ann"}))).await.unwrap();
    assert_eq!(viewer.expires, None);
}

#[tokio::test]
async fn what_is_no_token_is_malformed() {
    let good = minted(&settings("HS256", "secret"));
    let (start, signature) = good.rsplit_once('.').unwrap();
    for text in ["", ".", "..", "a.b", "a.b.c", "é.é.é", start, &format!("{good}.x"), &"a".repeat(100_000)] {
        assert_eq!(usual(text).await, Err(Denied::Malformed), "{text:.40}");
    }
    assert_eq!(usual(&format!("{start}.")).await, Err(Denied::Signature));
    assert_eq!(usual(&format!("{start}.!{}", &signature[1..])).await, Err(Denied::Malformed));
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    assert_eq!(usual(&format!("{start}.{other}{}", &signature[1..])).await, Err(Denied::Signature));
    let long = signed(&json!({"sub": "ann", "exp": now() + 60, "padding": "x".repeat(20_000)}));
    assert_eq!(usual(&long).await, Err(Denied::Malformed), "too long to be looked at");
}

#[tokio::test]
async fn words_are_found_in_lists_in_text_and_within_objects() {
    for (claim, body) in [
        ("roles", json!({"roles": ["a", "b", 7]})),
        ("scope", json!({"scope": "a  b"})),
        ("realm.roles", json!({"realm": {"roles": ["a", "b"]}})),
        ("https://x.example/roles", json!({"https://x.example/roles": ["a", "b"]})),
    ] {
        let mut body = body;
        body["sub"] = "ann".into();
        body["exp"] = (now() + 60).into();
        let here = with_rules(Rules {
            roles_claim: claim.to_owned(),
            groups_claim: claim.to_owned(),
            subject_claims: vec!["user.id".to_owned(), "sub".to_owned()],
            ..Rules::default()
        });
        let viewer = judge(&here, &signed(&body)).await.unwrap();
        assert_eq!((viewer.roles, viewer.groups), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
        assert_eq!(viewer.subject.as_deref(), Some("ann"));
        body["user"] = json!({"id": "u7"});
        assert_eq!(judge(&here, &signed(&body)).await.unwrap().subject.as_deref(), Some("u7"));
    }
    let nested = Rules {
        roles_claim: "realm.roles".to_owned(),
        subject_claims: vec!["user.id".to_owned()],
        expiry_claims: vec!["session.end".to_owned()],
        ..Rules::default()
    };
    let nested = with_rules(nested);
    let viewer = judge(&nested, &minted(&nested)).await.unwrap();
    assert_eq!((viewer.subject.as_deref(), viewer.roles), (Some("ann"), vec!["admin".into()]));
}

#[tokio::test]
async fn tokens_of_two_secrets_are_accepted_while_one_replaces_the_other() {
    let keys = KeySource::Own(vec![Secret::new("new"), Secret::new("old")]);
    let jwt = JwtSettings { algorithms: vec![Algorithm::default()], keys, rules: Rules::default() };
    let both = Settings { jwt: Some(jwt), ..Settings::nothing() };
    for (secret, is_good) in [("new", true), ("old", true), ("older", false)] {
        let judged = judge(&both, &minted(&settings("HS256", secret))).await;
        assert_eq!(judged.err(), (!is_good).then_some(Denied::Signature), "{secret}");
    }
    assert!(judge(&settings("HS256", "new"), &minted(&both)).await.is_ok(), "the new one signs");
}

#[tokio::test]
async fn a_secret_that_is_no_key_is_said_at_the_start_and_never_shown() {
    for (algorithm, secret) in [("RS256", "secret"), ("ES256", RSA_PUBLIC), ("EdDSA", ""), ("RS256", EC_PUBLIC)] {
        assert!(Verifier::new(&settings(algorithm, secret)).is_err(), "{algorithm}");
    }
    for (algorithm, public) in [("RS256", RSA_PUBLIC), ("ES256", EC_PUBLIC), ("EdDSA", ED_PUBLIC)] {
        let signed = Mint::new(&settings(algorithm, public)).and_then(|mint| mint.sign(&claims("ann"), now()));
        assert_eq!(signed.unwrap_err().kind(), Kind::Configuration, "{algorithm}: a public key cannot sign");
    }
    assert!(!format!("{:?}", settings("HS256", "s3cret")).contains("s3cret"));
    let file = NamedTempFile::new().unwrap();
    let in_file = Settings::new(Algorithm::default(), Secret::File(file.path().to_owned()));
    assert!(Verifier::new(&in_file).is_err_and(|error| error.to_string().contains("is empty")));
    std::fs::write(file.path(), "secret\n").unwrap();
    assert!(judge(&in_file, &minted(&settings("HS256", "secret"))).await.is_ok());
}

/// A key as an issuer publishes it.
fn published(private: EncodingKey, algorithm: &str, fields: Value) -> Value {
    let key = Jwk::from_encoding_key(&private, algorithm.parse().unwrap()).unwrap();
    let mut key = serde_json::to_value(key).unwrap();
    key.as_object_mut().unwrap().remove("alg");
    key.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    key
}

fn rsa(fields: Value) -> Value {
    published(EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap(), "RS256", fields)
}

fn ec(fields: Value) -> Value {
    published(EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap(), "ES256", fields)
}

fn token(algorithm: &str, private: &EncodingKey, id: Option<&str>) -> String {
    let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm.parse().unwrap()) };
    jsonwebtoken::encode(&header, &json!({"sub": "ann", "exp": now() + 60}), private).unwrap()
}

#[tokio::test]
async fn a_published_key_is_chosen_by_its_name_or_is_the_only_one_that_fits() {
    let rsa_token = |algorithm, id| token(algorithm, &EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap(), id);
    let ec_token = |id| token("ES256", &EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap(), id);
    let shared = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("secret"), "kid": "s"});
    let unknown = json!({"kty": "new", "kid": "n"});
    let both = json!([unknown, shared, rsa(json!({"kid": "r"})), ec(json!({"kid": "e", "use": "sig"}))]);
    let twice = json!([rsa(json!({"kid": "r"})), rsa(json!({"kid": "q"}))]);
    for (keys, token, denied) in [
        (&both, rsa_token("RS256", Some("r")), None),
        (&both, rsa_token("PS256", Some("r")), None),
        (&both, rsa_token("RS256", None), None),
        (&both, ec_token(Some("e")), None),
        (&both, ec_token(None), None),
        (&both, ec_token(Some("r")), Some(Denied::Key)),
        (&both, ec_token(Some("x")), Some(Denied::Key)),
        (&both, rsa_token("RS384", Some("r")), Some(Denied::Algorithm)),
        (&both, token("HS256", &EncodingKey::from_secret(b"secret"), Some("s")), Some(Denied::Algorithm)),
        (&twice, rsa_token("RS256", Some("q")), None),
        (&twice, rsa_token("RS256", None), Some(Denied::Key)),
        (&json!([rsa(json!({}))]), rsa_token("RS256", Some("r")), None),
        (&json!([rsa(json!({"kid": "r", "use": "enc"}))]), rsa_token("RS256", Some("r")), Some(Denied::Key)),
        (&json!([rsa(json!({"kid": "r", "alg": "PS256"}))]), rsa_token("RS256", Some("r")), Some(Denied::Key)),
        (&json!([rsa(json!({"kid": "r", "key_ops": ["encrypt"]}))]), rsa_token("RS256", None), Some(Denied::Key)),
        (&json!([]), rsa_token("RS256", None), Some(Denied::Key)),
    ] {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        let place = Place::File(file.path().to_owned());
        let algorithms = ["RS256", "PS256", "ES256"].map(|name| name.parse().unwrap()).to_vec();
        let keys_from = KeySource::Published(Published::at(place));
        let jwt = JwtSettings { algorithms, keys: keys_from, rules: Rules::default() };
        let judged = judge(&Settings { jwt: Some(jwt), ..Settings::nothing() }, &token).await;
        assert_eq!(judged.err(), denied, "{keys} {token}");
    }
}
