//! Every failure is a sentence that says what to do, and an exit code that says whose it is.

use crate::postgres::Database;
use crate::program::{Ended, OutboxFile, Running, tidings};
use std::fs;
use tokio_postgres::Client;

/// What a start says that fails: one line, no dump of an error, nothing said twice.
fn sentence(ended: &Ended, code: i32) -> &str {
    assert_eq!(ended.code, Some(code), "{}", ended.err);
    let line = ended.err.strip_prefix("error: ").and_then(|rest| rest.strip_suffix('\n')).expect("one error");
    for unwanted in ["\n", "Error", "{ ", "Some(", "db error", "***: ***", "secret"] {
        assert!(!line.contains(unwanted), "{unwanted:?} in {line}");
    }
    let parts: Vec<&str> = line.split(": ").collect();
    for (index, part) in parts.iter().enumerate() {
        assert!(!parts[index + 1..].contains(part), "{part:?} is said twice in {line}");
    }
    line
}

async fn serve(arguments: &[&str]) -> Ended {
    tidings(&[&["serve", "--quiet", "--listen", "127.0.0.1:0"], arguments].concat()).await
}

/// The URL with another user and, perhaps, a password.
fn with_user(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{user}@{place}")
}

/// A role that may log in, until it is dropped.
struct Role {
    name: String,
    client: Client,
}

impl Role {
    async fn create(database: &Database, rights: &str) -> Role {
        let role = Role { name: format!("low_{}", uuid::Uuid::new_v4().simple()), client: database.client().await };
        let create = format!("create role {} login; {}", role.name, rights.replace("ROLE", &role.name));
        role.client.batch_execute(&create).await.unwrap();
        role
    }

    async fn drop(self) {
        self.client.batch_execute(&format!("drop owned by {0}; drop role {0}", self.name)).await.unwrap();
    }
}

#[tokio::test]
async fn all_mistakes_of_a_configuration_are_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    let text = "[server]\nlistn = \"127.0.0.1:0\"\ndrain_seconds = \"5\"\n\n[sources.db]\nurl = \"postgres://h/db\"\n\
        captur = \"auto\"\n\n[resources.nodes]\nsource = \"bd\"\n\n[monorail]\nchannels = { graphObjs = \"node\" }\n";
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    for command in ["serve", "check"] {
        let ended = tidings(&[command, "--config", path]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        let wanted = [
            "2: server.listn: there is no such key; did you mean \"listen\"?",
            "3: server.drain_seconds: a text is given, a whole number is wanted",
            "7: sources.db.captur: there is no such key; did you mean \"capture\"?",
            "10: resources.nodes.source: \"bd\" is given, one of \"db\", \"embedded\" is wanted; did you mean \"db\"?",
            "13: monorail.channels.graphObjs: there is no resource \"node\"; did you mean \"nodes\"?",
        ];
        let wanted = wanted.map(|mistake| format!("error: {path}:{mistake}"));
        assert_eq!(ended.err.lines().collect::<Vec<_>>(), wanted);
    }
    let ended = tidings(&["serve"]).await;
    assert!(sentence(&ended, 2).starts_with("there is nothing to serve: name a database"), "{}", ended.err);
    let ended = tidings(&["serve", "--config", "/nowhere.toml"]).await;
    assert!(sentence(&ended, 2).starts_with("cannot read /nowhere.toml: No such file"), "{}", ended.err);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_or_does_not_let_us_in_says_why() {
    let ended = serve(&["postgres://ann:secret@127.0.0.1:1/inventory"]).await;
    let said = "source \"inventory\": connecting to Postgres at 127.0.0.1:1/inventory failed: \
        Connection refused (os error 111); start the server, or correct the URL";
    assert_eq!(sentence(&ended, 1), said);

    let Some(database) = Database::create().await else { return };
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    let unknown = database.url().replace(&name, "nowhere");
    let said = sentence(&serve(&[&unknown]).await, 1).to_owned();
    assert!(
        said.ends_with(
            "nowhere failed: database \"nowhere\" does not exist; create it, or correct the name in the URL"
        ),
        "{said}"
    );
    let said = sentence(&serve(&[&with_user(&database.url(), "nobody:secret")]).await, 1).to_owned();
    assert!(said.ends_with("; correct the user in the URL, or let it in (pg_hba.conf)"), "{said}");
    let said = sentence(&serve(&[&database.url()]).await, 1).to_owned();
    assert!(
        said.ends_with(&format!(
            "{name} has no table with a primary key that this user may read; there is nothing to serve"
        )),
        "{said}"
    );
}

#[tokio::test]
async fn a_missing_table_names_the_nearest() {
    let Some(database) = Database::create().await else { return };
    database.client().await.batch_execute("create table public.nodes (id int primary key, label text)").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    for (resource, said) in [
        ("[resources.nods]", "there is no table nods; did you mean nodes?"),
        ("[resources.nodes]\nid = \"lable\"", "public.nodes has no column lable; did you mean label?"),
        (
            "[resources.nodes]\nid = \"label\"",
            "a key must not be null: alter table \"public\".\"nodes\" alter column \"label\" set not null",
        ),
    ] {
        fs::write(&path, format!("[sources.db]\nurl = \"{}\"\n{resource}\n", database.url())).unwrap();
        let ended = serve(&["--config", path.to_str().unwrap()]).await;
        assert_eq!(sentence(&ended, 1), format!("source \"db\": {said}"));
        let check = tidings(&["check", "--config", path.to_str().unwrap()]).await;
        assert_eq!(check.code, Some(3));
        assert!(check.out.contains(&format!("  WRONG  {said}\n")), "{}", check.out);
    }
}

#[tokio::test]
async fn a_missing_right_is_named_with_its_grant() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client.batch_execute("create table public.nodes (id int primary key)").await.unwrap();
    let role = Role::create(&database, "").await;
    let url = with_user(&database.url(), &role.name);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    fs::write(&path, format!("[sources.db]\nurl = \"{url}\"\n[resources.nodes]\n")).unwrap();
    let path = path.to_str().unwrap();

    // Each time the grants that are printed are given, until the role can do all of it.
    let mut said = Vec::new();
    loop {
        let check = tidings(&["check", "--config", path]).await;
        let grants: String = check.out.lines().filter(|line| line.trim().starts_with("grant ")).collect();
        if grants.is_empty() {
            break;
        }
        said.push(sentence(&serve(&["--install", "--config", path]).await, 1).to_owned());
        client.batch_execute(&grants).await.unwrap();
    }
    assert_eq!(
        said[0],
        format!("source \"db\": nodes may not be read by this user: grant select on \"nodes\" to {};", role.name)
    );
    let said_next = "source \"db\": making the triggers on nodes failed: permission denied for table nodes; \
        `tidings check` prints the GRANT that is missing";
    assert_eq!(said[1..], [said_next]);
    Running::serve(&["--install", "--config", path]).await.stop().await;
    client.batch_execute("drop schema tidings cascade").await.unwrap();
    role.drop().await;

    // And a reader of what somebody else has installed.
    let reader = Role::create(&database, "grant select on public.nodes to ROLE").await;
    let url = with_user(&database.url(), &reader.name);
    let file = OutboxFile::of(&database.url());
    assert_eq!(tidings(&["sql", "install", "--config", &file.path()]).await.code, Some(0));
    let ended = serve(&[&url]).await;
    assert!(
        sentence(&ended, 1)
            .ends_with("permission denied for schema tidings; `tidings check` prints the GRANT that is missing")
    );
    let check = tidings(&["check", &url]).await;
    let allow = check.out.lines().find(|line| line.contains("tidings.allow")).expect("the right is printed");
    client.batch_execute(allow).await.unwrap();
    assert_eq!(tidings(&["check", &url]).await.code, Some(0));
    Running::serve(&[&url]).await.stop().await;
    reader.drop().await;
}

