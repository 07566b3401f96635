//! A connection to a broker, and what its errors mean.

use crate::error::{Error, Kind, Result};
use lapin::options::ConfirmSelectOptions;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::ShortString;
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use std::time::Duration;

/// How long the broker may take to answer. A quorum queue without a leader keeps its clients waiting for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether a connection that owes an answer is still there.
const LOOK: Duration = Duration::from_millis(100);

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Connects.
///
/// # Errors
/// `Unreachable` when nobody answers, `Refused` when the broker does not let us in.
pub async fn connect(url: &str) -> Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("tidings".into());
    tokio::select! {
        connection = Connection::connect(url, properties) => connection.map_err(refused_connection),
        () = tokio::time::sleep(PATIENCE) => Err(unanswered()),
    }
}

/// What an answer comes by.
pub trait Link {
    /// Whether answers can still come.
    fn is_open(&self) -> bool;
}

impl Link for Connection {
    fn is_open(&self) -> bool {
        self.status().connected()
    }
}

impl Link for Channel {
    fn is_open(&self) -> bool {
        self.status().connected()
    }
}

/// What the broker answers, or the error that it does not. A request that is made in the very moment in which a
/// connection breaks is never answered: the end of the connection is the answer.
///
/// # Errors
/// Those of the answer; `Unreachable` when there is none.
pub async fn in_time<T>(link: &impl Link, answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        answer = answer => answer,
        () = broken(link) => Err(Error::new(Kind::Unreachable, "the connection to the broker was lost")),
        () = tokio::time::sleep(PATIENCE) => Err(unanswered()),
    }
}

/// Until a link is broken, and a moment longer: why it was closed may be on its way.
async fn broken(link: &impl Link) {
    while link.is_open() {
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(LOOK).await;
}

fn unanswered() -> Error {
    Error::new(Kind::Unreachable, "the broker does not answer")
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

/// A channel on which the broker confirms what is published.
///
/// # Errors
/// As [`failure`].
pub async fn confirmed(connection: &Connection) -> Result<Channel> {
    let channel = channel(connection).await?;
    let confirming = channel.confirm_select(ConfirmSelectOptions::default()).await;
    confirming.map_err(|error| failure("opening a channel", error))?;
    Ok(channel)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::time::Instant;

    /// Open until it is told otherwise.
    struct Wire(AtomicBool);

    impl Link for Wire {
        fn is_open(&self) -> bool {
            self.0.load(Ordering::Acquire)
        }
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_learns_of_the_end_of_the_connection() {
        let (wire, begin) = (Wire(AtomicBool::new(true)), Instant::now());
        let breaking = async {
            tokio::time::sleep(LOOK / 2).await;
            wire.0.store(false, Ordering::Release);
        };
        let (answer, ()) = tokio::join!(in_time(&wire, pending::<Result<()>>()), breaking);
        assert_eq!(answer.expect_err("nobody answers").kind(), Kind::Unreachable);
        assert!(begin.elapsed() < PATIENCE / 2, "it was known long before");
    }

    #[tokio::test]
    async fn a_refusal_that_closes_the_channel_is_the_answer() {
        let wire = Wire(AtomicBool::new(false));
        let refusing = async {
            tokio::time::sleep(LOOK / 2).await;
            Err::<(), _>(Error::new(Kind::Refused, "no"))
        };
        assert_eq!(in_time(&wire, refusing).await.expect_err("it is refused").kind(), Kind::Refused);
    }
}
