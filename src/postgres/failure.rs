//! What an error of Postgres means to the operator: whether trying again can help, and what to do.

use crate::error::{Error, Kind, deepest};
use tokio_postgres::error::SqlState;

/// An error of this database, with what was being done (`reading the outbox`) and a sentence that helps where
/// one is known.
pub fn failure(doing: &str, error: tokio_postgres::Error) -> Error {
    let Some(refusal) = error.as_db_error() else {
        return without_answer(doing, error);
    };
    let advice = match refusal.code().code() {
        "28P01" => "; correct the user or the password in the URL",
        "28000" => "; correct the user in the URL, or let it in (pg_hba.conf)",
        "3D000" => "; create it, or correct the name in the URL",
        "42501" => "; `tidings check` prints the GRANT that is missing",
        "53300" => "; raise max_connections, or lower `connections` of the source",
        "57014" => "; raise `statement_timeout` of the source, if it may take longer",
        _ => "",
    };
    // Without its detail, which may show a record.
    Error::new(kind_of(refusal.code()), format!("{doing} failed: {}{advice}", refusal.message()))
}

/// Whether the connection is gone and a new one may work.
pub fn is_disconnect(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => kind_of(code) == Kind::Unreachable && *code != SqlState::QUERY_CANCELED,
        None => error.is_closed() || has_io_cause(error),
    }
}

fn kind_of(code: &SqlState) -> Kind {
    match code.code() {
        // Shutting down, crashed, starting up, too many connections, cancelled, connection exceptions.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "57014" => Kind::Unreachable,
        text if text.starts_with("08") => Kind::Unreachable,
        // Serialization failures, deadlocks and lock timeouts pass.
        "40001" | "40P01" | "55P03" => Kind::Unreachable,
        _ => Kind::Refused,
    }
}

/// The server did not answer at all, or not in a way that was understood.
fn without_answer(doing: &str, error: tokio_postgres::Error) -> Error {
    let cause = deepest(&error).to_string();
    let is_unreachable = error.is_closed() || has_io_cause(&error);
    let (kind, advice) = match (&*error.to_string(), &*cause) {
        ("invalid configuration", "password missing") => (Kind::Refused, "; write it into the URL"),
        ("invalid configuration", _) => (Kind::Configuration, ""),
        ("error connecting to server", _) => (Kind::Unreachable, "; start the server, or correct the URL"),
        ("error performing TLS handshake", _) if !is_unreachable => {
            (Kind::Refused, "; correct sslmode or sslrootcert in the URL")
        }
        _ if is_unreachable => (Kind::Unreachable, ""),
        _ => (Kind::Refused, ""),
    };
    Error::new(kind, format!("{doing} failed: {cause}{advice}"))
}

fn has_io_cause(error: &tokio_postgres::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            // TLS speaks through io errors too; a certificate that is not believed will not get better.
            return io.kind() != std::io::ErrorKind::InvalidData;
        }
        next = cause.source();
    }
    false
}
