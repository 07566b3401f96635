//! Pushes from inside the database: installing, removing and examining the table `tidings.push` with its functions,
//! and the functions that operations run.

use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::postgres::failure::failure;
use crate::postgres::name::{TableName, quote};
use tokio_postgres::Client;

const PUSH: &str = include_str!("../../sql/push.sql");
const REMOVE: &str = include_str!("../../sql/push_remove.sql");

/// The SQL that [`install`] runs.
pub fn print() -> String {
    format!("begin;\n{PUSH}commit;\n")
}

/// The SQL that takes it away again.
pub fn removal() -> String {
    format!("begin;\n{REMOVE}commit;\n")
}

/// Makes the table and the functions, or brings them up to date.
///
/// # Errors
/// `Refused` when this user may not.
pub async fn install(client: &Client) -> Result<()> {
    client.batch_execute(&print()).await.map_err(|error| failure("installing tidings.push", error))
}

/// A function's name as SQL needs it.
///
/// # Errors
/// `Configuration` when it is none.
pub fn function(text: &str) -> Result<TableName> {
    let sentence = || format!("{text:?} is not the name of a function; it is like app.send");
    text.parse().map_err(|_| Error::new(Kind::Configuration, sentence()))
}

/// Whether the table is there, and complete.
///
/// # Errors
/// `Unreachable` when the database cannot be asked.
pub async fn is_installed(client: &Client) -> Result<bool> {
    let row = client.query_one(INSTALLED, &[]).await.map_err(|error| failure("looking at tidings.push", error))?;
    Ok(row.get(0))
}

/// What the database shows at this moment.
///
/// # Errors
/// `Unreachable` when it cannot be asked.
pub async fn snapshot(client: &Client) -> Result<String> {
    let row = client.query_one("select pg_current_snapshot()::text", &[]).await;
    row.map(|row| row.get(0)).map_err(|error| failure("reading the snapshot", error))
}

/// What a program needs that reads and writes the table and runs these functions.
///
/// # Errors
/// `Unreachable` when the database cannot be asked.
pub async fn examine(client: &Client, functions: &[TableName]) -> Result<Vec<Finding>> {
    let user = client.query_one("select current_user::text", &[]).await;
    let user = quote(user.map_err(|error| failure("looking at the user", error))?.get(0));
    let mut findings = Vec::new();
    if is_installed(client).await? {
        findings.push(Finding::good("pushes from inside the database are installed"));
        findings.extend(missing_rights(client, &user).await?);
    } else {
        findings.push(Finding::bad("pushes from inside the database are not installed", Some(print())));
    }
    for function in functions {
        findings.push(of_function(client, function, &user).await?);
    }
    Ok(findings)
}

async fn missing_rights(client: &Client, user: &str) -> Result<Option<Finding>> {
    let row = client.query_one(RIGHTS, &[]).await.map_err(|error| failure("looking at the rights", error))?;
    let (may_use, missing): (bool, Vec<String>) = (row.get(0), row.get(1));
    let mut grants = Vec::new();
    if !may_use {
        grants.push(format!("grant usage on schema tidings to {user};"));
    }
    if !missing.is_empty() {
        grants.push(format!("grant {} on tidings.push to {user};", missing.join(", ")));
    }
    let sentence = "this user may not read, write and empty tidings.push";
    Ok((!grants.is_empty()).then(|| Finding::bad(sentence, Some(grants.join("\n")))))
}

/// A function takes the context and the viewer, and returns the reports.
async fn of_function(client: &Client, function: &TableName, user: &str) -> Result<Finding> {
    let signature = format!("{}(jsonb, jsonb)", function.quoted());
    let found = client.query_opt(FUNCTION, &[&signature]).await;
    if let (Err(error), Some(schema)) = (&found, &function.schema)
        && error.code().is_some_and(|code| code.code() == "42501")
    {
        let grant = format!("grant usage on schema {} to {user};", quote(schema));
        return Ok(Finding::bad(format!("this user may not use the schema {schema}"), Some(grant)));
    }
    let Some(row) = found.map_err(|error| failure("looking at the functions", error))? else {
        let sentence = format!("there is no function {function} (jsonb, jsonb) returns jsonb");
        let body = "language plpgsql as $$\nbegin\n    return null;  -- or a jsonb array of reports\nend\n$$;";
        let create = format!("create function {}(context jsonb, viewer jsonb) returns jsonb", function.quoted());
        return Ok(Finding::bad(sentence, Some(format!("{create} {body}"))));
    };
    let (returns_json, may_run): (bool, bool) = (row.get(0), row.get(1));
    if !returns_json {
        return Ok(Finding::bad(format!("the function {function} (jsonb, jsonb) does not return one jsonb"), None));
    }
    if !may_run {
        let grant = format!("grant execute on function {signature} to {user};");
        return Ok(Finding::bad(format!("this user may not run the function {function}"), Some(grant)));
    }
    Ok(Finding::good(format!("the function {function} is there")))
}

/// By the catalogs: a name in a schema that this user may not use would be an error.
const INSTALLED: &str = "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         join pg_trigger t on t.tgrelid = c.oid and t.tgname = 'push_bell' and t.tgenabled in ('O', 'A') \
         where n.nspname = 'tidings' and c.relname = 'push') \
     and 6 = (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
         where n.nspname = 'tidings' and p.proname in \
             ('push_bell', 'queue_push', 'notify_users', 'notify_channels', 'notify_clients', 'notify_self'))";

const RIGHTS: &str = "select has_schema_privilege('tidings', 'usage'), \
     array(select name from unnest(array['select', 'insert', 'delete']) as name \
         where not has_table_privilege(c.oid, name)) \
     from pg_class c join pg_namespace n on n.oid = c.relnamespace \
     where n.nspname = 'tidings' and c.relname = 'push'";

const FUNCTION: &str = "select prorettype = 'jsonb'::regtype and not proretset and prokind = 'f', \
     has_function_privilege(oid, 'execute') from pg_proc where oid = to_regprocedure($1)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_as_a_table_is() {
        assert_eq!(function("app.send").expect("a name").quoted(), "\"app\".\"send\"");
        assert_eq!(function("\"A.b\".\"x\"\"(); drop\"").expect("a name").quoted(), "\"A.b\".\"x\"\"(); drop\"");
        for text in ["", "a.b.c", "a\"", "\0"] {
            let error = function(text).expect_err("no name");
            assert!(error.to_string().contains("name of a function"), "{error}");
        }
    }
}
