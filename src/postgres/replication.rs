//! Connections that stream changes, by the rules of the address that ordinary connections go by.
//!
//! What differs from those: of several hosts it is the one that is no standby; `verify-ca` and `verify-full`
//! without `sslrootcert` believe the machine's bundle of certificates, or Mozilla's where none is found.

use crate::error::{Error, Kind, Result};
use crate::postgres::address::{Address, CONNECT_TIMEOUT};
use crate::postgres::name::quote;
use pgwire_replication::{Lsn, PgWireError, ReplicationClient, ReplicationConfig, SslMode, TlsConfig};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::config::Host;

/// Messages that may wait between the driver and whoever reads them; a message holds a row.
const WAITING: usize = 256;

/// How soon the server is told what is in the log, and how often when nothing happens.
const STATUS_EVERY: Duration = Duration::from_millis(250);
const IDLE_STATUS_EVERY: Duration = Duration::from_secs(5);

/// The settings of ordinary connections, under which a value always has the same text.
const OPTIONS: &str = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601 -c bytea_output=hex \
     -c extra_float_digits=1 -c lc_monetary=C";

/// Where bundles of certificates are.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A server that was found to let us stream, and which one it is.
pub struct Line {
    config: ReplicationConfig,
    /// Unlike that of any other cluster.
    pub system: String,
    /// Another one after every promotion and every restore to a point in time.
    pub timeline: u32,
}

/// What to stream.
pub struct Stretch<'a> {
    pub slot: &'a str,
    pub publication: &'a str,
    /// Transactions that were committed at this position or after it.
    pub from: u64,
    /// The name by which others know this connection.
    pub application: &'a str,
}

impl Line {
    /// Finds the server that is no standby and asks which one it is.
    ///
    /// # Errors
    /// `Unreachable` when none answers, `Refused` when this user may not stream.
    pub async fn find(address: &Address, user: &str, database: &str) -> Result<Line> {
        let mut failed = Error::new(Kind::Unreachable, format!("{} names no host", address.shown()));
        for config in configs(address, user, database) {
            match identify(config).await {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => failed = Error::new(Kind::Refused, "this server is a standby: name the primary"),
                Err(error) => failed = failure("connecting for replication", &error),
            }
        }
        Err(failed)
    }

    /// Starts to stream; the slot is ours from then on.
    ///
    /// # Errors
    /// The driver's, with the answer of the server: the slot is in use, or lost, or not there.
    pub async fn stream(&self, stretch: &Stretch<'_>) -> std::result::Result<ReplicationClient, PgWireError> {
        let mut config = self.config.clone();
        config.slot = quote(stretch.slot);
        config.publication = quote(stretch.publication).into();
        config.application_name = Some(stretch.application.to_owned());
        let config = config.with_start_lsn(Lsn::from_u64(stretch.from));
        let started = async {
            let mut client = ReplicationClient::connect(config).await?;
            client.wait_started().await?;
            Ok(client)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, started).await.unwrap_or_else(|_| Err(slow()))
    }
}

/// Opens a session, and asks which server it is; `None` when it is a standby.
async fn identify(config: ReplicationConfig) -> std::result::Result<Option<Line>, PgWireError> {
    let asking = async {
        let mut session = ReplicationClient::connect_gated(config.clone()).await?;
        let identity = session.identify_system().await?;
        let standby = session.simple_query("select pg_is_in_recovery()").await?;
        let is_standby = standby.first().and_then(|row| row.first()?.as_deref()) != Some(b"f");
        Ok((!is_standby).then_some(Line { config, system: identity.system_id, timeline: identity.timeline }))
    };
    tokio::time::timeout(CONNECT_TIMEOUT, asking).await.unwrap_or_else(|_| Err(slow()))
}

fn slow() -> PgWireError {
    PgWireError::from(std::io::Error::new(std::io::ErrorKind::TimedOut, "it took longer than ten seconds"))
}

