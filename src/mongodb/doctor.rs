//! Whether a database is fit to be followed, and what to do where it is not.

use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::mongodb::address::Address;
use crate::mongodb::collection::{Binding, ID};
use crate::mongodb::connect::connect;
use crate::mongodb::discover::{Listed, list};
use crate::mongodb::failure::{NO_REPLICA_SET, failure};
use mongodb::Database;
use mongodb::bson::{Document, doc};
use std::collections::HashMap;
use std::time::Duration;

/// The first server that answers with the time of a snapshot.
const OLDEST: i64 = 5;

/// The first server that keeps what documents were before a change.
const WITH_IMAGES: i64 = 6;

/// Looks at everything that following these collections needs, in the order in which it is needed. Stops early
/// only where nothing further can be asked.
pub async fn examine(address: &Address, bindings: &[Binding]) -> Vec<Finding> {
    let database = match connect(address).await {
        Ok(database) => database,
        Err(error) => return vec![Finding::of(&error)],
    };
    let mut findings = Vec::new();
    if let Err(error) = look(&database, address, bindings, &mut findings).await {
        findings.push(Finding::of(&error));
    }
    findings
}

async fn look(database: &Database, address: &Address, bindings: &[Binding], findings: &mut Vec<Finding>) -> Result<()> {
    let build = ask(database, doc! { "buildInfo": 1 }).await?;
    let version = build.get_str("version").unwrap_or("of an unknown version").to_owned();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    findings.push(match major {
        0..OLDEST => Finding::bad(format!("MongoDB {version} is too old: {OLDEST}.0 is the oldest that works"), None),
        _ => Finding::good(format!("MongoDB {version} answers at {}", address.shown())),
    });
    let hello = ask(database, doc! { "hello": 1 }).await?;
    let name = hello.get_str("setName").ok();
    match (name, hello.get_str("msg").is_ok_and(|said| said == "isdbgrid")) {
        (Some(name), _) => findings.push(Finding::good(format!("it is a member of the replica set {name}"))),
        (None, true) => findings.push(Finding::good("it is the router of a sharded cluster")),
        (None, false) => {
            findings.push(Finding::bad(NO_REPLICA_SET, Some("rs.initiate()".to_owned())));
            return Ok(());
        }
    }
    findings.extend(window(database).await);
    findings.push(match opened(database).await {
        Ok(()) => Finding::good("its changes may be followed"),
        Err(error) => Finding::bad(error.chain(), Some(grant(database))),
    });
    let known: HashMap<String, Listed> =
        list(database).await?.into_iter().map(|listed| (listed.name.clone(), listed)).collect();
    for binding in bindings {
        let Some(listed) = known.get(&binding.collection) else {
            let sentence = format!("{} does not exist yet, and is followed once it does", binding.collection);
            findings.push(Finding::good(sentence));
            continue;
        };
        if let Err(error) = read(database, binding).await {
            findings.push(Finding::bad(error.chain(), Some(grant(database))));
            continue;
        }
        findings.push(images(binding, listed, major));
        if !binding.is_keyed_by_id() {
            findings.push(uniqueness(database, binding).await?);
        }
    }
    Ok(())
}

/// Whether removals and changes come with what was there before.
fn images(binding: &Binding, listed: &Listed, major: i64) -> Finding {
    let name = &binding.collection;
    if listed.has_images() {
        return Finding::good(format!("{name} can be read, and its changes tell what was there before"));
    }
    let lack = match binding.is_keyed_by_id() {
        true => "so who watches some of its records is made to start over when one may have left them",
        false => "so of a removed one nobody knows the key, and everybody is made to start over",
    };
    let sentence = format!("changes of {name} do not tell what was there before, {lack}");
    let command = turn_on(name);
    match major {
        0..WITH_IMAGES => Finding::bad(format!("{sentence}; MongoDB {WITH_IMAGES}.0 is the first that can"), None),
        _ => Finding::bad(sentence, Some(command)),
    }
}

fn turn_on(collection: &str) -> String {
    format!("db.runCommand({{collMod: {}, changeStreamPreAndPostImages: {{enabled: true}}}})", quoted(collection))
}

/// Whether the database keeps two records from having one key.
async fn uniqueness(database: &Database, binding: &Binding) -> Result<Finding> {
    let failed = |error| failure(&format!("looking at the indexes of {}", binding.collection), &error);
    let asked = doc! { "listIndexes": &binding.collection };
    let mut indexes = database.run_cursor_command(asked).await.map_err(failed)?;
    while indexes.advance().await.map_err(failed)? {
        let index = indexes.deserialize_current().map_err(failed)?;
        let fields = index.get_document("key").map(Document::keys).map(Iterator::collect::<Vec<_>>);
        let is_of_key = fields.is_ok_and(|fields| matches!(&*fields, [only] if **only == binding.key));
        if is_of_key && index.get_bool("unique").unwrap_or(false) {
            return Ok(Finding::good(format!("{} of {} is unique", binding.key, binding.collection)));
        }
    }
    let (collection, key) = (&binding.collection, &binding.key);
    let fix = format!("db.getCollection({}).createIndex({{{}: 1}}, {{unique: true}})", quoted(collection), quoted(key));
    let sentence = format!("nothing keeps two documents of {collection} from having one {key}, which is their key");
    Ok(Finding::bad(sentence, Some(fix)))
}

/// How far back the server can tell of changes, if this user may know.
async fn window(database: &Database) -> Option<Finding> {
    let oplog = database.client().database("local").collection::<Document>("oplog.rs");
    let mut times = Vec::new();
    for direction in [1, -1] {
        let end = oplog.find_one(doc! {}).sort(doc! { "$natural": direction }).projection(doc! { "ts": 1 });
        times.push(end.await.ok()??.get_timestamp("ts").ok()?.time);
    }
    let seconds = times.last()?.checked_sub(*times.first()?)?;
    let window = Duration::from_secs(u64::from(seconds)).as_secs() / 60;
    let span = if window < 180 { format!("{window} minutes") } else { format!("{} hours", window / 60) };
    Some(Finding::good(format!("its oplog reaches back {span}: so long may Tidings be away")))
}

async fn opened(database: &Database) -> Result<()> {
    database.watch().await.map(drop).map_err(|error| failure("following the changes", &error))
}

async fn read(database: &Database, binding: &Binding) -> Result<()> {
    let found = database.collection::<Document>(&binding.collection).find_one(doc! {}).projection(doc! { ID: 1 }).await;
    found.map(drop).map_err(|error| failure(&format!("reading {}", binding.collection), &error))
}

async fn ask(database: &Database, command: Document) -> Result<Document> {
    database
        .run_command(command)
        .await
        .map_err(|error: mongodb::error::Error| -> Error { failure("looking at the server", &error) })
}

fn grant(database: &Database) -> String {
    let role = format!("[{{role: \"read\", db: {}}}]", quoted(database.name()));
    format!("db.grantRolesToUser(\"the user of the URL\", {role})")
}

/// A name as the shell writes it.
fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}
