//! Questions to an issuer over HTTP: one answer, of a limited size, within a limited time, from nobody else
//! than who was asked. Nothing of what was sent is in an error.

use crate::error::{Error, Kind, Result, deepest};
use crate::wire::tls;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use std::time::Duration;

/// How long an answer may take, all together.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer, in bytes.
const LARGEST: usize = 512 * 1024;

/// Somebody who is asked.
pub(super) struct Issuer {
    client: Client,
    url: Url,
}

impl Issuer {
    /// Whoever answers at this URL.
    ///
    /// # Errors
    /// `Configuration` when it is no URL of HTTP.
    pub fn at(url: &str) -> Result<Issuer> {
        let wrong = |sentence: &str| Error::new(Kind::Configuration, sentence.to_owned());
        let url = Url::parse(url).map_err(|_| wrong("the issuer's URL is none"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("the issuer's URL begins neither with https:// nor with http://"));
        }
        tls::choose_provider();
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .referer(false)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::because(Kind::Internal, "no HTTP client can be made", error))?;
        Ok(Issuer { client, url })
    }

    /// A request for what is there.
    pub fn get(&self) -> RequestBuilder {
        self.client.get(self.url.clone())
    }

    /// A request that brings a form.
    pub fn post(&self, form: &[(&str, &str)]) -> RequestBuilder {
        self.client.post(self.url.clone()).form(form)
    }

    /// Where it is asked, without what only it should know.
    pub fn name(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.url.scheme(), self.url.host_str().unwrap_or_default(), self.url.path())
    }

    /// Whether what is sent there, and what comes, can be read or changed on the way.
    pub fn is_exposed(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        self.url.scheme() == "http" && !is_loopback
    }

    /// The body of the answer to a request.
    ///
    /// # Errors
    /// `Unreachable` when there is no answer in time, or none that says 200; `Refused` when we are not let in;
    /// `Malformed` when it is too large.
    pub async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>> {
        let failed = |error: reqwest::Error| {
            let why = if error.is_timeout() {
                "no answer in time".to_owned()
            } else {
                deepest(&error.without_url()).to_string()
            };
            Error::new(Kind::Unreachable, format!("{} cannot be asked: {why}", self.name()))
        };
        let mut answer = request.header("accept", "application/json").send().await.map_err(failed)?;
        match answer.status().as_u16() {
            200 => {}
            status @ (400 | 401 | 403) => {
                return Err(Error::new(Kind::Refused, format!("{} answers {status}", self.name())));
            }
            status => return Err(Error::new(Kind::Unreachable, format!("{} answers {status}", self.name()))),
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > LARGEST {
                return Err(Error::new(Kind::Malformed, format!("the answer of {} is too large", self.name())));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}
