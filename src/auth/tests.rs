//! What is believed, and everything that is not.

use crate::auth::{Algorithm, Claims, Credential, Denied, Mint, Mode, Secret, Settings, Verifier};
use crate::error::Kind;
use crate::event::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::time::Duration;

const EC_PUBLIC: &str = include_str!("../../tests/keys/ec.public.pem");
const EC_PRIVATE: &str = include_str!("../../tests/keys/ec.private.pem");
const RSA_PUBLIC: &str = include_str!("../../tests/keys/rsa.public.pem");
const RSA_PRIVATE: &str = include_str!("../../tests/keys/rsa.private.pem");
const ED_PUBLIC: &str = include_str!("../../tests/keys/ed.public.pem");
const ED_PRIVATE: &str = include_str!("../../tests/keys/ed.private.pem");

fn settings(algorithm: &str, secret: &str) -> Settings {
    Settings::new(algorithm.parse().unwrap(), Secret::new(secret))
}

fn verifier() -> Verifier {
    Verifier::new(&settings("HS256", "secret")).unwrap()
}

fn now() -> i64 {
    Timestamp::now().0 / 1000
}

fn claims(subject: &str) -> Claims {
    Claims {
        subject: subject.to_owned(),
        roles: vec!["admin".to_owned()],
        workspaces: vec!["w1".to_owned(), "w2".to_owned()],
        lifetime: Duration::from_secs(60),
    }
}

/// A token of any content, signed with the right secret.
fn signed(body: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), body, &EncodingKey::from_secret(b"secret")).unwrap()
}

#[test]
fn a_token_of_ours_names_its_viewer() {
    let mint = Mint::new(&settings("HS256", "secret")).unwrap();
    let viewer = verifier().verify(&mint.sign(&claims("ann"), now()).unwrap()).unwrap();
    assert_eq!(viewer.subject.as_deref(), Some("ann"));
    assert_eq!(viewer.roles, ["admin".into()]);
    assert_eq!(viewer.workspaces, ["w1".into(), "w2".into()]);
    let ends = viewer.expires.unwrap() - now();
    assert!((85..=90).contains(&ends), "a lifetime of 60 and a leeway of 30, not {ends}");
    assert_eq!(viewer.claims["sub"], "ann");
}

#[test]
fn every_kind_of_key_verifies_what_its_private_half_signed() {
    for (algorithm, private, public) in [
        ("HS384", "secret", "secret"),
        ("HS512", "secret", "secret"),
        ("RS256", RSA_PRIVATE, RSA_PUBLIC),
        ("PS256", RSA_PRIVATE, RSA_PUBLIC),
        ("ES256", EC_PRIVATE, EC_PUBLIC),
        ("EdDSA", ED_PRIVATE, ED_PUBLIC),
    ] {
        let token = Mint::new(&settings(algorithm, private)).unwrap().sign(&claims("ann"), now()).unwrap();
        let verifier = Verifier::new(&settings(algorithm, public)).unwrap();
        assert!(verifier.verify(&token).unwrap().is_authenticated(), "{algorithm}");
        let forged = format!("{}A{}", &token[..token.len() - 20], &token[token.len() - 19..]);
        assert!(forged == token || verifier.verify(&forged) == Err(Denied::Signature), "{algorithm}");
    }
}

#[test]
fn only_the_configured_algorithm_is_accepted() {
    let body = json!({"sub": "ann", "exp": now() + 60});
    let unsigned = |header: Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&header), part(&body))
    };
    for algorithm in ["none", "None", "", "HS256 ", "XX"] {
        assert!(verifier().verify(&unsigned(json!({"alg": algorithm, "typ": "JWT"}))).is_err(), "{algorithm}");
    }
    assert_eq!(verifier().verify(&unsigned(json!({"alg": "HS256"}))), Err(Denied::Signature));
    let other = Mint::new(&settings("HS512", "secret")).unwrap().sign(&claims("ann"), now()).unwrap();
    assert_eq!(verifier().verify(&other), Err(Denied::Algorithm));
    // The public key, known to everybody, must not pass as a shared secret.
    let confused = Mint::new(&settings("HS256", EC_PUBLIC)).unwrap().sign(&claims("ann"), now()).unwrap();
    assert_eq!(Verifier::new(&settings("ES256", EC_PUBLIC)).unwrap().verify(&confused), Err(Denied::Algorithm));
    assert!("none".parse::<Algorithm>().is_err());
}

