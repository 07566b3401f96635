//! What an error of MongoDB means to the operator: whether trying again can help, and what to do.

use crate::error::{Error, Kind};
use mongodb::error::{Error as DriverError, ErrorKind, WriteFailure};

/// An error of this database, with what was being done (`reading nodes`) and a sentence that helps where one is
/// known. Never the documents that an error of the server may show.
pub fn failure(doing: &str, error: &DriverError) -> Error {
    let (kind, said) = match &*error.kind {
        ErrorKind::Command(refusal) => told(refusal.code, &refusal.message),
        ErrorKind::Write(WriteFailure::WriteError(refusal)) => told(refusal.code, &refusal.message),
        ErrorKind::Write(WriteFailure::WriteConcernError(refusal)) => told(refusal.code, &refusal.message),
        ErrorKind::Authentication { .. } => (Kind::Refused, WRONG_PASSWORD.to_owned()),
        ErrorKind::ServerSelection { message, .. } => unreachable_server(message),
        ErrorKind::Io(cause) => (Kind::Unreachable, cause.to_string()),
        ErrorKind::ConnectionPoolCleared { message, .. } => (Kind::Unreachable, message.clone()),
        ErrorKind::DnsResolve { message, .. } => (Kind::Unreachable, format!("{message}; correct the host in the URL")),
        ErrorKind::InvalidTlsConfig { message, .. } => {
            (Kind::Configuration, format!("{message}; correct the tls options"))
        }
        ErrorKind::InvalidArgument { message, .. } => (Kind::Configuration, message.clone()),
        ErrorKind::SessionsNotSupported => (Kind::Refused, NO_REPLICA_SET.to_owned()),
        ErrorKind::IncompatibleServer { message, .. } => (Kind::Refused, message.clone()),
        ErrorKind::InvalidResponse { message, .. } => (Kind::Malformed, message.clone()),
        ErrorKind::Bson(cause) => (Kind::Malformed, cause.to_string()),
        other => (Kind::Refused, other.to_string()),
    };
    Error::new(kind, format!("{doing} failed: {said}"))
}

/// The number that the server gave to its refusal.
pub fn code(error: &DriverError) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(refusal) => Some(refusal.code),
        ErrorKind::Write(WriteFailure::WriteError(refusal)) => Some(refusal.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(refusal)) => Some(refusal.code),
        _ => None,
    }
}

/// What to do for a server that stands alone.
pub const NO_REPLICA_SET: &str = "the server is no member of a replica set, and only those tell of changes; start \
     mongod with --replSet rs0 and run rs.initiate() once";

const WRONG_PASSWORD: &str = "it does not accept the user or the password; correct them in the URL, and name the \
     database of the user with authSource=… if it is another one";

fn told(code: i32, message: &str) -> (Kind, String) {
    let advice = match code {
        18 => return (Kind::Refused, WRONG_PASSWORD.to_owned()),
        13 if message.contains("requires authentication") => "; write user and password into the URL",
        13 => "; grant the user the role `read` on this database, or `readWrite` for writable resources",
        40573 => return (Kind::Refused, NO_REPLICA_SET.to_owned()),
        20 if message.contains("replica set") => return (Kind::Refused, NO_REPLICA_SET.to_owned()),
        _ => "",
    };
    // A violated index shows the values that are there already.
    let message = message.split(" dup key:").next().unwrap_or(message);
    (kind_of(code), format!("{message}{advice}"))
}

/// Shutting down, stepping down, looking for a primary, out of time: these pass.
fn kind_of(code: i32) -> Kind {
    const PASSING: [i32; 19] =
        [6, 7, 50, 64, 89, 91, 112, 134, 189, 202, 246, 251, 262, 290, 9001, 10107, 11600, 11602, 13435];
    const SHUTTING_DOWN: [i32; 2] = [13436, 11601];
    if PASSING.contains(&code) || SHUTTING_DOWN.contains(&code) { Kind::Unreachable } else { Kind::Refused }
}

/// Nobody was found. The driver tells the last error of every server, which decides what helps.
fn unreachable_server(message: &str) -> (Kind, String) {
    if message.contains("Authentication") || message.contains("SCRAM") {
        return (Kind::Refused, WRONG_PASSWORD.to_owned());
    }
    let cause = match message {
        text if text.contains("Connection refused") => "nobody listens there; start the server, or correct the URL",
        text if text.contains("failed to lookup") || text.contains("Name or service") => {
            "the host is not known; correct the URL"
        }
        text if text.contains("invalid peer certificate") || text.contains("tls") || text.contains("Tls") => {
            "there is no agreement on TLS; correct tls and tlsCAFile in the URL"
        }
        text if text.contains("ReplicaSetNoPrimary") => "the replica set has no primary at the moment",
        _ => "no server answered in time; start the server, or correct the URL",
    };
    (Kind::Unreachable, cause.to_owned())
}
