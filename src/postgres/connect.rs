//! Making a connection: bounded in time, with settings under which a row always has the same text.

use crate::error::{Error, Kind, Result};
use crate::postgres::address::{Address, CONNECT_TIMEOUT};
use crate::postgres::failure::failure;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Notification};

/// The settings that the outbox's trigger function has too, so that both give equal text for equal rows.
const SETTINGS: &str = "set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'iso_8601'; \
     set bytea_output = 'hex'; set extra_float_digits = 1; set lc_monetary = 'C'; \
     set client_min_messages = 'warning';";

/// Our own schema is no place for the user's tables: a role of its name would have it in its search path.
const SEARCH_PATH: &str = "select set_config('search_path', coalesce(nullif(array_to_string(array( \
         select quote_ident(name) from unnest(current_schemas(false)) with ordinality as s(name, place) \
         where name <> 'tidings' order by place), ', '), ''), 'public'), false);";

/// What every connection says first. A statement timeout of zero is none.
pub fn settings(statement_timeout: Duration) -> String {
    format!("{SETTINGS} {SEARCH_PATH} set statement_timeout = {};", statement_timeout.as_millis())
}

/// Connects, and rings `bell` whenever a notification arrives and when the connection ends. The task drives the
/// connection; it ends when the client is dropped or the server goes away.
///
/// # Errors
/// `Unreachable` when it cannot be reached within ten seconds, `Refused` when it does not let us in.
pub async fn connect(
    address: &Address,
    statement_timeout: Duration,
    bell: Option<Arc<Notify>>,
) -> Result<(Client, JoinHandle<()>)> {
    open(address, statement_timeout, bell.map_or(Ear::Deaf, Ear::Bell)).await
}

/// Connects, and hands over each notification. The connection waits while so many are not taken, so who asks it
/// something must take them meanwhile. The receiver ends with the connection.
///
/// # Errors
/// As [`connect`].
pub async fn connect_to_hear(
    address: &Address,
    waiting: usize,
) -> Result<(Client, mpsc::Receiver<Notification>, JoinHandle<()>)> {
    let (sender, heard) = mpsc::channel(waiting);
    let (client, task) = open(address, Duration::ZERO, Ear::Each(sender)).await?;
    Ok((client, heard, task))
}

/// What happens to notifications.
enum Ear {
    Deaf,
    Bell(Arc<Notify>),
    Each(mpsc::Sender<Notification>),
}

impl Ear {
    async fn hear(&self, notification: Notification) {
        match self {
            Ear::Deaf => {}
            Ear::Bell(bell) => bell.notify_one(),
            // Nobody listens any more: the client is about to be dropped.
            Ear::Each(sender) => drop(sender.send(notification).await),
        }
    }
}

async fn open(address: &Address, statement_timeout: Duration, ear: Ear) -> Result<(Client, JoinHandle<()>)> {
    let doing = format!("connecting to Postgres at {}", address.shown());
    let attempt = async {
        let (client, mut connection) =
            address.config.connect(address.tls.clone()).await.map_err(|error| failure(&doing, error))?;
        let name = address.shown().to_owned();
        let task = tokio::spawn(async move {
            while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
                match message {
                    Ok(AsyncMessage::Notification(notification)) => ear.hear(notification).await,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(server = name, error = %error, "a connection ended");
                        break;
                    }
                }
            }
            if let Ear::Bell(bell) = ear {
                bell.notify_one();
            }
        });
        client.batch_execute(&settings(statement_timeout)).await.map_err(|error| failure(&doing, error))?;
        Ok((client, task))
    };
    tokio::time::timeout(CONNECT_TIMEOUT, attempt)
        .await
        .map_err(|_| Error::new(Kind::Unreachable, format!("{doing} took longer than ten seconds")))?
}