#[test]
fn bad_claims_are_refused_by_name() {
    let later = now() + 600;
    for (body, denied) in [
        (json!({"sub": "ann", "exp": now() - 31}), Denied::Expired),
        (json!({"sub": "ann", "exp": later, "nbf": now() + 40}), Denied::NotYet),
        (json!({"sub": "ann"}), Denied::Claim),
        (json!({"sub": "ann", "exp": "tomorrow"}), Denied::Claim),
        (json!({"sub": "ann", "exp": -1}), Denied::Claim),
        (json!({"sub": "ann", "exp": 1e300}), Denied::Claim),
        (json!({"exp": later}), Denied::Claim),
        (json!({"sub": "", "exp": later}), Denied::Claim),
        (json!({"sub": 7, "exp": later}), Denied::Claim),
        (json!([1]), Denied::Malformed),
    ] {
        assert_eq!(verifier().verify(&signed(&body)).unwrap_err(), denied, "{body}");
    }
    for body in [
        json!({"sub": "ann", "exp": now() - 20}),
        json!({"sub": "ann", "exp": later, "nbf": now() + 20}),
        json!({"sub": "ann", "exp": later, "aud": "somebody"}),
    ] {
        assert!(verifier().verify(&signed(&body)).is_ok(), "{body}");
    }
}

