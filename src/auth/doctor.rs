//! What is configured, and whether whoever has to be asked answers.

use crate::auth::introspection::Introspection;
use crate::auth::jwks::Place;
use crate::auth::keys::Keys;
use crate::auth::outward::Issuer;
use crate::auth::{Algorithm, IntrospectionSettings, JwtSettings, KeySource, Settings};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use serde_json::Value;

/// No issuer ever made it.
const NO_TOKEN: &str = "tidings-check-is-no-token";

/// Looks at every way of verifying.
pub async fn findings(settings: &Settings) -> Vec<Finding> {
    let mut all = Vec::new();
    if let Some(jwt) = &settings.jwt {
        all.push(signed(jwt).await.unwrap_or_else(|error| Finding::of(&error)));
    }
    if let Some(introspection) = &settings.introspection {
        all.push(opaque(introspection).await.unwrap_or_else(|error| Finding::of(&error)));
    }
    all
}

async fn signed(jwt: &JwtSettings) -> Result<Finding> {
    let names: Vec<String> = jwt.algorithms.iter().map(Algorithm::to_string).collect();
    let names = names.join(", ");
    let (place, text) = match &jwt.keys {
        KeySource::Own(secrets) => {
            Keys::own(&jwt.algorithms, secrets)?;
            let previous = match secrets.len() {
                0 | 1 => "",
                _ => ", and those of the previous secret",
            };
            return Ok(Finding::good(format!(
                "tokens signed by {names} with the configured secret are accepted{previous}"
            )));
        }
        KeySource::Published(published) => match &published.place {
            Place::Url(url) => {
                let issuer = Issuer::at(url)?;
                (issuer.name(), issuer.answer(issuer.get()).await?)
            }
            Place::File(path) => {
                let text = tokio::fs::read(path).await;
                let text = text.map_err(|error| {
                    Error::because(Kind::Configuration, format!("cannot read the keys in {}", path.display()), error)
                })?;
                (path.display().to_string(), text)
            }
        },
    };
    Ok(match Keys::published(&jwt.algorithms, &text)?.count() {
        0 => Finding::bad(format!("{place} has no key for {names}"), None),
        count => Finding::good(format!("tokens signed by {names} with a key of {place} are accepted; it has {count}")),
    })
}

async fn opaque(settings: &IntrospectionSettings) -> Result<Finding> {
    let introspection = Introspection::new(settings)?;
    let answer = introspection.introspect(NO_TOKEN).await?;
    let name = introspection.name();
    Ok(match answer.get("active") {
        Some(Value::Bool(false)) => Finding::good(format!("{name} says which opaque tokens are active")),
        Some(Value::Bool(true)) => Finding::bad(format!("{name} calls a token active that is none"), None),
        _ => Finding::bad(format!("{name} does not say whether a token is active"), None),
    })
}
