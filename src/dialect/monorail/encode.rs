//! Messages to a client. Records are put in as the text they already have; a change costs a few copies.

use super::MQ;
use super::draft::Draft;
use super::json::quote;
use super::refusal::told;
use crate::document::Document;
use crate::event::{Entry, Reason};
use crate::message::{Address, Notice, Refusal, Shape, Transition};
use crate::query::Row;

/// Writes one message; `None` is silence.
pub fn encode(address: &Address, notice: &Notice<'_>) -> Option<String> {
    let out = match notice {
        Notice::Announced { data } => return Some((*data).to_owned()),
        Notice::Session { id } => Draft::new("session", 0).text("id", id),
        Notice::List { rows, position } => list(address, rows).position(position.as_ref()),
        Notice::Found { row } => found(address, row),
        Notice::Missed { criteria } => Draft::about("remove", address, criteria.len()).json("params", criteria),
        Notice::Blank => Draft::about("item", address, 0),
        Notice::Change { entry, transition, shape, position, .. } => {
            change(address, entry, *transition, *shape)?.position(position.as_ref())
        }
        Notice::Resumed { position, broken } => resumed(address, *broken).position(Some(position)),
        Notice::Progress { position, time } => {
            Draft::about("progress", address, 0).position(Some(position)).text("time", &time.to_string())
        }
        Notice::Barrier { position } => Draft::new("barrier", 0).position(Some(position)),
        Notice::Refused(refusal) => error(address, refusal)?,
    };
    Some(out.end(address))
}

fn list(address: &Address, rows: &[Row]) -> Draft {
    let size: usize = rows.iter().map(|row| row.document.text().len() + row.id.len() + 24).sum();
    let write = if is_mq(address) { message } else { record };
    Draft::about("list", address, size).value("items", |out| {
        out.push('[');
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write(&row.id, &row.document, out);
        }
        out.push(']');
    })
}

/// A hit has the document twice: the shipped clients look for it in `id`, the protocol's text puts it in `data`.
fn found(address: &Address, row: &Row) -> Draft {
    let size = 2 * row.document.text().len();
    let draft = Draft::about("item", address, size);
    if is_mq(address) {
        draft.text("id", &row.id).json("data", row.document.text())
    } else {
        let write = |out: &mut String| record(&row.id, &row.document, out);
        draft.value("id", write).value("data", write)
    }
}

/// `None` when the entry lacks what the transition is about, which no log should hold.
fn change(address: &Address, entry: &Entry, transition: Transition, shape: Shape<'_>) -> Option<Draft> {
    let event = &entry.event;
    let id = &*event.id;
    let word = match (transition, shape) {
        (Transition::Left, _) => return Some(left(address, id, event.before.as_ref())),
        (Transition::Updated, Shape::Patch { forward, revert }) => {
            let size = forward.len() + revert.len() + id.len();
            let draft = Draft::about("patch", address, size).event("updated", id);
            return Some(draft.json("data", forward).json("revert", revert));
        }
        (Transition::Created | Transition::Appended, _) => "created",
        (Transition::Entered | Transition::Updated, _) => "updated",
    };
    let document = event.after.as_ref()?;
    let draft = Draft::about("item", address, document.text().len() + id.len());
    Some(if is_mq(address) {
        draft.text("id", id).json("data", document.text())
    } else {
        draft.event(word, id).value("data", |out| record(id, document, out))
    })
}

fn left(address: &Address, id: &str, before: Option<&Document>) -> Draft {
    let size = before.map_or(0, |document| document.text().len()) + 3 * id.len();
    let draft = Draft::about("remove", address, size).text("id", id).value("params", |out| key(id, out));
    match before {
        Some(document) => draft.value("data", |out| record(id, document, out)),
        None => draft.value("data", |out| key(id, out)),
    }
}

fn resumed(address: &Address, broken: Option<Reason>) -> Draft {
    let draft = Draft::about("resumed", address, 0);
    match broken {
        None => draft.json("complete", "true"),
        Some(reason) => draft.json("complete", "false").text("reason", reason.word()),
    }
}

fn error(address: &Address, refusal: &Refusal) -> Option<Draft> {
    let told = told(address, refusal)?;
    let params = serde_json::json!({
        "error": told.word,
        "status": told.status,
        "summary": refusal.summary,
        "name": "Error",
        "message": refusal.summary,
    });
    let draft = if address.channel.is_empty() { Draft::new("error", 0) } else { Draft::about("error", address, 0) };
    Some(draft.json("params", &params.to_string()))
}

fn is_mq(address: &Address) -> bool {
    &*address.channel == MQ
}

/// `{"id":K}`.
fn key(id: &str, out: &mut String) {
    out.push_str("{\"id\":");
    quote(id, out);
    out.push('}');
}

/// A record as it is; a line that is none: `{"id":K,"message":body}`.
fn record(id: &str, document: &Document, out: &mut String) {
    if document.value().is_object() {
        out.push_str(document.text());
    } else {
        keyed(id, "message", document, out);
    }
}

/// A broker's message in a list: `{"id":routing key,"data":body}`.
fn message(id: &str, body: &Document, out: &mut String) {
    keyed(id, "data", body, out);
}

fn keyed(id: &str, field: &str, body: &Document, out: &mut String) {
    out.push_str("{\"id\":");
    quote(id, out);
    out.push_str(",\"");
    out.push_str(field);
    out.push_str("\":");
    out.push_str(body.text());
    out.push('}');
}
