//! Reads what clients send. Extra keys are ignored everywhere.

use crate::dialect::jac::finding::{Finding, Place, Wanted};
use crate::dialect::jac::json::{self, Members, Shape, shape};
use crate::dialect::jac::root::Root;
use crate::relay::{Kind, Push};
use serde_json::value::RawValue;
use std::sync::Arc;

/// What of a client's own words is said back to it where that is part of a sentence, in bytes.
const LONGEST_QUOTE: usize = 1024;

/// What a client asks for.
#[derive(Debug)]
pub enum Request {
    /// To be told who it is.
    Connection,
    Walker(Walker),
    Push(Push),
    /// To be who this token says, or nobody.
    ChangeUser(Option<String>),
}

/// A call of an operation.
#[derive(Debug)]
pub struct Walker {
    pub name: String,
    /// As it was written, and a reference.
    pub node: Option<String>,
    /// Whether success is answered, too.
    pub is_answered: bool,
    /// An object.
    pub context: Box<RawValue>,
    pub reference: Option<Reference>,
}

/// What a client calls its request, as it was written: a text or a number.
#[derive(Debug, Clone)]
pub struct Reference(pub Box<RawValue>);

/// Why a message asks for nothing.
#[derive(Debug)]
pub struct Fault {
    pub why: Why,
    pub reference: Option<Reference>,
}

/// What is wrong with a message.
#[derive(Debug)]
pub enum Why {
    /// One sentence.
    Sentence(String),
    /// Its form.
    Form(Vec<Finding>),
}

impl Fault {
    /// A message that is not text.
    pub fn binary() -> Fault {
        Fault::sentence("Binary messages are not supported.".to_owned())
    }

    fn sentence(sentence: String) -> Fault {
        Fault { why: Why::Sentence(sentence), reference: None }
    }

    fn form(findings: Vec<Finding>) -> Fault {
        Fault { why: Why::Form(findings), reference: None }
    }
}

/// Reads one message; a push may name so many targets.
///
/// # Errors
/// What is wrong with it.
pub fn decode(text: &str, max_targets: usize) -> Result<Request, Fault> {
    let not_json = || Fault::sentence("The message is not valid JSON.".to_owned());
    let message = json::parse(text).ok_or_else(not_json)?;
    if shape(message) != Shape::Object {
        return Err(Fault::form(vec![Finding::no_object(message)]));
    }
    let members: Members<'_> = serde_json::from_str(message.get()).map_err(|_| not_json())?;
    let Some(tag) = members.get("type").filter(|tag| shape(tag) != Shape::Null) else {
        return Err(Fault::form(vec![Finding::no_tag(message)]));
    };
    let tag = json::text(tag).unwrap_or_else(|| tag.get().to_owned());
    let form = match tag.as_str() {
        "connection" => return Ok(Request::Connection),
        "walker" => return walker(message, &members),
        "user" => Form { message, members, tag: "user" },
        "channel" => Form { message, members, tag: "channel" },
        "client" => Form { message, members, tag: "client" },
        "change_user" => return change_user(&members),
        _ => return Err(Fault::form(vec![Finding::unknown_tag(quote(&tag), message)])),
    };
    form.push(max_targets)
}

/// That a text, which should have been one, is no reference.
pub fn no_reference(text: &str) -> String {
    format!("[{}] is not a valid reference!", quote(text))
}

/// A message, and where in it things are.
struct Form<'a> {
    message: &'a RawValue,
    members: Members<'a>,
    tag: &'static str,
}

