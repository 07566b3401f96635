//! Where a database is and how to speak to it: the URL, as libpq reads it.
//!
//! `sslmode` means what it means to libpq: `disable`, `prefer` (the default) and `require` (neither looks at the
//! certificate, unless `sslrootcert` is given), `verify-ca`, `verify-full`. What differs: `allow` is taken as
//! `prefer`; `prefer` does not fall back to plain text when the server offers TLS and the handshake fails;
//! without `sslrootcert` the two `verify` modes believe the machine's certificate store; there are no
//! revocation lists; neither `~/.pgpass` nor a service file nor any `PG…` variable is read.

use crate::error::{Error, Kind, Result};
use crate::postgres::tls;
use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to be there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A parsed URL, checked as a whole, with its TLS ready to use. Shows no password.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) security: Security,
    shown: String,
}

/// The TLS part of a URL.
#[derive(Debug, Clone, Default)]
pub(super) struct Security {
    pub(super) mode: Option<String>,
    pub(super) root: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`. Without a host it is the local socket,
    /// or `localhost` where there is none.
    ///
    /// # Errors
    /// `Configuration` when it is no such URL, or a certificate file cannot be read.
    pub fn parse(url: &str) -> Result<Address> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Error::new(Kind::Configuration, "a Postgres URL begins with postgres://"));
        }
        let (rest, security) = split_security(url)?;
        let mut config: Config = rest
            .parse()
            .map_err(|error| Error::because(Kind::Configuration, "the Postgres URL cannot be read", error))?;
        let (mode, tls) = tls::connector(&security)?;
        config.ssl_mode(mode);
        if config.get_hosts().is_empty() {
            match Path::new("/var/run/postgresql").exists() {
                true => config.host_path("/var/run/postgresql"),
                false => config.host("localhost"),
            };
        }
        config.connect_timeout(CONNECT_TIMEOUT);
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        config.tcp_user_timeout(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("tidings");
        }
        let shown = show(&config);
        Ok(Address { config, tls, security, shown })
    }

    /// A manager of pooled connections to this address.
    pub fn manager(&self) -> Manager {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        Manager::from_config(self.config.clone(), self.tls.clone(), recycling)
    }

    /// Host, port and database, for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

fn show(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}/{}", config.get_dbname().or(config.get_user()).unwrap_or_default())
}

/// The URL without its TLS parameters, which the driver does not know all of, and those.
fn split_security(url: &str) -> Result<(String, Security)> {
    let mut security = Security::default();
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), security));
    };
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = match name {
            "sslmode" => &mut security.mode,
            "sslrootcert" => &mut security.root,
            "sslcert" => &mut security.certificate,
            "sslkey" => &mut security.key,
            _ => {
                kept.push(pair);
                continue;
            }
        };
        let value = percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| Error::new(Kind::Configuration, format!("{name} in the Postgres URL is not UTF-8")))?;
        *slot = Some(value.into_owned());
    }
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Ok((rest, security))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::SslMode;

    #[test]
    fn an_address_shows_no_password() {
        let address = Address::parse("postgres://me:secret@db.example:5433/inventory?sslmode=require").unwrap();
        assert_eq!(address.shown(), "db.example:5433/inventory");
        assert_eq!(format!("{address:?}"), "db.example:5433/inventory");
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn every_mode_of_libpq_is_understood() {
        let modes = [("disable", SslMode::Disable), ("allow", SslMode::Prefer), ("prefer", SslMode::Prefer)];
        for (mode, meant) in modes.into_iter().chain([("require", SslMode::Require)]) {
            let address = Address::parse(&format!("postgresql://h/d?sslmode={mode}&application_name=x")).unwrap();
            assert_eq!(address.config.get_ssl_mode(), meant, "{mode}");
        }
        assert!(Address::parse("postgres://h/d?sslmode=maybe").is_err());
        assert!(Address::parse("postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere.pem").is_err());
        assert!(Address::parse("postgres://h/d?nonsense=1").is_err());
        assert!(Address::parse("mysql://h/d").is_err());
    }

    #[test]
    fn without_a_host_it_is_this_machine() {
        let address = Address::parse("postgres:///inventory").unwrap();
        assert!(address.shown().ends_with(":5432/inventory"), "{}", address.shown());
    }
}
