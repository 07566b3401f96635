//! A connection to a broker, and what its errors mean.

use crate::error::{Error, Kind, Result};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::ShortString;
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use std::time::Duration;

/// How long the broker may take to answer. A quorum queue without a leader keeps its clients waiting for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Connects.
///
/// # Errors
/// `Unreachable` when nobody answers, `Refused` when the broker does not let us in.
pub async fn connect(url: &str) -> Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("tidings".into());
    in_time(async { Connection::connect(url, properties).await.map_err(refused_connection) }).await
}

/// What the broker answers, or the error that it does not.
///
/// # Errors
/// Those of the answer; `Unreachable` when there is none.
pub async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let unanswered = |_| Err(Error::new(Kind::Unreachable, "the broker does not answer"));
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(unanswered)
}

/// Ends a connection; a broker that does not answer is left alone.
pub async fn end(connection: &Connection) {
    let _ = tokio::time::timeout(GOODBYE, connection.close(200, "the end".into())).await;
}

/// A name as the protocol carries it.
///
/// # Errors
/// `Configuration` when it is longer than 255 bytes.
pub fn name(text: &str) -> Result<ShortString> {
    ShortString::try_new(text)
        .map_err(|error| Error::because(Kind::Configuration, format!("the name {text:?} is too long"), error))
}

/// A channel of a connection.
///
/// # Errors
/// As [`failure`].
pub async fn channel(connection: &Connection) -> Result<Channel> {
    connection.create_channel().await.map_err(|error| failure("opening a channel", error))
}

/// The error for something that the broker did not do.
pub fn failure(what: &str, error: lapin::Error) -> Error {
    let kind = match soft_error(&error) {
        Some(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED) if !is_in_use(&error) => Kind::Refused,
        _ => Kind::Unreachable,
    };
    Error::because(kind, format!("{what} failed"), error)
}

/// Why the broker closed a channel.
pub fn soft_error(error: &lapin::Error) -> Option<&AMQPSoftError> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

/// The consumer of an earlier connection may be there a while longer, until the broker notices its end.
fn is_in_use(error: &lapin::Error) -> bool {
    error.to_string().contains("exclusive")
}

fn refused_connection(error: lapin::Error) -> Error {
    let sentence = match error.kind() {
        ErrorKind::ProtocolError(refusal) => match refusal.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                "the broker refuses this user or password (a user \"guest\" may only come from the broker's own machine)"
            }
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                "the broker refuses this virtual host: it is not there, or not this user's; the one called \"/\" is \
                 written %2f, as in amqp://host/%2f"
            }
            _ => return Error::because(Kind::Unreachable, "the broker ended the connection", error),
        },
        _ => return Error::because(Kind::Unreachable, "the broker cannot be reached", error),
    };
    Error::because(Kind::Refused, sentence, error)
}
