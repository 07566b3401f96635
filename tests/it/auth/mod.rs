//! Credentials from outside: real sockets and requests, and an issuer that can be away.

mod bad;
pub mod issuer;
mod keys;
mod log;
mod opaque;
mod standing;
mod throttle;

use crate::server;
use crate::socket::Socket;
use reqwest::Response;
use tidings::app::App;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// What is served: to anybody, to whoever shows a token, and to planners.
const RESOURCES: &str = r#"
[server]
listen = "127.0.0.1:0"
[resources.news]
source = "embedded"
writable = true
read = "anyone"
[resources.nodes]
source = "embedded"
writable = true
read = "authenticated"
[resources.plans]
source = "embedded"
writable = true
read = ["planner"]
"#;

/// A server with this `[auth]`, and refusals that are not late.
async fn serve(auth: &str) -> App {
    server::start(&format!("{RESOURCES}[auth]\nthrottle.failures = \"unlimited\"\n{auth}")).await
}

/// A socket with this header; `Err` is the status of a refused upgrade.
async fn socket(app: &App, path: &str, header: Option<(&'static str, &str)>) -> Result<Socket, u16> {
    let mut request = format!("ws://{}{path}", app.address()).into_client_request().expect("a request");
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().expect("a header"));
    }
    Socket::ask(request).await
}

/// A socket of whoever shows this token.
async fn bearer(app: &App, path: &str, token: &str) -> Result<Socket, u16> {
    socket(app, path, Some(("authorization", &format!("Bearer {token}")))).await
}

/// A request of whoever shows this token.
async fn read(app: &App, path: &str, token: &str) -> Response {
    let request = reqwest::Client::new().get(format!("http://{}{path}", app.address()));
    request.bearer_auth(token).send().await.expect("an answer")
}

/// The statuses of both.
async fn statuses(app: &App, token: &str) -> (u16, u16) {
    let upgrade = bearer(app, "/nodes", token).await.err().unwrap_or(101);
    (upgrade, read(app, "/api/nodes", token).await.status().as_u16())
}
