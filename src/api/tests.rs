//! The API from outside: requests to the router, above a store in memory.

use crate::access::{Access, Read};
use crate::api::resources::router;
use crate::api::{ApiState, cors};
use crate::auth::{
    Algorithm, Carrier, Claims, Gate, Mint, Mode, OnExpiry, Secret, Settings, Throttle, ThrottleSettings, Verifier,
};
use crate::catalog::{Catalog, Served};
use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Stamp, Timestamp};
use crate::query::{Query, Row};
use crate::resource::Resource;
use crate::store::select::select;
use crate::store::{self, Condition, Snapshot, Store, Write, Written};
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;

/// Records by key. `broken` fails with it instead.
#[derive(Default)]
struct Memory {
    records: Mutex<BTreeMap<String, Document>>,
    broken: Option<Kind>,
}

#[async_trait]
impl Store for Memory {
    async fn query(&self, _: &Resource, query: &Query) -> Result<Snapshot> {
        if let Some(kind) = self.broken {
            return Err(Error::because(kind, "a sentence", "password=secret"));
        }
        let records = self.records.lock().unwrap();
        let rows = records.iter().map(|(id, document)| Row::new(id.as_str(), document.clone()));
        let rows = select(rows, query)?;
        Ok(Snapshot { rows, mark: Mark::Offset(0) })
    }

    async fn mark(&self) -> Result<Mark> {
        Ok(Mark::Offset(0))
    }

    async fn write(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written> {
        let mut records = self.records.lock().unwrap();
        let before = records.get(id).cloned();
        let holds = match condition {
            Condition::None => true,
            Condition::Exists => before.is_some(),
            Condition::Absent => before.is_none(),
            Condition::Tag(tags) => before.as_ref().is_some_and(|before| tags.contains(&store::tag(before))),
        };
        if !holds {
            return Err(Error::new(Kind::Conflict, "the condition does not hold"));
        }
        let missing = || Error::new(Kind::Missing, "there is no such record");
        let malformed = || Error::new(Kind::Malformed, "the patch does not apply");
        let after = match write {
            Write::Put(value) | Write::Append(value) => Some(value),
            Write::JsonPatch(patch) => {
                let mut value = before.clone().ok_or_else(missing)?.into_value();
                let patch: json_patch::Patch = serde_json::from_value(patch).map_err(|_| malformed())?;
                json_patch::patch(&mut value, &patch).map_err(|_| malformed())?;
                Some(value)
            }
            Write::MergePatch(patch) => {
                let mut value = before.clone().ok_or_else(missing)?.into_value();
                json_patch::merge(&mut value, &patch);
                Some(value)
            }
            Write::Delete => {
                before.clone().ok_or_else(missing)?;
                None
            }
        };
        let after = after.map(|value| resource.present(id, value));
        match &after {
            Some(document) => _ = records.insert(id.to_owned(), document.clone()),
            None => _ = records.remove(id),
        }
        Ok(Written { before, after, stamp: Stamp::Offset(1) })
    }
}

fn resource(name: &str) -> Resource {
    Resource::named(name)
}

fn serve(resource: Resource, access: Access, store: Memory) -> Served {
    Served { resource, access, store: Arc::new(store), health: Arc::default(), sharing: None, interests: None }
}

/// Resources of every kind.
fn api() -> Router {
    let served = |resource| serve(resource, Access::of(Read::Anyone), Memory::default());
    let broken = |resource, kind| {
        let store = Memory { broken: Some(kind), ..Memory::default() };
        serve(resource, Access::of(Read::Anyone), store)
    };
    let catalog = Catalog::new(
        [
            served(resource("nodes")),
            served(Resource { key: vec!["instanceId".into()], ..resource("workflows") }),
            served(Resource { key: vec!["node".into(), "slot".into()], ..resource("slots") }),
            served(Resource { append_only: true, ..resource("logs") }),
            served(Resource { writable: false, ..resource("skus") }),
            served(Resource { private: true, ..resource("permissions") }),
            serve(resource("secrets"), Access::of(Read::Roles(vec!["operator".into()])), Memory::default()),
            broken(resource("away"), Kind::Unreachable),
            broken(resource("torn"), Kind::Internal),
        ],
        [("graphObjs".into(), "workflows".into())],
    );
    let gate = Gate {
        mode: Mode::Optional,
        carriers: Carrier::usual(),
        origins: Vec::new(),
        on_expiry: OnExpiry::Close,
        verifier: Some(Arc::new(Verifier::new(&secret()).unwrap())),
        throttle: Arc::new(Throttle::new(ThrottleSettings::default())),
        metrics: Arc::default(),
    };
    router(ApiState {
        catalog: Arc::new(catalog),
        gate: Arc::new(gate),
        follow: Arc::new(|_, _| Err(ErrorKind::Unsupported.into())),
        max_items: 3,
    })
    .layer(axum::middleware::from_fn(cors::open))
}

fn secret() -> Settings {
    Settings::new(Algorithm::default(), Secret::new("secret"))
}

/// What the operator puts into `Authorization`.
fn good() -> String {
    let lifetime = Duration::from_secs(60);
    let claims = Claims { subject: "ann".into(), roles: vec!["operator".into()], lifetime, ..Claims::default() };
    format!("Bearer {}", Mint::new(&secret()).unwrap().sign(&claims, Timestamp::now().0 / 1000).unwrap())
}

/// `GET /api/nodes`, with header lines and a body after it.
async fn ask(api: &Router, line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let (method, uri) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()
}

async fn status(api: &Router, line: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    let response = ask(api, line, headers, body.to_owned()).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let problem = value(response).await;
        assert_eq!(problem["status"], status.as_u16(), "{line} {body}");
        assert!(problem["error"].as_str().unwrap().starts_with("E_"));
        assert!(problem["message"].as_str().unwrap().ends_with('.'), "{problem}");
    }
    status.as_u16()
}

