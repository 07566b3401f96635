//! Operations of another program, asked by HTTP.
//!
//! ```text
//! → {"walker":"…","context":{…},"viewer":{…}}
//! ← {"reports":[…],"notify":[{"type":"self","data":{}},{"type":"channel","channel_ids":["room1"],"data":{}}]}
//! ```
//!
//! A call is never repeated: nobody knows what the first one did.

use crate::dialect::jac::decode::{Request, decode};
use crate::error::{Error, Kind as ErrorKind, Result as Outcome, deepest};
use crate::jac::walker::{Call, Done, Failure, Viewer, Walker};
use crate::relay::{Kind, Push};
use crate::viewer::Token;
use crate::wire::tls;
use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The largest answer, in bytes.
const LARGEST: usize = 16 << 20;

/// An operation behind a URL.
pub struct Http {
    client: Client,
    url: Url,
    token: Option<Token>,
}

#[derive(Serialize)]
struct Question<'a> {
    walker: &'a str,
    context: &'a RawValue,
    viewer: &'a Viewer,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    reports: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    notify: Option<Vec<&'a RawValue>>,
}

/// Of a push, whom it is for; to the caller it has no ids.
#[derive(Deserialize)]
struct Notify<'a> {
    r#type: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// What an author says why nothing was done.
#[derive(Deserialize)]
struct Complaint {
    error: String,
}

impl Http {
    /// Whatever answers at this URL; it is shown the token.
    ///
    /// # Errors
    /// `Configuration` when it is no URL.
    pub fn new(url: &str, token: Option<Token>) -> Outcome<Http> {
        let wrong = |error| Error::because(ErrorKind::Configuration, format!("{url:?} is no URL"), error);
        let url = Url::parse(url).map_err(wrong)?;
        tls::choose_provider();
        let client = Client::builder()
            .redirect(Policy::none())
            .referer(false)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::because(ErrorKind::Internal, "no HTTP client can be made", error))?;
        Ok(Http { client, url, token })
    }

    async fn ask(&self, call: &Call) -> Result<(u16, Vec<u8>), Failure> {
        let question = Question { walker: &call.name, context: &call.context, viewer: &call.viewer };
        let body = serde_json::to_vec(&question).map_err(|error| failed(call, &error))?;
        let mut request = self.client.post(self.url.clone()).timeout(call.timeout).body(body);
        request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.text());
        }
        let not_answered = |error: reqwest::Error| match error.is_timeout() {
            true => Failure::TimedOut,
            false => failed(call, deepest(&error.without_url())),
        };
        let mut answer: Response = request.send().await.map_err(not_answered)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(not_answered)? {
            if body.len() + piece.len() > LARGEST {
                return Err(failed(call, &"the answer is too large"));
            }
            body.extend_from_slice(&piece);
        }
        Ok((answer.status().as_u16(), body))
    }
}

#[async_trait]
impl Walker for Http {
    async fn run(&self, call: &Call) -> Result<Done, Failure> {
        let (status, body) = self.ask(call).await?;
        match status {
            200..300 => done(call, &body).ok_or_else(|| failed(call, &"the answer has another form")),
            400..500 => match serde_json::from_slice(&body) {
                Ok(Complaint { error }) => Err(Failure::Author(error)),
                Err(_) => Err(failed(call, &format!("the answer is {status}"))),
            },
            _ => Err(failed(call, &format!("the answer is {status}"))),
        }
    }
}

/// What an answer says; `None`: it has another form.
fn done(call: &Call, body: &[u8]) -> Option<Done> {
    let object = body.trim_ascii_start().starts_with(b"{");
    let answer: Answer<'_> = serde_json::from_slice(body).ok().filter(|_| object)?;
    let reports = answer.reports.unwrap_or_default().into_iter().map(ToOwned::to_owned).collect();
    let mut pushes = Vec::new();
    for notify in answer.notify.unwrap_or_default() {
        pushes.extend(push(call, notify.get())?);
    }
    Some(Done { reports, pushes })
}

/// One push, or none where the caller is meant and is no socket; `None`: it has another form.
fn push(call: &Call, text: &str) -> Option<Option<Push>> {
    let notify: Notify<'_> = serde_json::from_str(text).ok()?;
    if notify.r#type != "self" {
        return match decode(text, usize::MAX) {
            Ok(Request::Push(push)) => Some(Some(push)),
            _ => None,
        };
    }
    let is_object = notify.data.get().starts_with('{');
    let to = |id| Push { kind: Kind::Client, ids: vec![id], data: notify.data.get().into() };
    is_object.then(|| call.viewer.client_id.clone().map(to))
}

fn failed(call: &Call, why: &dyn std::fmt::Display) -> Failure {
    tracing::warn!(walker = &*call.name, why = %why, "an operation failed");
    Failure::Failed
}
