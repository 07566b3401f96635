//! Reads the bodies of requests by HTTP, which say the same as messages in fewer words.

use crate::dialect::jac::decode::{empty, no_reference};
use crate::dialect::jac::finding::{Finding, Place, Wanted};
use crate::dialect::jac::json::{self, Members, Shape, shape};
use crate::dialect::jac::root::Root;
use crate::relay::{Kind, Push};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Where everything is.
const BODY: &str = "body";

/// The lists of a push, in the order in which they are told.
const LISTS: [(&str, Kind); 3] =
    [("root_ids", Kind::User), ("channel_ids", Kind::Channel), ("client_ids", Kind::Client)];

/// The context of a call; an empty body is an empty one.
///
/// # Errors
/// That it is no object.
pub fn context(body: &[u8]) -> Result<Box<RawValue>, Box<Finding>> {
    if body.trim_ascii().is_empty() { Ok(empty()) } else { object(body).map(ToOwned::to_owned) }
}

/// The pushes of a backend: users, then channels, then clients.
///
/// # Errors
/// Everything that is wrong with it.
pub fn pushes(body: &[u8]) -> Result<Vec<Push>, Vec<Finding>> {
    let body = object(body).map_err(|finding| vec![*finding])?;
    let members = Members::of(body);
    let mut findings = Vec::new();
    let mut lists = Vec::new();
    for (name, kind) in LISTS {
        let Some(list) = members.get(name) else { continue };
        lists.push((kind, ids(name, kind, list, &mut findings)));
    }
    let loc = |name: &'static str| vec![BODY.into(), name.into()];
    if findings.is_empty() && lists.iter().all(|(_, ids)| ids.is_empty()) {
        match members.get("root_ids") {
            Some(list) => findings.push(Finding::too_short(loc("root_ids"), list)),
            None => findings.push(Finding::missing(loc("root_ids"), body)),
        }
    }
    let data = members.get("data");
    match data {
        None => findings.push(Finding::missing(loc("data"), body)),
        Some(data) if shape(data) != Shape::Object => {
            findings.push(Finding::not(Wanted::Dictionary, loc("data"), data));
        }
        Some(_) => {}
    }
    match data {
        Some(data) if findings.is_empty() => {
            let data: Arc<str> = data.get().into();
            let lists = lists.into_iter().filter(|(_, ids)| !ids.is_empty());
            Ok(lists.map(|(kind, ids)| Push { kind, ids, data: data.clone() }).collect())
        }
        _ => Err(findings),
    }
}

fn ids(name: &'static str, kind: Kind, list: &RawValue, findings: &mut Vec<Finding>) -> Vec<Arc<str>> {
    let loc = || vec![BODY.into(), name.into()];
    let Some(elements) = json::elements(list) else {
        findings.push(Finding::not(Wanted::List, loc(), list));
        return Vec::new();
    };
    let mut ids: Vec<Arc<str>> = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        let loc = || loc().into_iter().chain([Place::Index(index)]).collect();
        match json::text(element) {
            None => findings.push(Finding::not(Wanted::Text, loc(), element)),
            Some(id) if kind == Kind::User && Root::named(&id).is_none() => {
                findings.push(Finding::bad_value(no_reference(&id), loc(), element));
            }
            Some(id) => ids.push(id.into()),
        }
    }
    ids
}

/// The object that a body is.
fn object(body: &[u8]) -> Result<&RawValue, Box<Finding>> {
    let value = str::from_utf8(body).ok().and_then(json::parse);
    let value = value.ok_or_else(|| Box::new(Finding::no_json(vec![BODY.into()])))?;
    if shape(value) == Shape::Object {
        Ok(value)
    } else {
        Err(Box::new(Finding::not(Wanted::Dictionary, vec![BODY.into()], value)))
    }
}
