//! The monorail protocol, as its transcripts tell it.

mod api;
mod barrage;
mod failing;
mod flaws;
mod input;
mod keepalive;
mod slow;
mod viewers;
mod world;

use crate::postgres::Database;
use crate::server;
use crate::transcript::{self, Transcript};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;
use world::MonorailWorld;

/// The resources of the transcripts, in the embedded store.
const EMBEDDED: &str = r#"
[server]
listen = "127.0.0.1:0"
[resources.nodes]
source = "embedded"
writable = true
[resources.skus]
source = "embedded"
writable = true
ignore_case = true
[resources.graphObjs]
source = "embedded"
id = "instanceId"
writable = true
[resources.secrets]
source = "embedded"
private = true
writable = true
[resources.logs]
source = "embedded"
append_only = true
keep = 100
writable = true
[resources."mq:on.events"]
source = "embedded"
append_only = true
keep = 0
writable = true
[resources."mq:on.logging"]
source = "embedded"
append_only = true
keep = 3
writable = true
[resources."mq:on.test"]
source = "embedded"
append_only = true
keep = 3
writable = true
"#;

/// A transcript that has come this far will not go on.
const LONG: Duration = Duration::from_secs(60);

/// What one transcript is played on.
struct Setting {
    configuration: String,
    /// Kept until the transcript has ended.
    database: Option<Database>,
}

impl Setting {
    fn embedded(more: &str) -> Setting {
        Setting { configuration: format!("{EMBEDDED}{more}"), database: None }
    }

    /// `nodes` and `graphObjs` are tables of a new database, whose changes come by an outbox.
    async fn postgres() -> Option<Setting> {
        let database = Database::create().await?;
        let tables = "create table nodes (id text primary key, name text, type text, rank int, tags jsonb);
                      create table \"graphObjs\" (\"instanceId\" text primary key, id text, _status text);";
        database.client().await.batch_execute(tables).await.expect("the tables are created");
        let source = format!("[sources.db]\nurl = \"{}\"\ncapture = \"outbox\"\ninstall = true\n", database.url());
        let mut configuration = EMBEDDED.to_owned() + &source;
        for table in ["nodes", "graphObjs"] {
            let embedded = format!("[resources.{table}]\nsource = \"embedded\"");
            configuration = configuration.replace(&embedded, &format!("[resources.{table}]\nsource = \"db\""));
        }
        Some(Setting { configuration, database: Some(database) })
    }
}

/// Plays every transcript of a file, each in a setting of its own; tells all that fail.
async fn play(file: &str, setting: impl AsyncFn() -> Option<Setting>) {
    let transcripts = read(file);
    let mut failures = Vec::new();
    for transcript in &transcripts {
        let Some(Setting { configuration, database }) = setting().await else { return };
        let app = server::start(&configuration).await;
        let mut world = MonorailWorld::of(app.address()).await;
        let played = timeout(LONG, transcript::run(&mut world, transcript)).await;
        if let Err(why) = played.unwrap_or_else(|_| Err("it does not end".to_owned())) {
            failures.push(format!("{file}:{why}\n  in \"{}\"", transcript.title));
        }
        drop(world);
        app.stop().await;
        drop(database);
    }
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), transcripts.len(), failures.join("\n"));
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/monorail")
}

fn read(file: &str) -> Vec<Transcript> {
    let path = directory().join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    transcript::read(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A test for each file of transcripts.
macro_rules! transcripts {
    ($($name:ident: $file:literal, $setting:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            play($file, $setting).await;
        })*

        /// The files that have a test.
        const PLAYED: &[&str] = &[$($file),*];
    };
}

transcripts! {
    contract: "contract.txt", async || Some(Setting::embedded(""));
    contract_over_postgres: "contract.txt", Setting::postgres;
    asking: "asking.txt", async || Some(Setting::embedded(""));
    watching: "watching.txt", async || Some(Setting::embedded(""));
    broker: "broker.txt", async || Some(Setting::embedded(""));
    lines: "lines.txt", async || Some(Setting::embedded(""));
    resuming: "resuming.txt", async || Some(Setting::embedded(""));
    bad_input: "bad_input.txt", async || Some(Setting::embedded(""));
    short_memory: "short_memory.txt", async || Some(Setting::embedded("[log]\nentries = 2\n"));
    always_initial: "always_initial.txt", async || Some(Setting::embedded("[monorail]\ninitial = \"always\"\n"));
    narrow: "narrow.txt", async || Some(Setting::embedded("[monorail]\nmax_watches = 2\nmax_items = 2\n"));
}

#[test]
fn every_file_of_transcripts_is_played_and_readable() {
    let entries = std::fs::read_dir(directory()).expect("the transcripts are there");
    for entry in entries {
        let file = entry.expect("a readable directory").file_name().into_string().expect("a plain name");
        assert!(PLAYED.contains(&&*file), "{file} has no test");
        assert!(!read(&file).is_empty(), "{file} has no transcript");
    }
}
