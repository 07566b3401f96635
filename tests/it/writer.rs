//! Changes, made over HTTP as anybody would make them.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A client of the HTTP interface.
pub struct Writer {
    http: Client,
    address: SocketAddr,
}

impl Writer {
    /// Writes to this server.
    pub fn to(address: SocketAddr) -> Writer {
        Writer { http: Client::new(), address }
    }

    /// Puts a whole record.
    pub async fn put(&self, resource: &str, id: &str, record: Value) {
        self.must(Method::PUT, &format!("/api/{resource}/{id}"), &record).await;
    }

    /// Adds a line to a log.
    pub async fn append(&self, resource: &str, id: &str, line: Value) {
        self.must(Method::POST, &format!("/api/{resource}?id={id}"), &line).await;
    }

    /// Removes a record.
    pub async fn remove(&self, resource: &str, id: &str) {
        self.must(Method::DELETE, &format!("/api/{resource}/{id}"), &json!(null)).await;
    }

    /// Sends a request with these headers and this body, none for null; the path begins with a slash.
    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask_text(method, path, headers, body).await
    }

    /// The same with any text as body.
    pub async fn ask_text(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Response {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).send().await.expect("an answer")
    }

    async fn must(&self, method: Method, path: &str, body: &Value) {
        let answer = self.ask(method.clone(), path, &[], body).await;
        let status = answer.status();
        assert!(status.is_success(), "{method} {path}: {status} {}", answer.text().await.unwrap_or_default());
    }
}
