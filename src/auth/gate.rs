//! Who comes in: finds the token of a request, has it verified, slows down who guesses. Each door has a gate; they
//! share the verifier and the count of failures.

use crate::auth::credential::Credential;
use crate::auth::{Carrier, Denied, OnExpiry, Shown, Throttle, Verify};
use crate::metrics::Metrics;
use crate::viewer::{Token, Viewer};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whether a client must show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Credentials are not read; everybody is anonymous.
    None,
    /// Without one a client is anonymous; one that is given must be valid.
    Optional,
    /// One must be given.
    Required,
}

/// A way in, and what is asked there.
#[derive(Clone)]
pub struct Gate {
    pub mode: Mode,
    /// Where tokens may be, in the order in which they are looked for.
    pub carriers: Vec<Carrier>,
    /// Origins of pages whose cookies count.
    pub origins: Vec<String>,
    pub on_expiry: OnExpiry,
    /// Without one nothing that is shown can be believed.
    pub verifier: Option<Arc<dyn Verify>>,
    pub throttle: Arc<Throttle>,
    pub metrics: Arc<Metrics>,
}

/// Somebody who was let in.
pub struct Pass {
    pub viewer: Viewer,
    pub lease: Lease,
}

/// What a viewer's rights rest on for as long as it is connected.
#[derive(Clone)]
pub struct Lease {
    gate: Arc<Gate>,
    /// Kept only where it will be asked for again.
    token: Option<Token>,
    peer: Option<IpAddr>,
}

impl Gate {
    /// Who sends this request. A refusal may be late, if many bad credentials came from there.
    ///
    /// # Errors
    /// Why this client may not come in.
    pub async fn admit(self: &Arc<Self>, shown: &Shown<'_>) -> Result<Pass, Denied> {
        self.judge(Credential::of(shown, &self.carriers, &self.origins), shown.peer).await
    }

    /// Who shows this token, however it came here.
    ///
    /// # Errors
    /// Why this client may not come in.
    pub async fn present(self: &Arc<Self>, token: &str, peer: Option<IpAddr>) -> Result<Pass, Denied> {
        let credential = match token {
            "" => Credential::Unusable,
            text => Credential::Token(text.to_owned()),
        };
        self.judge(credential, peer).await
    }

    /// Whether a query parameter carries tokens, so that it is no parameter of anything else.
    pub fn reads_parameter(&self, name: &str) -> bool {
        self.carriers.iter().any(|carrier| matches!(carrier, Carrier::Query(own) if own == name))
    }

    async fn judge(self: &Arc<Self>, credential: Credential, peer: Option<IpAddr>) -> Result<Pass, Denied> {
        let lease = |token| Lease { gate: self.clone(), token, peer };
        let denied = match (self.mode, credential) {
            (Mode::None, _) | (Mode::Optional, Credential::Absent) => {
                return Ok(Pass { viewer: Viewer::anonymous(), lease: lease(None) });
            }
            (Mode::Required, Credential::Absent) => Denied::Missing,
            (_, Credential::Unusable) => Denied::Malformed,
            (_, Credential::Token(token)) => match self.verify(&token).await {
                Ok(viewer) => {
                    let recheck = self.verifier.as_ref().and_then(|verifier| verifier.recheck_after(&token));
                    return Ok(Pass { viewer, lease: lease(recheck.map(|_| Token::new(token))) });
                }
                Err(denied) => denied,
            },
        };
        self.metrics.refused(denied.name()).inc();
        Err(self.throttle.refuse(peer, denied).await)
    }

    async fn verify(&self, token: &str) -> Result<Viewer, Denied> {
        match &self.verifier {
            Some(verifier) => verifier.verify(token).await,
            None => Err(Denied::Signature),
        }
    }
}