#[test]
fn issuer_and_audience_are_required_where_they_are_configured() {
    let strict = Settings { issuer: Some("i".into()), audience: Some("a".into()), ..settings("HS256", "secret") };
    let verifier = Verifier::new(&strict).unwrap();
    let token = Mint::new(&strict).unwrap().sign(&claims("ann"), now()).unwrap();
    assert!(verifier.verify(&token).is_ok());
    for body in
        [json!({"iss": "i"}), json!({"aud": "a"}), json!({"iss": "x", "aud": "a"}), json!({"iss": "i", "aud": "x"})]
    {
        let mut body = body;
        body["sub"] = "ann".into();
        body["exp"] = (now() + 60).into();
        assert_eq!(verifier.verify(&signed(&body)), Err(Denied::Claim), "{body}");
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let good = Mint::new(&settings("HS256", "secret")).unwrap().sign(&claims("ann"), now()).unwrap();
    let (start, signature) = good.rsplit_once('.').unwrap();
    for text in ["", ".", "..", "a.b", "a.b.c", "é.é.é", start, &format!("{good}.x"), &"a".repeat(100_000)] {
        assert_eq!(verifier().verify(text), Err(Denied::Malformed), "{text:.40}");
    }
    assert_eq!(verifier().verify(&format!("{start}.")), Err(Denied::Signature));
    assert_eq!(verifier().verify(&format!("{start}.!{}", &signature[1..])), Err(Denied::Malformed));
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    assert_eq!(verifier().verify(&format!("{start}.{other}{}", &signature[1..])), Err(Denied::Signature));
    let long = signed(&json!({"sub": "ann", "exp": now() + 60, "padding": "x".repeat(20_000)}));
    assert_eq!(verifier().verify(&long), Err(Denied::Malformed), "too long to be looked at");
}

#[test]
fn roles_are_found_in_lists_in_text_and_within_objects() {
    for (claim, body) in [
        ("roles", json!({"roles": ["a", "b", 7]})),
        ("scope", json!({"scope": "a  b"})),
        ("realm.roles", json!({"realm": {"roles": ["a", "b"]}})),
        ("https://x.example/roles", json!({"https://x.example/roles": ["a", "b"]})),
    ] {
        let mut body = body;
        body["sub"] = "ann".into();
        body["exp"] = (now() + 60).into();
        let here = Settings { roles_claim: claim.to_owned(), ..settings("HS256", "secret") };
        assert_eq!(Verifier::new(&here).unwrap().verify(&signed(&body)).unwrap().roles, ["a".into(), "b".into()]);
    }
    let nested = Settings { roles_claim: "realm.roles".to_owned(), ..settings("HS256", "secret") };
    let token = Mint::new(&nested).unwrap().sign(&claims("ann"), now()).unwrap();
    assert_eq!(Verifier::new(&nested).unwrap().verify(&token).unwrap().roles, ["admin".into()]);
}

#[test]
fn a_credential_is_in_the_header_or_else_in_the_query() {
    let token = |text: &str| Credential::Token(text.to_owned());
    for (header, query, found) in [
        (None, None, Credential::Absent),
        (None, Some("x=1&access_token_=2"), Credential::Absent),
        (Some("Bearer abc"), Some("access_token=q"), token("abc")),
        (Some("bearer  abc "), None, token("abc")),
        (None, Some("x=1&access_token=a%2Db"), token("a-b")),
        (Some("Basic abc"), Some("access_token=q"), Credential::Unusable),
        (Some("Bearer "), None, Credential::Unusable),
        (Some("Bearer"), None, Credential::Unusable),
        (Some(""), None, Credential::Unusable),
        (None, Some("access_token="), Credential::Unusable),
        (None, Some("access_token=%ff"), Credential::Unusable),
    ] {
        assert_eq!(Credential::of(header.map(str::as_bytes), query), found, "{header:?} {query:?}");
    }
    assert_eq!(Credential::of(Some(b"Bearer \xff"), None), Credential::Unusable);
}

#[test]
fn the_mode_decides_who_may_come_in() {
    let good = Credential::Token(signed(&json!({"sub": "ann", "exp": now() + 60})));
    let bad = Credential::Token("x".to_owned());
    let verifier = verifier();
    let admit = |mode: Mode, credential: &Credential| {
        mode.admit(credential, Some(&verifier)).map(|viewer| viewer.is_authenticated())
    };
    for (mode, absent, unusable, wrong, right) in [
        (Mode::None, Ok(false), Ok(false), Ok(false), Ok(false)),
        (Mode::Optional, Ok(false), Err(Denied::Malformed), Err(Denied::Malformed), Ok(true)),
        (Mode::Required, Err(Denied::Missing), Err(Denied::Malformed), Err(Denied::Malformed), Ok(true)),
    ] {
        assert_eq!(admit(mode, &Credential::Absent), absent, "{mode:?}");
        assert_eq!(admit(mode, &Credential::Unusable), unusable, "{mode:?}");
        assert_eq!(admit(mode, &bad), wrong, "{mode:?}");
        assert_eq!(admit(mode, &good), right, "{mode:?}");
    }
    assert_eq!(Mode::Optional.admit(&good, None), Err(Denied::Signature), "nothing to verify with");
}

#[test]
fn a_secret_that_is_no_key_is_said_at_the_start_and_never_shown() {
    for (algorithm, secret) in [("RS256", "secret"), ("ES256", RSA_PUBLIC), ("EdDSA", ""), ("RS256", EC_PUBLIC)] {
        assert!(Verifier::new(&settings(algorithm, secret)).is_err(), "{algorithm}");
    }
    for (algorithm, public) in [("RS256", RSA_PUBLIC), ("ES256", EC_PUBLIC), ("EdDSA", ED_PUBLIC)] {
        let signed = Mint::new(&settings(algorithm, public)).and_then(|mint| mint.sign(&claims("ann"), now()));
        assert_eq!(signed.unwrap_err().kind(), Kind::Configuration, "{algorithm}: a public key cannot sign");
    }
    assert!(!format!("{:?}", settings("HS256", "s3cret")).contains("s3cret"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let in_file = Settings { secret: Secret::File(file.path().to_owned()), ..settings("HS256", "") };
    assert!(Verifier::new(&in_file).is_err_and(|error| error.to_string().contains("is empty")));
    std::fs::write(file.path(), "secret\n").unwrap();
    let token = Mint::new(&settings("HS256", "secret")).unwrap().sign(&claims("ann"), now()).unwrap();
    assert!(Verifier::new(&in_file).unwrap().verify(&token).is_ok());
}
