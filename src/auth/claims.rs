//! What is asked of the claims of a token, and who the viewer is by them: the same for signed tokens and for
//! what an issuer says of an opaque one.

use crate::auth::Denied;
use crate::viewer::{Viewer, claim};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// 2^53 and more are no times.
const LATEST: f64 = 9_007_199_254_740_992.0;

/// What is asked of claims. Names of claims may be dotted, which walks into objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How long after its end a token still counts, as far as clocks may differ.
    pub leeway: Duration,
    /// How long before its beginning it counts already.
    pub early: Duration,
    /// One of these must be `iss`; empty: any.
    pub issuers: Vec<String>,
    /// One of these must be in `aud`; empty: any.
    pub audiences: Vec<String>,
    /// Whether one of `expiry_claims` must be there.
    pub require_expiry: bool,
    /// The claims that say when a connection ends: the earliest counts. `exp` must not be past either way.
    pub expiry_claims: Vec<String>,
    /// The first of these that is a text, and not an empty one, names the viewer. Without any, whoever asks finds that
    /// out by the claims.
    pub subject_claims: Vec<String>,
    /// The claims that hold these: a list, or a text with spaces.
    pub roles_claim: String,
    pub workspaces_claim: String,
    pub groups_claim: String,
}

impl Default for Rules {
    /// Half a minute of leeway; the claims `exp`, `sub`, `roles`, `workspaces` and `groups`.
    fn default() -> Rules {
        Rules {
            leeway: Duration::from_secs(30),
            early: Duration::from_secs(30),
            issuers: Vec::new(),
            audiences: Vec::new(),
            require_expiry: true,
            expiry_claims: vec!["exp".to_owned()],
            subject_claims: vec!["sub".to_owned()],
            roles_claim: "roles".to_owned(),
            workspaces_claim: "workspaces".to_owned(),
            groups_claim: "groups".to_owned(),
        }
    }
}

impl Rules {
    /// Who has these claims, at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Why they are not accepted.
    pub(super) fn viewer(&self, claims: Map<String, Value>, now: i64) -> Result<Viewer, Denied> {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let (leeway, early) = (seconds(self.leeway), seconds(self.early));
        let expires = self.expires(&claims)?;
        let own = time(&claims, "exp")?;
        if own.into_iter().chain(expires).any(|at| at < now.saturating_sub(leeway)) {
            return Err(Denied::Expired);
        }
        for name in ["nbf", "iat"] {
            if time(&claims, name)?.is_some_and(|at| at > now.saturating_add(early)) {
                return Err(Denied::NotYet);
            }
        }
        if !is_among(&self.issuers, claims.get("iss")) || !is_among(&self.audiences, claims.get("aud")) {
            return Err(Denied::Claim);
        }
        let named = |name: &String| claim(&claims, name)?.as_str().filter(|subject| !subject.is_empty());
        let subject = self.subject_claims.iter().find_map(named).map(Into::into);
        if subject.is_none() && !self.subject_claims.is_empty() {
            return Err(Denied::Claim);
        }
        Ok(Viewer {
            subject,
            roles: words(&claims, &self.roles_claim),
            workspaces: words(&claims, &self.workspaces_claim),
            groups: words(&claims, &self.groups_claim),
            // Within the leeway it is still accepted, so it also ends with the leeway.
            expires: expires.map(|at| at.saturating_add(leeway)),
            claims,
        })
    }

    /// When the first of what ends this credential does.
    fn expires(&self, claims: &Map<String, Value>) -> Result<Option<i64>, Denied> {
        let mut earliest: Option<i64> = None;
        for name in &self.expiry_claims {
            let at = time(claims, name)?;
            earliest = earliest.into_iter().chain(at).min();
        }
        if self.require_expiry && earliest.is_none() { Err(Denied::Claim) } else { Ok(earliest) }
    }
}

/// A time, in seconds since 1970. One that is none is not the same as no time.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Denied> {
    match claim(claims, name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..LATEST).contains(&seconds) => Ok(Some(seconds as i64)),
            _ => Err(Denied::Claim),
        },
    }
}

/// Whether a text, or one of a list of texts, is among the wanted ones; where nothing is wanted, always.
fn is_among(wanted: &[String], given: Option<&Value>) -> bool {
    let is_wanted = |value: &Value| value.as_str().is_some_and(|text| wanted.iter().any(|one| one == text));
    match given {
        _ if wanted.is_empty() => true,
        Some(Value::Array(values)) => values.iter().any(is_wanted),
        Some(value) => is_wanted(value),
        None => false,
    }
}

/// The words of a claim: a list of texts, or one text in which spaces separate them.
fn words(claims: &Map<String, Value>, name: &str) -> Vec<Arc<str>> {
    match claim(claims, name) {
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(Arc::from).collect(),
        Some(Value::String(text)) => text.split_whitespace().map(Arc::from).collect(),
        _ => Vec::new(),
    }
}