impl Lease {
    /// Another token in place of what was shown before. Where credentials are not read it changes nothing.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn present(&self, token: &Token) -> Result<Pass, Denied> {
        self.gate.present(token.text(), self.peer).await
    }

    /// When to look whether the token still holds; `None`: it holds until it expires.
    pub fn recheck_after(&self) -> Option<Duration> {
        self.gate.verifier.as_ref()?.recheck_after(self.token.as_ref()?.text())
    }

    /// Who the viewer is by now.
    ///
    /// # Errors
    /// Why the token no longer holds; `Unavailable` when nobody could say.
    pub async fn recheck(&self) -> Result<Viewer, Denied> {
        match &self.token {
            Some(token) => self.gate.verify(token.text()).await,
            None => Err(Denied::Missing),
        }
    }

    /// The token holds no longer, so it is not asked for again.
    pub fn forget(&mut self) {
        self.token = None;
    }

    /// What becomes of the viewer when its credential ends. Who must show one cannot stay without.
    pub fn on_expiry(&self) -> OnExpiry {
        match (self.gate.on_expiry, self.gate.mode) {
            (OnExpiry::Downgrade, Mode::Required) => OnExpiry::Close,
            (on_expiry, _) => on_expiry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Algorithm, Claims, Mint, Secret, Settings, ThrottleSettings, Verifier};
    use crate::event::Timestamp;

    fn gate(mode: Mode, settings: Option<&Settings>) -> Arc<Gate> {
        Arc::new(Gate {
            mode,
            carriers: Carrier::usual(),
            origins: Vec::new(),
            on_expiry: OnExpiry::Downgrade,
            verifier: settings.map(|settings| Arc::new(Verifier::new(settings).unwrap()) as Arc<dyn Verify>),
            throttle: Arc::new(Throttle::new(ThrottleSettings::default())),
            metrics: Arc::default(),
        })
    }

    fn good(settings: &Settings) -> String {
        let claims = Claims { subject: "ann".into(), lifetime: Duration::from_secs(60), ..Claims::default() };
        Mint::new(settings).unwrap().sign(&claims, Timestamp::now().0 / 1000).unwrap()
    }

    async fn admit(gate: &Arc<Gate>, authorization: Option<&str>) -> Result<bool, Denied> {
        let shown = Shown { authorization: authorization.map(str::as_bytes), ..Shown::default() };
        gate.admit(&shown).await.map(|pass| pass.viewer.is_authenticated())
    }

    #[tokio::test]
    async fn the_mode_decides_who_may_come_in() {
        let settings = Settings::new(Algorithm::default(), Secret::new("secret"));
        let right = format!("Bearer {}", good(&settings));
        for (mode, absent, bad, good) in [
            (Mode::None, Ok(false), Ok(false), Ok(false)),
            (Mode::Optional, Ok(false), Err(Denied::Malformed), Ok(true)),
            (Mode::Required, Err(Denied::Missing), Err(Denied::Malformed), Ok(true)),
        ] {
            let gate = gate(mode, Some(&settings));
            assert_eq!(admit(&gate, None).await, absent, "{mode:?}");
            assert_eq!(admit(&gate, Some("Basic YTpi")).await, bad, "{mode:?}");
            assert_eq!(admit(&gate, Some("Bearer x")).await, bad, "{mode:?}");
            assert_eq!(admit(&gate, Some(&right)).await, good, "{mode:?}");
        }
        let nothing = gate(Mode::Optional, None);
        assert_eq!(admit(&nothing, Some(&right)).await, Err(Denied::Signature), "nothing to verify with");
    }

    #[tokio::test]
    async fn a_good_credential_does_not_wait_behind_bad_ones_of_its_address() {
        let settings = Settings::new(Algorithm::default(), Secret::new("secret"));
        let gate = gate(Mode::Optional, Some(&settings));
        let bad: Vec<_> = (0..100)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { admit(&gate, Some("Bearer x")).await })
            })
            .collect();
        while gate.metrics.refused("malformed").get() < 100 {
            tokio::task::yield_now().await;
        }
        let right = format!("Bearer {}", good(&settings));
        let soon = tokio::time::timeout(Duration::from_millis(900), admit(&gate, Some(&right))).await;
        assert_eq!(soon.expect("it does not wait"), Ok(true));
        let waiting = bad.iter().filter(|refusal| !refusal.is_finished()).count();
        assert_eq!(waiting, 8);
        bad.iter().for_each(|refusal| refusal.abort());
    }

    #[tokio::test]
    async fn who_must_show_a_credential_does_not_stay_without() {
        let settings = Settings::new(Algorithm::default(), Secret::new("secret"));
        let right = format!("Bearer {}", good(&settings));
        for (mode, end) in [(Mode::Optional, OnExpiry::Downgrade), (Mode::Required, OnExpiry::Close)] {
            let gate = gate(mode, Some(&settings));
            let shown = Shown { authorization: Some(right.as_bytes()), ..Shown::default() };
            assert_eq!(gate.admit(&shown).await.unwrap_or_else(|denied| panic!("{denied}")).lease.on_expiry(), end);
        }
    }
}
