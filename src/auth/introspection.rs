//! Opaque tokens: their issuer is asked what they are (OAuth 2.0 Token Introspection, RFC 7662).

use crate::auth::outward::Issuer;
use crate::auth::{Denied, Rules, Secret};
use crate::error::{Error, Kind, Result};
use crate::viewer::Viewer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Answers that are remembered at most.
const REMEMBERED: usize = 10_000;

/// Questions that are under way at most, so that a flood of bad tokens does not become one at the issuer.
const AT_A_TIME: usize = 64;

/// How long a question waits for others to be answered.
const TURN: Duration = Duration::from_secs(5);

/// How opaque tokens are verified.
#[derive(Debug, Clone, PartialEq)]
pub struct IntrospectionSettings {
    pub url: String,
    /// How we show who we are (HTTP Basic).
    pub client: Option<Client>,
    /// The clients whose tokens are accepted; empty: all.
    pub client_ids: Vec<String>,
    /// For how long an answer is believed without asking again; zero: not at all.
    pub cache: Duration,
    /// How often the token of an open socket is asked for again; `None`: never.
    pub recheck: Option<Duration>,
    pub rules: Rules,
}

/// Our own name and secret with the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub secret: Secret,
}

impl IntrospectionSettings {
    /// An issuer that wants to know nothing of us.
    pub fn new(url: impl Into<String>) -> IntrospectionSettings {
        IntrospectionSettings {
            url: url.into(),
            client: None,
            client_ids: Vec::new(),
            cache: Duration::from_secs(10),
            recheck: None,
            // The issuer says whether a token is active, so it need not say until when.
            rules: Rules { require_expiry: false, ..Rules::default() },
        }
    }
}

/// Asks an issuer.
pub(super) struct Introspection {
    issuer: Issuer,
    client: Option<(String, String)>,
    client_ids: Vec<String>,
    cache: Duration,
    pub recheck: Option<Duration>,
    rules: Rules,
    /// By the hash of the token: whoever can read this memory learns no token from it.
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
    places: Semaphore,
}

struct Remembered {
    viewer: Viewer,
    until: Instant,
}

impl Introspection {
    /// Reads the client's secret.
    ///
    /// # Errors
    /// `Configuration` when it cannot be read, or the URL is none.
    pub fn new(settings: &IntrospectionSettings) -> Result<Introspection> {
        let issuer = Issuer::at(&settings.url)?;
        if issuer.is_exposed() {
            tracing::warn!(url = issuer.name(), "tokens are introspected without TLS: they can be read on the way");
        }
        let client = match &settings.client {
            Some(client) => Some((client.id.clone(), client.secret.read()?)),
            None => None,
        };
        Ok(Introspection {
            issuer,
            client,
            client_ids: settings.client_ids.clone(),
            cache: settings.cache,
            recheck: settings.recheck,
            rules: settings.rules.clone(),
            remembered: Mutex::default(),
            places: Semaphore::new(AT_A_TIME),
        })
    }

    /// Who shows this token, by what the issuer says now, or said a moment ago.
    pub async fn verify(&self, token: &str, now: i64) -> std::result::Result<Viewer, Denied> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.remembered().get(&hash).filter(|one| one.until > Instant::now()).map(|one| one.viewer.clone());
        if let Some(viewer) = known {
            // It may have expired since.
            return self.rules.viewer(viewer.claims, now);
        }
        let viewer = self.ask(token, now).await?;
        if !self.cache.is_zero() {
            self.remember(hash, viewer.clone());
        }
        Ok(viewer)
    }

    /// The same, by what the issuer says now.
    pub async fn ask(&self, token: &str, now: i64) -> std::result::Result<Viewer, Denied> {
        let turn = tokio::time::timeout(TURN, self.places.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Denied::Unavailable) };
        let claims = match self.introspect(token).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(error = error.chain(), "a token cannot be introspected");
                return Err(Denied::Unavailable);
            }
        };
        self.judge(claims, now)
    }

    fn judge(&self, claims: Map<String, Value>, now: i64) -> std::result::Result<Viewer, Denied> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(Denied::Inactive);
        }
        let is_for_refreshing = |name| text(name).is_some_and(|kind| kind.eq_ignore_ascii_case("refresh_token"));
        if is_for_refreshing("token_type") || is_for_refreshing("token_use") {
            return Err(Denied::Claim);
        }
        let is_ours = |client: &str| self.client_ids.iter().any(|one| one == client);
        if !self.client_ids.is_empty() && !text("client_id").is_some_and(is_ours) {
            return Err(Denied::Client);
        }
        self.rules.viewer(claims, now)
    }

    /// What the issuer says of a token. One that does not let us in is as good as away.
    ///
    /// # Errors
    /// When there is no answer, or one that says nothing.
    pub async fn introspect(&self, token: &str) -> Result<Map<String, Value>> {
        let mut request = self.issuer.post(&[("token", token), ("token_type_hint", "access_token")]);
        if let Some((id, secret)) = &self.client {
            request = request.basic_auth(encoded(id), Some(encoded(secret)));
        }
        let body = self.issuer.answer(request).await?;
        // What is wrong with it may cite it, so it is not said.
        let malformed = |_| Error::new(Kind::Malformed, format!("{} answers no JSON object", self.issuer.name()));
        serde_json::from_slice(&body).map_err(malformed)
    }

    /// Where it asks, for the log.
    pub fn name(&self) -> String {
        self.issuer.name()
    }

    fn remember(&self, hash: [u8; 32], viewer: Viewer) {
        let now = Instant::now();
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, one| one.until > now);
        }
        if remembered.len() < REMEMBERED {
            remembered.insert(hash, Remembered { viewer, until: now + self.cache });
        }
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<[u8; 32], Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name or a secret as HTTP Basic carries it here (RFC 6749, 2.3.1): encoded as in a form.
fn encoded(text: &str) -> String {
    const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, AS_IT_IS).to_string()
}
