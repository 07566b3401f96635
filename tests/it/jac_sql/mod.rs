//! Pushes that a database takes part in: operations that are its functions, whatever else SQL code pushes, and several
//! servers that tell each other.

mod nodes;
mod nodes_lost;
mod operator;
mod walkers;

use crate::postgres::Database;
use crate::socket::Socket;
use reqwest::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tidings::app::App;
use tidings::config::{Config, Overrides};
use tokio_postgres::Client;

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\n";

/// Functions of every kind.
const FUNCTIONS: &str = r#"
create schema app;
create table app.calls (id int primary key deferrable initially deferred);
create function app.echo(context jsonb, viewer jsonb) returns jsonb language sql as $$
    select jsonb_build_array(context, viewer) $$;
create function app.nothing(jsonb, jsonb) returns jsonb language sql as $$ select null::jsonb $$;
create function app.value(context jsonb, jsonb) returns jsonb language sql as $$ select context->'value' $$;
create function app.types(jsonb, jsonb) returns jsonb language sql as $$
    select jsonb_build_array(timestamp '2026-01-02 03:04:05.678', date '2026-01-02', interval '1 day', 1e30::float8,
        '\xff00'::bytea, gen_random_uuid() is not null, '10.0.0.1'::inet, int4range(1, 5), array[1, null],
        123456789012345678901234567890.5::numeric) $$;
create function app.many(jsonb, jsonb) returns jsonb language sql as $$
    select jsonb_agg(repeat('x', 100)) from generate_series(1, 30000) $$;
create function app.tell(context jsonb, viewer jsonb) returns jsonb language plpgsql as $$ begin
    perform tidings.notify_self('{"to": "self"}');
    perform tidings.notify_channels(array[context->>'room'], jsonb_build_object('n', context->'n', 'at', date '2026-01-02'));
    perform tidings.notify_users(array[viewer->>'root_id'], '{"to": "user"}');
    return '"told"';
end $$;
create function app.raise(context jsonb, viewer jsonb) returns jsonb language plpgsql as $$ begin
    perform app.tell(context, viewer);
    raise exception 'no % today', context->>'room';
end $$;
create function app.break(context jsonb, viewer jsonb) returns jsonb language plpgsql as $$ begin
    perform app.tell(context, viewer);
    return to_jsonb(1 / (length(context->>'room') - length(context->>'room')));
end $$;
create function app.late(context jsonb, viewer jsonb) returns jsonb language plpgsql as $$ begin
    perform app.tell(context, viewer);
    insert into app.calls values (1), (1);
    return '"it fails at the commit"';
end $$;
create function app.slow(context jsonb, viewer jsonb) returns jsonb language plpgsql as $$ begin
    perform app.tell(context, viewer);
    perform pg_sleep((context->>'seconds')::float8);
    return '"slept"';
end $$;
create function app.settings(jsonb, jsonb) returns jsonb language sql as $$
    select jsonb_build_array(current_setting('tidings.client_id', true), current_setting('transaction_isolation'),
        current_setting('statement_timeout')) $$;
create function app."odd ""name.(" (jsonb, jsonb) returns jsonb language sql as $$ select '"odd"'::jsonb $$;
"#;

/// A database with the functions.
async fn prepared() -> Option<(Database, Client)> {
    let database = Database::create().await?;
    let client = database.client().await;
    client.batch_execute(FUNCTIONS).await.expect("functions");
    Some((database, client))
}

/// A server whose operations are the functions of this database; `more` is said of its channel, `beside` of the rest.
fn configuration(database: &Database, more: &str, beside: &str) -> String {
    let source = format!("[sources.app]\nurl = \"{}\"\ninstall = true\nconnections = 2\n", database.url());
    let mut walkers = String::new();
    for name in ["echo", "nothing", "value", "types", "many", "tell", "raise", "break", "late", "slow", "settings"] {
        walkers += &walker(name, &format!("app.{name}"), "");
    }
    walkers += &walker("hurried", "app.slow", ", timeout = \"1s\"");
    walkers += &walker("odd", "app.\\\"odd \\\"\\\"name.(\\\"", "");
    let channel = format!("[channels.\"/websocket\"]\ndialect = \"jac\"\npush = \"anyone\"\n{more}");
    format!("{SERVER}{source}{beside}{channel}\n[channels.\"/websocket\".walkers]\n{walkers}")
}

fn walker(name: &str, function: &str, more: &str) -> String {
    let fixed = "kind = \"sql\", source = \"app\", methods = [\"websocket\", \"post\"], auth = \"optional\"";
    format!("{name} = {{ {fixed}, function = \"{function}\"{more} }}\n")
}

/// Starts a server that knows the token of a backend.
async fn start(configuration: &str) -> App {
    let variables = BTreeMap::from([("SERVICE".to_owned(), "backend".to_owned())]);
    let overrides = Overrides { variables, ..Overrides::default() };
    let config = Config::from_text("test", configuration, &overrides);
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    App::start(config).await.unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// A socket in a channel, and its client id.
async fn open(app: &App, channel: &str) -> (Socket, String) {
    let url = format!("ws://{}/websocket?channel_id={channel}", app.address());
    let mut socket = Socket::open(&url).await.expect("an upgrade");
    let hello = socket.json().await;
    assert_eq!(hello["type"], "connection", "{hello}");
    (socket, hello["data"]["client_id"].as_str().expect("an id").to_owned())
}

/// Calls an operation and asks for its answer.
async fn call(socket: &mut Socket, walker: &str, context: Value) {
    let message = json!({"type": "walker", "walker": walker, "response": true, "context": context});
    socket.say(message.to_string()).await;
}

/// Calls an operation as a backend does; the status and the answer.
async fn post(app: &App, walker: &str, context: &str) -> (u16, Value) {
    read(ask(app, &format!("/walker/{walker}"), context, "").await).await
}

async fn ask(app: &App, path: &str, body: &str, token: &str) -> Response {
    let request = reqwest::Client::new().post(format!("http://{}{path}", app.address())).body(body.to_owned());
    let request = request.header("content-type", "application/json");
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    request.send().await.expect("an answer")
}

async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a text");
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
}

/// Everything said before on this socket was handled, and nothing has come of it.
async fn is_silent(socket: &mut Socket) {
    socket.say("{\"type\":\"connection\"}").await;
    let next = socket.json().await;
    assert_eq!(next["type"], "connection", "{next}");
}
