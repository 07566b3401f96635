//! What an operator is told of pushes from inside a database, and how they are installed and removed.

use super::{FUNCTIONS, SERVER, walker};
use crate::postgres::Database;
use crate::program::tidings;
use tempfile::TempDir;
use tidings::postgres::push;
use tokio_postgres::Client;

/// A file with one operation, and the path of it.
fn file(database: &Database, function: &str, more: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("tidings.toml");
    let walkers = walker("send", function, "");
    let text = format!(
        "{SERVER}[sources.app]\nurl = \"{}\"\n{more}[channels.\"/websocket\"]\ndialect = \"jac\"\n\
         [channels.\"/websocket\".walkers]\n{walkers}",
        database.url()
    );
    std::fs::write(&path, text).expect("it is written");
    (directory, path.display().to_string())
}

async fn is_there(client: &Client, name: &str) -> bool {
    let row = client.query_one("select to_regclass($1) is not null", &[&name]).await.expect("an answer");
    row.get(0)
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_sql_for_it_and_installed_when_asked() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    let (_directory, path) = file(&database, "app.echo", "");
    let refused = tidings(&["serve", "--quiet", "--config", &path]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("nothing was changed in it"), "{}", refused.err);
    assert!(refused.err.contains("  - pushes from inside the database are not installed"), "{}", refused.err);
    assert!(!is_there(&client, "tidings.push").await);

    let check = tidings(&["check", "--config", &path]).await;
    assert_eq!(check.code, Some(3), "{}{}", check.out, check.err);
    for line in
        ["create table if not exists tidings.push (", "create function \"app\".\"echo\"(context jsonb, viewer jsonb)"]
    {
        assert!(check.out.contains(line), "{}", check.out);
    }
    let print = tidings(&["sql", "print", "--config", &path]).await;
    assert!(print.out.contains(&push::print()), "{}{}", print.out, print.err);
    for _ in 0..2 {
        let install = tidings(&["sql", "install", "--config", &path]).await;
        assert_eq!(install.code, Some(0), "{}", install.err);
    }
    client.batch_execute(FUNCTIONS).await.expect("functions");
    let check = tidings(&["check", "--config", &path]).await;
    assert_eq!(check.code, Some(0), "{}{}", check.out, check.err);
    assert!(check.out.contains("ok     the function app.echo is there"), "{}", check.out);

    let remove = tidings(&["sql", "remove", "--config", &path]).await;
    assert_eq!(remove.code, Some(0), "{}", remove.err);
    let left = "select count(*) from pg_namespace where nspname = 'tidings'";
    assert_eq!(client.query_one(left, &[]).await.expect("a count").get::<_, i64>(0), 0);
}

#[tokio::test]
async fn functions_of_another_form_and_missing_rights_are_told_with_the_grant() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    let role = format!("r{}", uuid::Uuid::new_v4().simple());
    let more = format!(
        "{FUNCTIONS} create function app.text(jsonb, jsonb) returns text language sql as $$ select '' $$; \
         create function app.rows(jsonb, jsonb) returns setof jsonb language sql as $$ select $1 $$; \
         create procedure app.act(jsonb, jsonb) language sql as $$ select 1 $$; create role {role}; \
         grant usage on schema app to {role}; revoke execute on function app.echo from public"
    );
    client.batch_execute(&more).await.expect("functions");
    push::install(&client).await.expect("it is installed");
    let findings = async |function: &str| {
        let function = push::function(function).expect("a name");
        push::examine(&client, &[function]).await.expect("an answer")
    };
    assert!(findings("app.echo").await.iter().all(|finding| finding.ok));
    for wrong in ["app.text", "app.rows", "app.act", "app.nobody", "nowhere.echo", "echo"] {
        assert!(findings(wrong).await.iter().any(|finding| !finding.ok), "{wrong}");
    }
    client.batch_execute(&format!("set role {role}")).await.expect("another role");
    let findings = findings("app.echo").await;
    let grants: Vec<String> = findings.into_iter().filter_map(|finding| finding.fix).collect();
    client.batch_execute("reset role").await.expect("the first role");
    let drop = format!("drop owned by {role}; drop role {role}");
    client.batch_execute(&drop).await.expect("it is dropped");
    assert_eq!(
        grants,
        [
            format!(
                "grant usage on schema tidings to \"{role}\";\ngrant select, insert, delete on tidings.push to \"{role}\";"
            ),
            format!("grant execute on function \"app\".\"echo\"(jsonb, jsonb) to \"{role}\";"),
        ]
    );
}

#[tokio::test]
async fn pushes_and_the_outbox_share_their_schema_in_either_order() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client
        .batch_execute(&format!("{FUNCTIONS} create table public.nodes (id int primary key)"))
        .await
        .expect("a table");
    let (_directory, path) = file(&database, "app.echo", "capture = \"outbox\"\ndiscover = true\n");
    for _ in 0..2 {
        push::install(&client).await.expect("pushes first");
        let install = tidings(&["sql", "install", "--config", &path]).await;
        assert_eq!(install.code, Some(0), "{}", install.err);
        assert!(is_there(&client, "tidings.push").await && is_there(&client, "tidings.change").await);
        let may = "select has_function_privilege('public', 'tidings.notify_self(jsonb)', 'execute'), \
            has_function_privilege('public', 'tidings.attach(regclass)', 'execute')";
        let row = client.query_one(may, &[]).await.expect("rights");
        assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (true, false));
        let check = tidings(&["check", "--config", &path]).await;
        assert_eq!(check.code, Some(0), "{}{}", check.out, check.err);
        let remove = tidings(&["sql", "remove", "--config", &path]).await;
        assert_eq!(remove.code, Some(0), "{}", remove.err);
        assert!(!is_there(&client, "tidings.push").await && !is_there(&client, "tidings.change").await);
    }
}

#[tokio::test]
async fn the_tables_of_each_dialect_are_printed_and_can_be_run() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    for dialect in ["monorail", "files", "misakey", "jac"] {
        let printed = tidings(&["sql", "schema", dialect]).await;
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        client.batch_execute(&printed.out).await.expect(dialect);
    }
    assert!(is_there(&client, "tidings.push").await && is_there(&client, "files").await);
    let unknown = tidings(&["sql", "schema", "nonsense"]).await;
    assert!(unknown.code == Some(2) && unknown.err.contains("monorail"), "{}", unknown.err);
}
