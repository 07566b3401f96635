//! `[channels."/files"]` with `dialect = "files"`: which resources are the parts of a file store, and how it is served.

use crate::config::Resource;
use crate::config::channels;
use crate::config::reader::{Reader, Section};
use crate::config::value::Found;
use crate::files::replica::AccessTo;
use crate::files::rows::{BODY, Part};
use std::time::Duration;
use toml::de::DeValue;

/// A file store.
#[derive(Debug, Clone)]
pub struct Files {
    /// The key in the configuration, which is also the path without a prefix.
    pub path: String,
    /// The resource of each part; users may have none, and where only events are served, so may all but files.
    pub roles: Vec<(Part, String)>,
    /// The names of members in the store, where they are not the usual ones: part, member, name.
    pub fields: Vec<(Part, String, String)>,
    /// What may stand before the path.
    pub prefixes: Vec<String>,
    /// Whether the Files API is served.
    pub api: bool,
    pub audience: AccessTo,
    /// How long an answer waits for the events that it caused.
    pub hold: Duration,
    /// The longest body of a request, in bytes.
    pub max_body: usize,
    /// Whether anybody is given a token who asks for one.
    pub dev_sessions: bool,
    /// The claim that holds the groups of a viewer.
    pub group_claim: Option<String>,
    /// How often expired permissions are deleted; `None`: never.
    pub sweep_expired: Option<Duration>,
}

impl Files {
    pub(super) fn read(path: String, table: Section<'_>) -> Files {
        let reader = table.reader();
        let resources = table.texts("roles");
        let mut roles = Vec::new();
        for (role, resource) in resources {
            match part(&role) {
                Some(part) => roles.push((part, resource)),
                None => reader.mistake(&table.key("roles"), no_role(&role)),
            }
        }
        if !roles.iter().any(|(part, _)| *part == Part::Files) {
            let sentence = "the role files is missing, like { files = \"files\" }";
            reader.mistake(&table.key("roles"), sentence);
        }
        let fields = table.texts("fields").into_iter().filter_map(|(member, name)| match field(&member) {
            Some((part, member)) => Some((part, member, name)),
            None => {
                reader.mistake(&table.key("fields"), format!("\"{member}\" is no member, like \"files.lastModified\""));
                None
            }
        });
        let fields = fields.collect();
        let prefixes = table.get("prefixes", prefixes).unwrap_or_else(|| vec![String::new()]);
        let flag = |name, default| table.get(name, |value| value.boolean()).unwrap_or(default);
        let audiences = [("affected", AccessTo::Affected), ("everyone", AccessTo::Everyone)];
        let files = Files {
            roles,
            fields,
            prefixes,
            api: flag("api", true),
            audience: table.get("audience", |value| value.choice(&audiences)).unwrap_or(AccessTo::Affected),
            hold: table.get("hold", |value| value.duration()).unwrap_or(Duration::from_millis(250)),
            max_body: table.get("max_body", |value| value.size()).unwrap_or(16 << 20) as usize,
            dev_sessions: flag("dev_sessions", false),
            group_claim: table.get("group_claim", |value| value.any_text()).filter(|claim| !claim.is_empty()),
            sweep_expired: table.get("sweep_expired", sweep).flatten(),
            path,
        };
        if files.path != "/files" {
            reader
                .mistake(table.path(), "a file store is served at \"/files\"; say with prefixes what stands before it");
        }
        table.finish();
        files
    }

    /// The resource of a part.
    pub fn role(&self, part: Part) -> Option<&str> {
        channels::role(&self.roles, part)
    }

    /// The names of a part's members that are not the usual ones.
    pub fn fields(&self, part: Part) -> Vec<(String, String)> {
        let own = self.fields.iter().filter(|(of, ..)| *of == part);
        own.map(|(_, member, name)| (member.clone(), name.clone())).collect()
    }

    /// The private resource of what is told.
    pub fn messages(&self) -> String {
        channels::messages(&self.path)
    }

    /// Notes what does not fit the rest of the configuration.
    pub(super) fn check(&self, resources: &[Resource], has_auth: bool, reader: &Reader<'_>) {
        let key = format!("channels.{}", self.path);
        channels::needs_auth(&key, has_auth, reader);
        let mut sources = self.roles.iter().map(|(_, name)| resources.iter().find(|resource| resource.name == *name));
        let first = sources.next().flatten().map(|resource| &resource.source);
        if sources.flatten().any(|resource| Some(&resource.source) != first) {
            reader.mistake(&format!("{key}.roles"), "all parts of a file store are in one source");
        }
        let needed = [Part::Permissions, Part::Media, Part::Revisions];
        if let Some(part) = needed.into_iter().find(|part| self.api && self.role(*part).is_none()) {
            let sentence = format!("the API needs the role {}; without it, say api = false", part.name());
            reader.mistake(&format!("{key}.roles"), sentence);
        }
    }
}

fn part(role: &str) -> Option<Part> {
    Part::ALL.into_iter().find(|part| part.name() == role)
}

fn no_role(role: &str) -> String {
    let names: Vec<_> = Part::ALL.iter().map(|part| part.name()).collect();
    format!("\"{role}\" is no role; there are {}", names.join(", "))
}

/// `files.lastModified`: a member of a part that has a name in the store.
fn field(text: &str) -> Option<(Part, String)> {
    let (role, member) = text.split_once('.')?;
    let part = part(role)?;
    let mut members = part.members().iter().map(|member| member.trim_start_matches('_'));
    let is_known = members.any(|one| one == member) || (part == Part::Files && member == BODY);
    is_known.then(|| (part, member.to_owned()))
}

/// `"off"`, or how often.
fn sweep(value: &Found<'_>) -> Result<Option<Duration>, String> {
    match value.text().as_deref() {
        Ok("off") => Ok(None),
        _ => value.some_time().map(Some),
    }
}

fn prefixes(value: &Found<'_>) -> Result<Vec<String>, String> {
    let prefixes: Vec<String> = match value {
        Found::Value(DeValue::Array(elements)) => {
            elements.iter().map(|element| Found::Value(element.get_ref()).any_text()).collect::<Result<_, _>>()?
        }
        value => value.any_text()?.split(',').map(|part| part.trim().to_owned()).collect(),
    };
    let is_prefix = |prefix: &String| prefix.is_empty() || (prefix.starts_with('/') && !prefix.ends_with('/'));
    match prefixes.iter().all(is_prefix) {
        true => Ok(prefixes),
        false => Err("a prefix is empty, or begins with \"/\" and does not end with it, like \"/v1\"".to_owned()),
    }
}