/// How to connect to each host of the address.
fn configs(address: &Address, user: &str, database: &str) -> Vec<ReplicationConfig> {
    let config = &address.config;
    let password = String::from_utf8_lossy(config.get_password().unwrap_or_default());
    let options = [OPTIONS, config.get_options().unwrap_or_default()].join(" ");
    let hosts = config.get_hosts().iter().enumerate();
    hosts
        .map(|(index, host)| {
            let ports = config.get_ports();
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            let (host, tls) = match host {
                Host::Tcp(name) => {
                    let number = config.get_hostaddrs().get(index).map(ToString::to_string);
                    (number.unwrap_or_else(|| name.clone()), tls(address, name))
                }
                Host::Unix(path) => (path.display().to_string(), TlsConfig::disabled()),
            };
            ReplicationConfig::new(host, user, &*password, database, "", "")
                .with_port(port)
                .with_tls(tls)
                .with_options(options.trim_end())
                .with_buffer_size(WAITING)
                .with_status_interval(STATUS_EVERY)
                .with_wakeup_interval(IDLE_STATUS_EVERY)
        })
        .collect()
}

/// The TLS that `address` asks for, to a host of this name.
fn tls(address: &Address, host: &str) -> TlsConfig {
    let security = &address.security;
    let root = security.root.as_deref().filter(|root| *root != "system").map(PathBuf::from);
    let mode = match security.mode.as_deref() {
        Some("disable") => SslMode::Disable,
        Some("require") if security.root.is_none() => SslMode::Require,
        Some("require" | "verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        _ => SslMode::Prefer,
    };
    TlsConfig {
        ca_pem_path: root.or_else(|| mode.verifies_certificate().then(bundle).flatten()),
        // Named even where it is the host: only then a certificate for a number is believed.
        sni_hostname: Some(host.to_owned()),
        client_cert_pem_path: security.certificate.as_ref().map(PathBuf::from),
        client_key_pem_path: security.key.as_ref().map(PathBuf::from),
        mode,
    }
}

fn bundle() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    named.or_else(|| BUNDLES.iter().map(Path::new).find(|path| path.exists()).map(Path::to_path_buf))
}

/// An error of the driver, with what was being done.
pub fn failure(doing: &str, error: &PgWireError) -> Error {
    let kind = match error {
        PgWireError::Io(_) | PgWireError::Task(_) | PgWireError::Internal(_) => Kind::Unreachable,
        PgWireError::Server(_) if code(error).is_some_and(|code| code.starts_with("57P") || code == "53300") => {
            Kind::Unreachable
        }
        _ => Kind::Refused,
    };
    let advice = match code(error) {
        Some("28000" | "42501") => "; `tidings check` prints what is missing",
        Some("28P01") => "; correct the user or the password in the URL",
        Some("53300") => "; raise max_wal_senders, or max_connections",
        _ => "",
    };
    Error::new(kind, format!("{doing} failed: {error}{advice}"))
}

/// The server's code for an error, where it is the server's.
pub fn code(error: &PgWireError) -> Option<&str> {
    let PgWireError::Server(text) = error else { return None };
    let (_, rest) = text.rsplit_once("(SQLSTATE ")?;
    rest.get(..5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_is_tried_with_its_port_and_the_tls_of_the_url() {
        let url = "postgres://me:se%20cret@a:1,b:2/d?sslmode=require&options=-c%20geqo%3Doff";
        let configs = configs(&Address::parse(url).unwrap(), "me", "d");
        let hosts: Vec<_> = configs.iter().map(|one| (&*one.host, one.port, one.tls.mode)).collect();
        assert_eq!(hosts, [("a", 1, SslMode::Require), ("b", 2, SslMode::Require)]);
        assert_eq!((&*configs[0].password, &*configs[0].database), ("se cret", "d"));
        assert!(configs[0].options.as_deref().unwrap().ends_with("-c lc_monetary=C -c geqo=off"));
        let local = Address::parse("postgres://me@%2Ftmp%2Fpg:7/d").unwrap();
        let socket = &super::configs(&local, "me", "d")[0];
        assert_eq!((&*socket.host, socket.port, socket.tls.mode), ("/tmp/pg", 7, SslMode::Disable));
    }

    #[test]
    fn the_code_of_the_server_decides_whether_to_try_again() {
        let server = |text: &str| PgWireError::Server(text.to_owned());
        assert_eq!(code(&server("slot is active (SQLSTATE 55006) detail: x")), Some("55006"));
        assert_eq!(code(&server("no code")), None);
        assert_eq!(failure("x", &server("down (SQLSTATE 57P01)")).kind(), Kind::Unreachable);
        assert_eq!(failure("x", &server("no (SQLSTATE 42704)")).kind(), Kind::Refused);
    }
}