#[tokio::test]
async fn an_outbox_of_another_version_is_named_and_a_newer_one_left_alone() {
    let Some(database) = Database::create().await else { return };
    let file = OutboxFile::of(&database.url());
    let (client, path) = (database.client().await, file.path());
    client.batch_execute("create table public.nodes (id int primary key)").await.unwrap();
    assert_eq!(tidings(&["sql", "install", "--config", &path]).await.code, Some(0));
    client.batch_execute("update tidings.meta set version = 0").await.unwrap();
    let ended = serve(&["--config", &path]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert_eq!(ended.err.lines().nth(1), Some("  - the outbox is of version 0, this program needs 1"), "{}", ended.err);
    let check = tidings(&["check", "--config", &path]).await;
    assert!(check.out.ends_with(&format!("needs 1\n         tidings sql install --config {path}\n")), "{}", check.out);
    Running::serve(&["--install", "--config", &path]).await.stop().await;

    client.batch_execute("update tidings.meta set version = 9").await.unwrap();
    let newer = "the outbox is of version 9, this program knows 1: use a newer program";
    for arguments in [&["--install", "--config", &path][..], &["--config", &path]] {
        assert!(sentence(&serve(arguments).await, 1).ends_with(newer));
    }
    assert!(sentence(&tidings(&["sql", "install", "--config", &path]).await, 1).ends_with(newer));
    let version: i32 = client.query_one("select version from tidings.meta", &[]).await.unwrap().get(0);
    assert_eq!(version, 9);
}

#[tokio::test]
async fn a_port_or_a_directory_in_use_is_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    fs::write(&path, "[resources.nodes]\nsource = \"embedded\"\n").unwrap();
    let (path, data) = (path.to_str().unwrap(), directory.path().join("data").display().to_string());
    let first = Running::serve(&["--config", path, "--data", &data]).await;
    let ended = tidings(&["serve", "--config", path, "--listen", &first.address().to_string()]).await;
    let said = format!(
        "cannot listen on {}: the port is in use; end the program that has it, or choose another with --listen",
        first.address()
    );
    assert_eq!(sentence(&ended, 1), said);
    let ended = serve(&["--config", path, "--data", &data]).await;
    let said = format!("another process has {data}/log open; end it, or choose another directory with --data");
    assert_eq!(sentence(&ended, 1), said);
    let ended = serve(&["--config", path, "--data", path]).await;
    assert_eq!(sentence(&ended, 1), format!("cannot open {path}/log: Not a directory (os error 20)"));
}
