//! A new file.

use super::Api;
use super::answer;
use super::asker::Asker;
use super::body;
use super::contents::is_json;
use super::failure::Failure;
use super::mutation::{Mutation, carry_out};
use super::query::Parameters;
use super::visit::Visit;
use crate::audience::Role;
use crate::files::rows::{File, Members};
use crate::store::transaction::Lock;
use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a client may send and the store decides by itself.
const DROPPED: [&str; 5] = ["permissions", "permissionIds", "capabilities", "deleted", "deletedInfo"];

/// The longest key, in characters.
const LONGEST_KEY: usize = 255;

/// `POST /files[?parent=KEY]`.
pub(super) async fn post(State(api): State<Api>, asker: Asker, request: Request) -> Result<Response, Failure> {
    let parent = Parameters::of(request.uri().query()).get("parent").map(str::to_owned);
    let mime = body::mime(request.headers())?;
    if !is_json(&mime) {
        let message = format!("Expected application/json mime type for a file meta but got {mime}.");
        return Err(Failure::malformed(message));
    }
    let creation = Creation::read(body::json(request).await?, parent)?;
    carry_out(&api, &asker, &creation).await?;
    Ok(answer::stored(&creation.key))
}

struct Creation {
    key: String,
    /// As they were sent, without what the store decides.
    members: Members,
    parent: Option<String>,
}

impl Creation {
    fn read(body: Value, parent: Option<String>) -> Result<Creation, Failure> {
        let invalid = |what: &str| Failure::malformed(format!("Invalid file meta definition. {what} property."));
        let mut members = match body {
            Value::Null => return Err(Failure::no_contents()),
            Value::Object(members) => members,
            _ => Members::new(),
        };
        members.retain(|name, value| !value.is_null() && !DROPPED.contains(&name.as_str()) && !name.starts_with('_'));
        if members.get("kind").and_then(Value::as_str).unwrap_or_default().is_empty() {
            return Err(invalid("Missing \"kind\""));
        }
        let key = match members.get("key") {
            None => Uuid::new_v4().to_string(),
            Some(Value::String(key)) if is_key(key) => key.clone(),
            Some(_) => return Err(invalid("Invalid \"key\"")),
        };
        if members.get("info").is_some_and(|info| !info.is_object()) {
            return Err(invalid("Invalid \"info\""));
        }
        Ok(Creation { key, members, parent })
    }
}

#[async_trait]
impl Mutation for Creation {
    type Done = ();

    async fn attempt(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let api = visit.api;
        let mut parents = Vec::new();
        if let Some(parent) = &self.parent {
            let (parent, _) = visit.enter_as(Role::Writer, parent, Lock::Share).await?;
            parents.clone_from(&parent.parents);
            parents.push(parent.key.clone());
        }
        if api.files.has(&mut *visit.transaction, &self.key).await? {
            let message = format!("An object with the identifier {} already exists.", self.key);
            return Err(Failure::malformed(message));
        }
        let parents: Vec<&str> = parents.iter().map(|parent| &**parent).collect();
        let mut members = self.members.clone();
        members.insert("key".to_owned(), json!(self.key));
        members.insert("owner".to_owned(), json!(&*visit.asker.subject));
        members.insert("parents".to_owned(), json!(parents));
        members.insert("lastModified".to_owned(), visit.author().await?.at(visit.now));
        let file = File::read(members).ok_or_else(Failure::not_json)?;
        let file = File { change: Some(visit.change()), ..file };
        Ok(visit.insert(&api.files, &file.key, file.members()).await?)
    }
}

/// A key stands in paths, and beside `batch`.
fn is_key(key: &str) -> bool {
    let is_letter = |letter: char| !letter.is_control() && !matches!(letter, '/' | '?' | '#');
    (1..=LONGEST_KEY).contains(&key.chars().count()) && key != "batch" && key.chars().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_can_stand_in_a_path() {
        for (key, is_good) in [
            ("a", true),
            ("A b+~é", true),
            (&"é".repeat(255), true),
            ("", false),
            ("batch", false),
            ("a/b", false),
            ("a?", false),
            ("#", false),
            ("a\nb", false),
            ("a\u{0}", false),
            (&"é".repeat(256), false),
        ] {
            assert_eq!(is_key(key), is_good, "{key:?}");
        }
    }
}
