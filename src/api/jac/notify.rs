//! `POST /notify`: pushes of a backend. Every node has them, or none.

use super::JacApi;
use super::answer::Answer;
use super::asker::Asker;
use crate::auth;
use crate::dialect::jac::body;
use crate::viewer::Token;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn notify(State(api): State<Arc<JacApi>>, asker: Asker, body: Bytes) -> Result<Answer, Answer> {
    let token = asker.token()?.ok_or_else(Answer::unauthenticated)?;
    if !is_among(&api.service_tokens, token) {
        return Err(Answer::unauthorized());
    }
    let pushes = body::pushes(&body).map_err(|findings| Answer::malformed(&findings))?;
    api.exchange.switchboard.push_surely(&pushes).await.map_err(|error| {
        tracing::warn!(error = %error.chain(), "a push of a backend cannot be relayed");
        Answer::refused(StatusCode::SERVICE_UNAVAILABLE, "Relay unavailable")
    })?;
    Ok(Answer::done(&[]))
}

fn is_among(tokens: &[Token], shown: &Token) -> bool {
    tokens.iter().any(|token| auth::is_same(token.text().trim(), shown.text().trim()))
}