async fn value(response: Response<Body>) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

async fn get(api: &Router, uri: &str) -> Value {
    let response = ask(api, &format!("GET {uri}"), &[], "").await;
    assert_eq!(response.status(), StatusCode::OK, "{uri}");
    value(response).await
}

fn text<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

const MERGE: (&str, &str) = ("content-type", "application/merge-patch+json; charset=utf-8");
const PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

#[tokio::test]
async fn a_record_is_made_read_changed_and_removed() {
    let api = api();
    let made = ask(&api, "PUT /api/nodes/n1", &[], r#"{"name":"one"}"#).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let tag = text(&made, "etag").to_owned();
    assert_eq!(value(made).await, json!({"id": "n1", "name": "one"}));
    let read = ask(&api, "GET /api/nodes/n1", &[], "").await;
    assert_eq!((text(&read, "etag"), text(&read, "content-type")), (tag.as_str(), "application/json"));
    assert_eq!(value(read).await, json!({"id": "n1", "name": "one"}));
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[], r#"{"id":"n1","name":"two"}"#).await, 200);
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[MERGE], r#"{"rank":1}"#).await, 200);
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[PATCH], r#"[{"op":"remove","path":"/name"}]"#).await, 200);
    assert_eq!(get(&api, "/api/nodes/n1").await, json!({"id": "n1", "rank": 1}));
    assert_eq!(status(&api, "DELETE /api/nodes/n1", &[], "").await, 204);
    for line in ["GET /api/nodes/n1", "DELETE /api/nodes/n1"] {
        assert_eq!(status(&api, line, &[], "").await, 404, "{line}");
    }
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[MERGE], "{}").await, 404);
}

#[tokio::test]
async fn a_tag_saves_a_second_reading_and_guards_a_write() {
    let api = api();
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[("if-match", "*")], "{}").await, 412);
    let made = ask(&api, "PUT /api/nodes/n1", &[("if-none-match", "*")], "{}").await;
    let tag = text(&made, "etag").to_owned();
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[("if-none-match", "*")], "{}").await, 412);
    assert_eq!(status(&api, "GET /api/nodes/n1", &[("if-none-match", &tag)], "").await, 304);
    assert_eq!(status(&api, "GET /api/nodes/n1", &[("if-none-match", "\"other\"")], "").await, 200);
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[MERGE, ("if-match", &tag)], r#"{"a":1}"#).await, 200);
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[MERGE, ("if-match", &tag)], r#"{"a":2}"#).await, 412);
    assert_eq!(status(&api, "DELETE /api/nodes/n1", &[("if-match", &tag)], "").await, 412);
    assert_eq!(status(&api, "DELETE /api/nodes/n1", &[("if-match", "tag")], "").await, 400);
}

