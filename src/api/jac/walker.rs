//! `POST /walker/{name}`: an operation, called with a body for its context.

use super::JacApi;
use super::answer::Answer;
use super::asker::Asker;
use crate::dialect::jac::body;
use crate::jac::identity::Identity;
use crate::jac::operations::{Auth, Caller, Method, Refusal, Uncalled};
use crate::jac::walker::Failure;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) async fn run(
    State(api): State<Arc<JacApi>>,
    Path(path): Path<HashMap<String, String>>,
    asker: Asker,
    body: Bytes,
) -> Result<Answer, Answer> {
    let called = Called { api: &api, name: path.get("name").map_or("", String::as_str), node: path.get("node") };
    called.run(&asker, &body).await
}

/// An operation that is called.
struct Called<'a> {
    api: &'a JacApi,
    name: &'a str,
    node: Option<&'a String>,
}

impl Called<'_> {
    async fn run(&self, asker: &Asker, body: &[u8]) -> Result<Answer, Answer> {
        let exchange = &self.api.exchange;
        let operation = exchange.operations.find(self.name, Method::Post).ok_or_else(Answer::not_found)?;
        let identity = self.identity(asker, operation.auth).await?;
        let context = body::context(body).map_err(|finding| Answer::malformed(&[*finding]))?;
        let caller = Caller { root: &identity.root, claims: &identity.claims, socket: None };
        let node = self.node.map(String::as_str);
        let call = operation.call(&caller, &context, Some("body"), node).map_err(|why| self.uncalled(why))?;
        let (operation, switchboard) = (operation.clone(), exchange.switchboard.clone());
        // It goes on if the client goes.
        let running = tokio::spawn(async move { operation.run(&call, &switchboard).await });
        let reports = running.await.unwrap_or(Err(Failure::Failed)).map_err(|failure| self.failed(&failure))?;
        Ok(Answer::done(&reports))
    }

    async fn identity(&self, asker: &Asker, auth: Auth) -> Result<Identity, Answer> {
        let passport = &self.api.exchange.passport;
        let nobody = passport.public(asker.peer).await.map_err(|_| Answer::unauthorized())?;
        match asker.token()? {
            Some(token) => passport.judge(token, &nobody.lease).await.map_err(|_| Answer::unauthorized()),
            None if auth == Auth::Required => Err(Answer::unauthenticated()),
            None => Ok(nobody),
        }
    }

    fn uncalled(&self, why: Uncalled) -> Answer {
        let refusal = match why {
            Uncalled::Context(findings) => return Answer::malformed(&findings),
            Uncalled::Refused(refusal) => refusal,
        };
        let status = match refusal {
            Refusal::NoReference(_) => StatusCode::BAD_REQUEST,
            Refusal::NeedsLogin | Refusal::NeedsNoLogin | Refusal::NoAccess(_) => StatusCode::FORBIDDEN,
        };
        Answer::refused(status, &refusal.sentence(self.name))
    }

    fn failed(&self, failure: &Failure) -> Answer {
        let status = match failure {
            Failure::Author(_) => StatusCode::BAD_REQUEST,
            Failure::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        };
        Answer::refused(status, &failure.sentence(self.name))
    }
}
