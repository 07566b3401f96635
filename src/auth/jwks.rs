//! The keys that an issuer publishes, in a file or at a URL, kept current: read again now and then, and when a
//! token names a key that is not among them.
//!
//! Promise: tokens whose key is known are judged while the issuer is away; others wait for one answer at most,
//! and names of keys that nobody publishes do not make us ask again and again.

use crate::auth::keys::Keys;
use crate::auth::outward::Issuer;
use crate::auth::{Algorithm, Denied};
use crate::error::{Error, Kind, Result};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Mutex as Turns;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Where keys are published, and how often they are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    pub place: Place,
    /// How old the keys get without being read again.
    pub refresh: Duration,
    /// The shortest time between two readings.
    pub cooldown: Duration,
}

/// Where a set of keys is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Url(String),
    File(PathBuf),
}

impl Published {
    /// Keys at a place, with the times that need no word.
    pub fn at(place: Place) -> Published {
        Published { place, refresh: Duration::from_secs(300), cooldown: Duration::from_secs(5) }
    }
}

/// A set of keys that is followed.
pub(super) struct Jwks {
    published: Published,
    algorithms: Vec<Algorithm>,
    issuer: Option<Issuer>,
    state: Mutex<State>,
    /// One reading at a time; whoever waits for it has its result.
    turns: Turns<()>,
    following: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// What was read last, however long ago.
    keys: Option<Arc<Keys>>,
    /// When a reading ended last, well or not.
    tried: Option<Instant>,
    has_failed: bool,
}

impl Jwks {
    /// Reads the keys now and from now on. A URL need not answer yet.
    ///
    /// # Errors
    /// `Configuration` when the file cannot be read, or the URL is none.
    pub fn follow(published: &Published, algorithms: &[Algorithm]) -> Result<Arc<Jwks>> {
        let mut state = State::default();
        let issuer = match &published.place {
            Place::Url(url) => Some(Issuer::at(url)?),
            Place::File(path) => {
                let text = std::fs::read(path).map_err(|error| cannot_read(path, error))?;
                state.keys = Some(Arc::new(Keys::published(algorithms, &text)?));
                state.tried = Some(Instant::now());
                None
            }
        };
        if let Some(exposed) = issuer.as_ref().filter(|issuer| issuer.is_exposed()) {
            tracing::warn!(url = exposed.name(), "keys are read without TLS: whoever is on the way can sign tokens");
        }
        Ok(Arc::new_cyclic(|me| Jwks {
            published: published.clone(),
            algorithms: algorithms.to_vec(),
            issuer,
            state: Mutex::new(state),
            turns: Turns::new(()),
            following: tokio::spawn(keep_reading(me.clone(), published.clone())),
        }))
    }

    /// Keys among which is one that may have signed such a token; they are read anew where there is none.
    pub async fn holding(&self, algorithm: Algorithm, id: Option<&str>) -> std::result::Result<Arc<Keys>, Denied> {
        let asked = Instant::now();
        let known = || self.state().keys.clone().filter(|keys| keys.fitting(algorithm, id).is_ok());
        if let Some(keys) = known() {
            return Ok(keys);
        }
        let _turn = self.turns.lock().await;
        let tried = self.state().tried;
        // Who had the turn before may have read after we asked.
        if tried.is_none_or(|tried| tried < asked && tried.elapsed() >= self.published.cooldown) {
            self.read().await;
        }
        known().ok_or(if self.state().has_failed { Denied::Unavailable } else { Denied::Key })
    }

    async fn read(&self) {
        let outcome = self.fetch().await.and_then(|text| Keys::published(&self.algorithms, &text));
        let mut state = self.state();
        let had_failed = std::mem::replace(&mut state.has_failed, outcome.is_err());
        state.tried = Some(Instant::now());
        match outcome {
            Ok(keys) => {
                let count = keys.count();
                if count == 0 {
                    tracing::warn!(place = self.name(), "no published key is for the configured algorithms");
                } else if had_failed {
                    tracing::info!(place = self.name(), keys = count, "the issuer's keys can be read again");
                }
                state.keys = Some(Arc::new(keys));
            }
            Err(error) if !had_failed => {
                let kept = state.keys.as_ref().map_or(0, |keys| keys.count());
                tracing::warn!(error = error.chain(), kept, "the issuer's keys cannot be read");
            }
            Err(error) => tracing::debug!(error = error.chain(), "the issuer's keys still cannot be read"),
        }
    }

    async fn fetch(&self) -> Result<Vec<u8>> {
        match (&self.published.place, &self.issuer) {
            (Place::File(path), _) => tokio::fs::read(path).await.map_err(|error| cannot_read(path, error)),
            (Place::Url(_), Some(issuer)) => issuer.answer(issuer.get()).await,
            (Place::Url(_), None) => Err(Error::new(Kind::Internal, "there is nobody to ask for keys")),
        }
    }

    /// Where the keys are, for the log.
    fn name(&self) -> String {
        match (&self.published.place, &self.issuer) {
            (Place::File(path), _) => path.display().to_string(),
            (Place::Url(_), issuer) => issuer.as_ref().map(Issuer::name).unwrap_or_default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Jwks {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Reads again and again, sooner while it fails, until nobody wants the keys any more.
async fn keep_reading(jwks: Weak<Jwks>, published: Published) {
    loop {
        let Some(jwks) = jwks.upgrade() else { return };
        let turn = jwks.turns.lock().await;
        // A token may have asked meanwhile.
        let is_fresh = jwks.state().tried.is_some_and(|tried| tried.elapsed() < published.cooldown);
        if !is_fresh {
            jwks.read().await;
        }
        drop(turn);
        let has_failed = jwks.state().has_failed;
        drop(jwks);
        let pause = if has_failed { published.cooldown.min(published.refresh) } else { published.refresh };
        tokio::time::sleep(pause).await;
    }
}

fn cannot_read(path: &std::path::Path, error: std::io::Error) -> Error {
    Error::because(Kind::Configuration, format!("cannot read the keys in {}", path.display()), error)
}