#[tokio::test]
async fn a_new_record_gets_the_key_it_has_or_a_new_one() {
    let api = api();
    let made = ask(&api, "POST /api/workflows", &[], r#"{"name":"Discovery"}"#).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let place = text(&made, "location").to_owned();
    let key = place.strip_prefix("/api/workflows/").unwrap();
    assert_eq!(key.len(), 36);
    assert_eq!(get(&api, &place).await["instanceId"], key);
    assert_eq!(status(&api, "POST /api/workflows?id=g1", &[], "{}").await, 201);
    assert_eq!(status(&api, "POST /api/workflows", &[], r#"{"instanceId":"g1"}"#).await, 409);
    let made = ask(&api, "POST /api/slots", &[], r#"{"node":"a/b","slot":7}"#).await;
    assert_eq!(text(&made, "location"), "/api/slots/a%2Fb%2C7");
    assert_eq!(get(&api, "/api/slots/a%2Fb%2C7").await["slot"], 7);
    assert_eq!(status(&api, "POST /api/slots", &[], r#"{"node":"a"}"#).await, 422);
    assert_eq!(status(&api, "PUT /api/slots/a", &[], "{}").await, 422);
}

#[tokio::test]
async fn a_record_is_found_by_its_key_and_not_by_an_id_of_its_own() {
    let api = api();
    status(&api, "PUT /api/workflows/g1", &[], r#"{"id":"g2","instanceId":"g1"}"#).await;
    assert_eq!(status(&api, "GET /api/workflows/g2", &[], "").await, 404);
    status(&api, "PUT /api/workflows/g2", &[], r#"{"id":"x"}"#).await;
    assert_eq!(get(&api, "/api/workflows/g2").await, json!({"id": "x", "instanceId": "g2"}));
}

#[tokio::test]
async fn a_line_is_accepted_whatever_json_it_is_and_never_changed() {
    let api = api();
    let made = ask(&api, "POST /api/logs?id=l1", &[], "[1,2]").await;
    assert_eq!(made.status(), StatusCode::ACCEPTED);
    assert_eq!(value(made).await, json!({"id": "l1"}));
    assert_eq!(value(ask(&api, "POST /api/logs", &[], r#"{"id":"l2"}"#).await).await, json!({"id": "l2"}));
    assert_eq!(value(ask(&api, "POST /api/logs", &[], "5").await).await, json!({}));
    assert_eq!(get(&api, "/api/logs/l1").await, json!({"id": "l1", "message": [1, 2]}));
    let refused = ask(&api, "PUT /api/logs/l1", &[], "{}").await;
    assert_eq!((refused.status().as_u16(), text(&refused, "allow")), (405, "GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn a_list_is_filtered_paged_and_narrowed_but_never_cut() {
    let api = api();
    for n in 1..=4 {
        let body = json!({"type": if n == 2 { "switch" } else { "compute" }, "net": {"mac": n}}).to_string();
        status(&api, &format!("PUT /api/nodes/n{n}"), &[], &body).await;
    }
    assert_eq!(status(&api, "GET /api/nodes", &[], "").await, 422);
    let found = get(&api, "/api/nodes?filter=%7B%22type%22%3A%22switch%22%7D&fields=net.mac").await;
    assert_eq!(found, json!([{"id": "n2", "net": {"mac": 2}}]));
    let ids = get(&api, "/api/nodes?skip=1&limit=2&fields=id").await;
    assert_eq!(ids, json!([{"id": "n2"}, {"id": "n3"}]));
    assert_eq!(get(&api, "/api/nodes?limit=0").await, json!([]));
    assert_eq!(status(&api, "GET /api/nodes?filter=%7B", &[], "").await, 400);
}

#[tokio::test]
async fn what_may_not_be_read_does_not_exist() {
    let api = api();
    for (line, body) in [("GET /api/secrets", ""), ("PUT /api/secrets/s", "{}"), ("POST /api/secrets", "{}")] {
        assert_eq!(status(&api, line, &[], body).await, 404, "{line}");
    }
    assert_eq!(status(&api, "GET /api/secrets", &[("authorization", &good())], "").await, 200);
    assert_eq!(status(&api, "GET /api/permissions", &[], "").await, 200);
    let denied = ask(&api, "GET /api/nodes", &[("authorization", "Bearer bad")], "").await;
    assert_eq!((denied.status().as_u16(), text(&denied, "www-authenticate")), (401, "Bearer error=\"invalid_token\""));
    let names = |listed: Value| -> Vec<Value> {
        listed.as_array().unwrap().iter().map(|resource| resource["name"].clone()).collect()
    };
    assert!(!names(get(&api, "/api").await).contains(&json!("secrets")));
    let listed = value(ask(&api, "GET /api", &[("authorization", &good())], "").await).await;
    assert!(names(listed).contains(&json!("secrets")));
}

#[tokio::test]
async fn the_overview_says_where_everything_is() {
    let listed = get(&api(), "/api").await;
    let of = |name: &str| listed.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
    assert_eq!(
        of("workflows"),
        json!({"name": "workflows", "key": ["instanceId"], "writable": true, "append_only": false, "delivery": "exactly once",
               "source": "starting",
               "links": {"self": "/api/workflows", "events": "/api/workflows/events",
                         "channels": ["/workflows", "/graphObjs"]}})
    );
    assert_eq!(of("permissions")["links"]["channels"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_done_says_what_can() {
    let api = api();
    for (line, allow) in [
        ("PUT /api/skus/s1", "GET, HEAD, OPTIONS"),
        ("POST /api/skus", "GET, HEAD, OPTIONS"),
        ("DELETE /api/nodes", "GET, HEAD, POST, OPTIONS"),
        ("POST /api/nodes/n1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("POST /api", "GET, HEAD, OPTIONS"),
    ] {
        let refused = ask(&api, line, &[], "{}").await;
        assert_eq!((refused.status().as_u16(), text(&refused, "allow")), (405, allow), "{line}");
    }
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[("content-type", "application/json")], "{}").await, 415);
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[], "not JSON").await, 415);
    assert_eq!(status(&api, "PUT /api/skus/s1", &[], "not JSON").await, 405);
    assert_eq!(status(&api, "PUT /api/nowhere/n1", &[], "{}").await, 404);
}

#[tokio::test]
async fn a_bad_body_is_refused_with_its_reason() {
    let api = api();
    status(&api, "PUT /api/nodes/n1", &[], "{}").await;
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[], "{").await, 400);
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[], "").await, 400);
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[], "[]").await, 422);
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[], r#"{"id":"n2"}"#).await, 422);
    assert_eq!(status(&api, "PATCH /api/nodes/n1", &[PATCH], r#"[{"op":"test","path":"/a","value":1}]"#).await, 422);
    assert_eq!(status(&api, "POST /api/nodes", &[], "5").await, 422);
    let deep = "[".repeat(100_000);
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[], &deep).await, 400);
    let big = vec![b' '; 16 * 1024 * 1024 + 1];
    assert_eq!(ask(&api, "PUT /api/nodes/n1", &[], big).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_store_that_fails_keeps_its_secrets() {
    let api = api();
    for (uri, status) in [("/api/away", 503), ("/api/torn", 500)] {
        let failed = ask(&api, &format!("GET {uri}"), &[], "").await;
        assert_eq!(failed.status(), status);
        assert!(!value(failed).await.to_string().contains("secret"), "{uri}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_read_but_write_only_with_a_token() {
    let api = api();
    let origin = ("origin", "https://elsewhere.example");
    let preflight = ask(&api, "OPTIONS /api/nodes/n1", &[origin], "").await;
    assert_eq!((preflight.status().as_u16(), text(&preflight, "access-control-allow-origin")), (204, "*"));
    let listed = ask(&api, "GET /api/nodes", &[origin], "").await;
    assert_eq!((listed.status().as_u16(), text(&listed, "access-control-allow-origin")), (200, "*"));
    assert_eq!(status(&api, "POST /api/logs", &[origin], "5").await, 403);
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[origin], "{}").await, 403);
    assert_eq!(status(&api, "PUT /api/nodes/n1", &[origin, ("authorization", &good())], "{}").await, 201);
}
