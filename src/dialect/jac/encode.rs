//! Writes what clients are told. Pushes are not among it: they are what their senders wrote.

use crate::dialect::jac::decode::{Fault, Reference, Why};
use crate::dialect::jac::finding::Finding;
use crate::dialect::jac::json::compact;
use crate::dialect::jac::root::Root;
use serde::Serialize;
use serde_json::value::RawValue;

/// Who a socket is.
///
/// ```text
/// {"type":"connection","data":{"client_id":"…","root_id":"n::…","channel_id":"…"}}
/// ```
pub fn connection(client: &str, root: &Root, channel: &str) -> String {
    let [client, root, channel] = [client, &root.to_string(), channel].map(text);
    format!(r#"{{"type":"connection","data":{{"client_id":{client},"root_id":{root},"channel_id":{channel}}}}}"#)
}

/// What an operation reports.
///
/// ```text
/// {"status":200,"reports":["do something 1","do something 2"]}
/// ```
pub fn answer(reports: &[Box<RawValue>], reference: Option<&Reference>) -> String {
    let reports = match reports {
        [] => String::new(),
        reports => {
            let reports: Vec<Box<RawValue>> = reports.iter().filter_map(|report| compact(report, usize::MAX)).collect();
            format!(r#","reports":{}"#, json(&reports))
        }
    };
    with_reference(format!(r#"{{"status":200{reports}"#), reference)
}

/// What somebody may not do.
///
/// ```text
/// {"type":"walker","error":"Event name requires to be authenticated!"}
/// ```
pub fn denied(tag: &str, sentence: &str, reference: Option<&Reference>) -> String {
    with_reference(format!(r#"{{"type":{},"error":{}"#, text(tag), text(sentence)), reference)
}

/// What did not work.
///
/// ```text
/// {"error":["Event name failed.\n"]}
/// ```
pub fn failed(sentence: &str, reference: Option<&Reference>) -> String {
    with_reference(format!(r#"{{"error":[{}]"#, text(&format!("{sentence}\n"))), reference)
}

/// What is wrong with the form of a message, or of a context.
pub fn malformed(findings: &[Finding], reference: Option<&Reference>) -> String {
    with_reference(format!(r#"{{"error":{}"#, json(&findings)), reference)
}

/// The same for who sent it by HTTP.
pub fn detail(findings: &[Finding]) -> String {
    format!(r#"{{"detail":{}}}"#, json(&findings))
}

/// Why a message asks for nothing.
pub fn fault(fault: &Fault) -> String {
    match &fault.why {
        Why::Sentence(sentence) => failed(sentence, fault.reference.as_ref()),
        Why::Form(findings) => malformed(findings, fault.reference.as_ref()),
    }
}

/// A change of a resource, as a push.
///
/// ```text
/// {"type":"messages.created","data":{"id":"m1","room":"room1"}}
/// ```
pub fn change(resource: &str, word: &str, record: &str) -> String {
    format!(r#"{{"type":{},"data":{record}}}"#, text(&format!("{resource}.{word}")))
}

fn with_reference(mut unclosed: String, reference: Option<&Reference>) -> String {
    if let Some(Reference(reference)) = reference {
        unclosed += r#","ref":"#;
        unclosed += reference.get();
    }
    unclosed.push('}');
    unclosed
}

fn text(text: &str) -> String {
    json(&text)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, lists and raw JSON can be written")
}
