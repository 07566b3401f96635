//! What a configuration says of resources: names, keys, aliases, who sees what, who may write.

use crate::postgres::Database;
use crate::program::{Running, tidings, tidings_with};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const TABLES: &str = "
    create schema plant;
    create table plant.machines (serial text primary key, name text, password text, config jsonb);
    create table public.workflows (id int not null, \"instanceId\" text primary key, _status text);
    create table public.audit (id int primary key, what text);
    insert into plant.machines values ('m1', 'one', 'hush', '{\"a\": 1, \"apiKey\": \"hush\"}');
    insert into public.workflows values (1, 'w1', 'running');
    insert into public.audit values (1, 'seen');";

fn configuration(directory: &TempDir, text: &str) -> String {
    let path = directory.path().join("tidings.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn send(server: &Running, method: &str, path: &str, body: &Value, token: Option<&str>) -> u16 {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let mut request = reqwest::Client::new().request(method, server.http(path)).body(body.to_string());
    request = request.header("content-type", kind);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn names_aliases_hidden_columns_and_writes_are_as_configured() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client.batch_execute(TABLES).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = configuration(
        &directory,
        &format!(
            r#"
        [sources.db]
        url = "{}"
        [resources.nodes]
        table = "plant.machines"
        hide = ["password", "config.apiKey"]
        writable = true
        [resources.workflows]
        id = "instanceId"
        aliases = ["graphObjs"]
        "#,
            database.url()
        ),
    );
    let mut server = Running::serve(&["--install", "--config", &path]).await;
    let shown = json!({"serial": "m1", "id": "m1", "name": "one", "config": {"a": 1}});
    assert_eq!(server.json("/api/nodes").await, json!([shown]));
    assert_eq!(server.json("/api/nodes/m1").await, shown);
    assert_eq!(server.get("/api/audit").await.0, 404, "what is not named is not served");

    let (mut nodes, items) = server.watch("/nodes").await;
    assert_eq!(items, [shown]);
    let (mut workflows, items) = server.watch("/graphObjs").await;
    assert_eq!((&items[0]["instanceId"], &items[0]["id"]), (&json!("w1"), &json!(1)), "the row's own id stays");

    client.batch_execute("update public.workflows set _status = 'done'").await.unwrap();
    let told = workflows.json().await;
    assert_eq!((&told["id"], &told["data"]["_status"]), (&json!(["updated", "w1"]), &json!("done")), "{told}");
    // A change of nothing but what is hidden is none.
    client.batch_execute("update plant.machines set password = 'changed'").await.unwrap();

    assert_eq!(send(&server, "PUT", "/api/nodes/m2", &json!({"name": "two"}), None).await, 201);
    assert_eq!(send(&server, "PATCH", "/api/nodes/m2", &json!({"name": "zwei"}), None).await, 200);
    assert_eq!(send(&server, "DELETE", "/api/nodes/m2", &json!({}), None).await, 204);
    let (created, updated, removed) = (nodes.json().await, nodes.json().await, nodes.json().await);
    assert_eq!((&created["id"], &created["data"]["name"]), (&json!(["created", "m2"]), &json!("two")), "{created}");
    assert_eq!((&updated["id"], &updated["data"]["name"]), (&json!(["updated", "m2"]), &json!("zwei")), "{updated}");
    assert_eq!((&removed["handler"], &removed["id"]), (&json!("remove"), &json!("m2")), "{removed}");
    for text in [created, updated, removed, server.json("/api/nodes").await] {
        assert!(!text.to_string().contains("hush") && !text.to_string().contains("password"), "{text}");
    }
    let kept: String = client.query_one("select password from plant.machines", &[]).await.unwrap().get(0);
    assert_eq!(kept, "changed", "a write leaves what is hidden as it was");
    assert_eq!(send(&server, "PUT", "/api/workflows/w2", &json!({"id": 2}), None).await, 405, "it is not writable");
    server.stop().await;
    assert!(!server.said().contains("hush"), "{}", server.said());
}

#[tokio::test]
async fn read_rules_hold_for_requests_and_for_watches() {
    let Some(database) = Database::create().await else { return };
    database.client().await.batch_execute(TABLES).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = configuration(
        &directory,
        &format!(
            r#"
        [sources.db]
        url = "{}"
        [resources.workflows]
        read = "anyone"
        id = "instanceId"
        [resources.audit]
        read = ["auditor"]
        [auth]
        jwt.algorithm = "HS256"
        jwt.secret = "0123456789abcdef0123456789abcdef"
        "#,
            database.url()
        ),
    );
    let mut server = Running::serve(&["--install", "--config", &path]).await;
    let token = async |arguments: &[&str]| {
        let ended = tidings(&[&["token", "--config", &path], arguments].concat()).await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out.trim().to_owned()
    };
    let auditor = token(&["--subject", "ann", "--role", "auditor"]).await;
    let other = token(&["--subject", "bob", "--role", "operator"]).await;
    assert_eq!(server.json("/api/workflows").await.as_array().unwrap().len(), 1);
    for (token, items, status) in [(Some(&auditor), Some(1), 200), (Some(&other), None, 404), (None, None, 404)] {
        let query = token.map(|token| format!("?access_token={token}")).unwrap_or_default();
        let (found, _) = server.get(&format!("/api/audit{query}")).await;
        assert_eq!(found, status, "{query}");
        let mut socket = server.socket(&format!("/audit{query}")).await;
        socket.say(r#"{"handler":"watch","initial":true,"ref":1}"#).await;
        let told = socket.json().await;
        assert_eq!(told["items"].as_array().map(Vec::len), items, "{told}");
    }
    let (status, _) = server.get("/api/audit?access_token=forged").await;
    assert_eq!(status, 401);
    server.stop().await;
    for token in [&auditor, &other] {
        assert!(!server.said().contains(&**token), "{}", server.said());
    }

    let ended = tidings_with(&["token", "--subject", "ann"], &[]).await;
    assert_eq!((ended.code, &*ended.err), (Some(2), "error: nothing to sign with; give --config or --secret-env\n"));
}

#[tokio::test]
async fn two_databases_with_a_table_of_the_same_name_are_served_together() {
    let (Some(one), Some(two)) = (Database::create().await, Database::create().await) else { return };
    let (first, second) = (one.client().await, two.client().await);
    for (client, name) in [(&first, "one"), (&second, "two")] {
        let sql = format!(
            "create table public.nodes (id int primary key, name text); insert into public.nodes values (1, '{name}')"
        );
        client.batch_execute(&sql).await.unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let named = configuration(
        &directory,
        &format!(
            "[sources.one]\nurl = \"{}\"\n[sources.two]\nurl = \"{}\"\n[resources.nodes]\nsource = \"one\"\n\
         [resources.others]\nsource = \"two\"\ntable = \"nodes\"\n",
            one.url(),
            two.url()
        ),
    );
    // As resources of a file, and discovered.
    let found = format!("/{}.nodes", two.url().rsplit_once('/').unwrap().1);
    for (arguments, other) in
        [(vec!["--install", "--config", &named], "/others"), (vec![&*one.url(), &*two.url()], &*found)]
    {
        let mut server = Running::serve(&arguments).await;
        for (path, client, name) in [("/nodes", &first, "one"), (other, &second, "two")] {
            let (mut socket, items) = server.watch(path).await;
            assert_eq!(items[0]["name"], json!(name));
            client.batch_execute("update public.nodes set name = name || '!'").await.unwrap();
            let told = socket.json().await;
            assert_eq!(told["data"]["name"], json!(format!("{name}!")));
            client.batch_execute(&format!("update public.nodes set name = '{name}'")).await.unwrap();
        }
        server.stop().await;
    }
}