impl Form<'_> {
    fn push(&self, max_targets: usize) -> Result<Request, Fault> {
        let (kind, name) = match self.tag {
            "user" => (Kind::User, "root_ids"),
            "channel" => (Kind::Channel, "channel_ids"),
            _ => (Kind::Client, "client_ids"),
        };
        let mut findings = Vec::new();
        let ids = self.ids(name, max_targets, &mut findings);
        let data = match self.members.get("data") {
            None => {
                findings.push(Finding::missing(place(self.tag, "data"), self.message));
                ""
            }
            Some(data) if shape(data) != Shape::Object => {
                findings.push(Finding::not(Wanted::Dictionary, place(self.tag, "data"), data));
                ""
            }
            Some(data) => data.get(),
        };
        if !findings.is_empty() {
            return Err(Fault::form(findings));
        }
        if let Some(bad) = ids.iter().find(|id| kind == Kind::User && Root::named(id).is_none()) {
            return Err(Fault::sentence(no_reference(bad)));
        }
        Ok(Request::Push(Push { kind, ids, data: data.into() }))
    }

    fn ids(&self, name: &'static str, most: usize, findings: &mut Vec<Finding>) -> Vec<Arc<str>> {
        let loc = || place(self.tag, name);
        let Some(list) = self.members.get(name) else {
            findings.push(Finding::missing(loc(), self.message));
            return Vec::new();
        };
        let Some(elements) = json::elements(list) else {
            findings.push(Finding::not(Wanted::List, loc(), list));
            return Vec::new();
        };
        match elements.len() {
            0 => findings.push(Finding::too_short(loc(), list)),
            count if count > most => {
                findings.push(Finding::too_long(loc(), list, most, count));
                return Vec::new();
            }
            _ => {}
        }
        let mut ids = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            match json::text(element) {
                Some(id) => ids.push(id.into()),
                None => {
                    let loc = loc().into_iter().chain([Place::Index(index)]).collect();
                    findings.push(Finding::not(Wanted::Text, loc, element));
                }
            }
        }
        ids
    }
}

fn walker(message: &RawValue, members: &Members<'_>) -> Result<Request, Fault> {
    let mut findings = Vec::new();
    let loc = |name| place("walker", name);
    let reference = members.get("ref").filter(|value| matches!(shape(value), Shape::Text | Shape::Number));
    let reference = reference.map(|value| Reference(value.to_owned()));
    let mut name = String::new();
    match members.get("walker").map(|value| (value, json::text(value))) {
        None => findings.push(Finding::missing(loc("walker"), message)),
        Some((value, None)) => findings.push(Finding::not(Wanted::Text, loc("walker"), value)),
        Some((_, Some(text))) => name = text,
    }
    let mut node = None;
    if let Some(value) = members.get("node").filter(|value| shape(value) != Shape::Null) {
        node = json::text(value);
        if node.is_none() {
            findings.push(Finding::not(Wanted::Text, loc("node"), value));
        }
    }
    let mut is_answered = false;
    if let Some(value) = members.get("response") {
        match flag(value) {
            Some(flag) => is_answered = flag,
            None => findings.push(Finding::not(Wanted::Boolean, loc("response"), value)),
        }
    }
    let context = members.get("context");
    if let Some(value) = context.filter(|value| shape(value) != Shape::Object) {
        findings.push(Finding::not(Wanted::Dictionary, loc("context"), value));
    }
    if !findings.is_empty() {
        return Err(Fault { why: Why::Form(findings), reference });
    }
    let context = context.map_or_else(empty, ToOwned::to_owned);
    Ok(Request::Walker(Walker { name, node, is_answered, context, reference }))
}

fn change_user(members: &Members<'_>) -> Result<Request, Fault> {
    let Some(value) = members.get("token").filter(|value| shape(value) != Shape::Null) else {
        return Ok(Request::ChangeUser(None));
    };
    match json::text(value) {
        Some(token) => Ok(Request::ChangeUser(Some(token))),
        None => Err(Fault::form(vec![Finding::not(Wanted::Text, place("change_user", "token"), value)])),
    }
}

/// The object without members.
pub fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an object is JSON")
}

fn place(tag: &'static str, name: &'static str) -> Vec<Place> {
    vec!["event".into(), tag.into(), name.into()]
}

/// What counts as true or false.
fn flag(value: &RawValue) -> Option<bool> {
    match value.get() {
        "true" | "1" | "\"true\"" => Some(true),
        "false" | "0" | "\"false\"" => Some(false),
        _ => None,
    }
}

/// A client's own words, not too many of them.
fn quote(text: &str) -> String {
    let end = (0..=LONGEST_QUOTE.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}
