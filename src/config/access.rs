//! Who sees what: the keys of a resource, and of a channel, that limit their readers.

use crate::access::rule::{Fault, NAMES, Rule};
use crate::access::{Access, Read};
use crate::config::mistakes::nearest;
use crate::config::reader::Section;
use crate::config::value::{Found, not_among};
use crate::filter::Path;
use toml::de::DeValue;

/// The rows of another resource that say who may see a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedBy {
    pub resource: String,
    /// The field with the record's key.
    pub record: String,
    /// The fields with a subject, or several, and with groups; one of the two is there.
    pub subject: Option<String>,
    pub group: Option<String>,
    /// The field with the time until which it counts.
    pub until: Option<String>,
    /// The field of the record itself with the subject, or subjects, that it belongs to.
    pub owner: Option<String>,
}

/// The keys of a resource; `read` is what counts without a word.
pub(super) fn of_resource(table: &Section<'_>, default: &Read) -> (Access, Option<SharedBy>) {
    let shared_by = shared_by(table);
    let texts = |name| table.get(name, |value| value.texts()).unwrap_or_default();
    let access = Access {
        read: table.get("read", read).unwrap_or_else(|| default.clone()),
        only: table.get("only", only),
        audience: texts("audience").iter().map(|field| Path::parse(field)).collect(),
        is_shared: shared_by.is_some(),
        admins: texts("admins").iter().map(|role| role.as_str().into()).collect(),
    };
    (access, shared_by)
}

/// The keys of a channel, which narrow those of its resource.
pub(super) fn of_channel(table: &Section<'_>) -> Option<Access> {
    let (who, only) = (table.get("read", read), table.get("only", only));
    let access = Access { only, ..Access::of(who.unwrap_or(Read::Anyone)) };
    (access != Access::of(Read::Anyone)).then_some(access)
}

fn read(value: &Found<'_>) -> Result<Read, String> {
    let words = value.texts()?;
    match (value, words.as_slice()) {
        (_, [word]) if word == "anyone" => Ok(Read::Anyone),
        (_, [word]) if word == "authenticated" => Ok(Read::Authenticated),
        (Found::Value(DeValue::String(text)), _) => Err(format!(
            "{}, or a list of roles like [\"{text}\"]",
            not_among(text, ["anyone", "authenticated"].into_iter())
        )),
        (_, []) => Err("the list of roles is empty, so nobody could read it".to_owned()),
        (_, roles) if roles.iter().any(|role| role == "anyone" || role == "authenticated") => {
            Err("\"anyone\" and \"authenticated\" stand alone, not in a list of roles".to_owned())
        }
        (_, roles) => Ok(Read::Roles(roles.iter().map(|role| role.as_str().into()).collect())),
    }
}

fn only(value: &Found<'_>) -> Result<Rule, String> {
    Rule::parse(value.json()?).map_err(|fault| match &fault {
        Fault::Unknown(name) => match nearest(name, NAMES) {
            Some(meant) => format!("{fault}; did you mean \"{meant}\"?"),
            None => fault.to_string(),
        },
        fault => fault.to_string(),
    })
}

fn shared_by(table: &Section<'_>) -> Option<SharedBy> {
    let section = table.section("shared_by");
    let is_there = section.is_there();
    let text = |name| section.get(name, |value| value.text());
    let (resource, record, subject, group) = (text("resource"), text("record"), text("subject"), text("group"));
    let (until, owner) = (text("until"), text("owner"));
    if is_there {
        let reader = section.reader();
        for (name, value) in [("resource", &resource), ("record", &record)] {
            if value.is_none() && !reader.is_placed(&section.key(name)) {
                reader.mistake(&section.key(name), "is missing");
            }
        }
        if subject.is_none() && group.is_none() {
            reader.mistake(section.path(), "names no subject and no group: which field of a grant says whom it is for");
        }
    }
    section.finish();
    Some(SharedBy { resource: resource?, record: record?, subject, group, until, owner })
}
