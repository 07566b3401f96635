//! `tidings token`: makes a token for a client, signed with the configured secret.

use crate::auth::{Algorithm, Claims, KeySource, Mint, Secret, Settings};
use crate::config::{self, Config, Overrides};
use crate::error::{Error, Kind, Result};
use crate::event::Timestamp;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Whom the token names, and with which secret it is signed.
#[derive(Debug, Args)]
pub struct Token {
    /// Who it is
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// A role; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A workspace; may be repeated
    #[arg(long = "workspace", value_name = "WORKSPACE")]
    workspaces: Vec<String>,
    /// A group; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// How long it is valid, with a unit
    #[arg(long, default_value = "1h", value_parser = config::duration)]
    ttl: Duration,
    /// The configuration whose [auth] will verify it
    #[arg(long, env = "TIDINGS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sign with the secret in this variable (of an algorithm with two keys, the private one in PEM)
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,
    /// The algorithm, where no configuration says it [default: HS256]
    #[arg(long, value_name = "NAME")]
    algorithm: Option<Algorithm>,
}

impl Token {
    /// The token.
    ///
    /// # Errors
    /// `Configuration` when there is no secret to sign with, or it cannot sign.
    pub fn make(&self, overrides: &Overrides) -> Result<String> {
        let claims = Claims {
            subject: self.subject.clone(),
            roles: self.roles.clone(),
            workspaces: self.workspaces.clone(),
            groups: self.groups.clone(),
            lifetime: self.ttl,
        };
        Mint::new(&self.settings(overrides)?)?.sign(&claims, Timestamp::now().0 / 1000)
    }

    fn settings(&self, overrides: &Overrides) -> Result<Settings> {
        let wrong = |sentence: String| Error::new(Kind::Configuration, sentence);
        let secret = self.secret_env.as_ref().map(|name| match overrides.variables.get(name) {
            Some(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
            _ => Err(wrong(format!("the variable {name} is not set"))),
        });
        let secret = secret.transpose()?;
        let mut settings = match (&self.config, &secret) {
            (Some(path), _) => Config::from_file(path, overrides)?
                .auth
                .ok_or_else(|| wrong(format!("{} has no [auth]", path.display())))?,
            (None, Some(secret)) => Settings::new(self.algorithm.unwrap_or_default(), secret.clone()),
            (None, None) => return Err(wrong("nothing to sign with; give --config or --secret-env".to_owned())),
        };
        if let Some(jwt) = &mut settings.jwt {
            jwt.algorithms = self.algorithm.map_or(jwt.algorithms.clone(), |algorithm| vec![algorithm]);
            jwt.keys = secret.map_or(jwt.keys.clone(), |secret| KeySource::Own(vec![secret]));
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Verifier, Verify};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        token: Token,
    }

    fn make(arguments: &[&str], variables: &[(&str, &str)]) -> Result<String> {
        let line = Line::try_parse_from(["token"].iter().chain(arguments)).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        line.token.make(&Overrides { variables, ..Overrides::default() })
    }

    #[tokio::test]
    async fn a_token_is_accepted_by_the_configuration_it_was_made_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "[auth]\njwt = { algorithm = \"HS384\", secret = \"s\", issuer = \"i\", roles_claim = \"r\" }";
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap();
        let token = make(&["--subject", "ann", "--role", "a", "--role", "b", "--config", path], &[]).unwrap();
        let settings = Config::from_file(file.path(), &Overrides::default()).unwrap().auth.unwrap();
        let viewer = Verifier::new(&settings).unwrap().verify(&token).await.unwrap();
        assert_eq!(viewer.roles, ["a".into(), "b".into()]);
    }

    #[tokio::test]
    async fn a_secret_is_enough_and_none_is_a_mistake() {
        let token = make(&["--subject", "ann", "--secret-env", "S", "--ttl", "5m"], &[("S", "secret")]).unwrap();
        let settings = Settings::new(Algorithm::default(), Secret::new("secret"));
        let viewer = Verifier::new(&settings).unwrap().verify(&token).await.unwrap();
        assert_eq!(viewer.subject.as_deref(), Some("ann"));
        for arguments in [&["--subject", "a"][..], &["--subject", "a", "--secret-env", "S"]] {
            assert_eq!(make(arguments, &[("S", "")]).unwrap_err().kind(), Kind::Configuration);
        }
    }
}
