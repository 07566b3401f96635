//! Whether a database is fit to be followed, and what to do where it is not.

use crate::error::{Kind, Result};
use crate::finding::Finding;
use crate::postgres::address::Address;
use crate::postgres::capture::{Readiness, Way, Wish};
use crate::postgres::connect::connect;
use crate::postgres::failure::failure;
use crate::postgres::name::{TableName, literal, quote};
use crate::postgres::outbox::{Lack, State};
use crate::postgres::slot_doctor;
use crate::postgres::table::{self, Binding};
use std::time::Duration;
use tokio_postgres::Client;

/// The oldest server that can be followed: the first with `xid8` and `pg_current_snapshot`.
const OLDEST: i32 = 13;

/// Looks at everything that following these tables needs, in the order in which it is needed. Stops early only
/// where nothing further can be asked. `install` is the command that installs what capturing needs.
pub async fn examine(address: &Address, bindings: &[Binding], wish: &Wish, install: &str) -> Vec<Finding> {
    let (client, _task) = match connect(address, Duration::from_secs(30), None).await {
        Ok(connection) => connection,
        Err(error) => return vec![Finding::of(&error)],
    };
    let mut findings = Vec::new();
    if let Err(error) = look(&client, address, bindings, wish, install, &mut findings).await {
        findings.push(Finding::of(&error));
    }
    findings
}

async fn look(
    client: &Client,
    address: &Address,
    bindings: &[Binding],
    wish: &Wish,
    install: &str,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let failed = |error| failure("looking at the server", error);
    let server = client
        .query_one(
            "select current_setting('server_version_num')::int / 10000, pg_is_in_recovery(), current_user::text",
            &[],
        )
        .await
        .map_err(failed)?;
    let (version, standby): (i32, bool) = (server.get(0), server.get(1));
    let user: String = server.get(2);
    findings.push(match version {
        version if version < OLDEST => {
            Finding::bad(format!("Postgres {version} is too old: {OLDEST} is the oldest that works"), None)
        }
        version => Finding::good(format!("Postgres {version} answers at {}", address.shown())),
    });
    if standby {
        findings.push(Finding::bad("this server is a standby: name the primary", None));
    }
    let mut captured = Vec::new();
    for binding in bindings {
        match table::load(client, std::slice::from_ref(binding)).await {
            Ok(tables) => captured.extend(tables.into_iter().map(|table| table.name)),
            Err(error) => findings.push(match read_right(client, binding, &user).await {
                Some(grant) => Finding::bad(format!("{} may not be read by this user", binding.table), Some(grant)),
                None => Finding::of(&error),
            }),
        }
    }
    if !captured.is_empty() {
        findings.push(Finding::good(format!("{} of {} tables can be read", captured.len(), bindings.len())));
    }
    let readiness = Readiness::of(client, &wish.publication, &captured).await?;
    if readiness.way(wish.way) == Way::Slot {
        findings.extend(slot_doctor::examine(client, wish, &readiness, install).await?);
        return Ok(());
    }
    match readiness.outbox {
        Ok(state) => {
            judge(&state, install, findings);
            findings.extend(missing_rights(client, &state, &user).await?);
        }
        Err(error) if error.kind() == Kind::Refused => {
            let allow = format!("select tidings.allow({});  -- as whoever installed it", literal(&quote(&user)));
            findings.push(Finding::bad("this user may not read the outbox", Some(allow)));
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let may_purge = client
        .query_opt(
            "select has_function_privilege(oid, 'execute') from pg_proc \
             where proname = 'purge' and pronamespace = to_regnamespace('tidings')",
            &[],
        )
        .await
        .map_err(failed)?;
    if may_purge.is_some_and(|row| !row.get::<_, bool>(0)) {
        let allow = format!("select tidings.allow({});", literal(&quote(&user)));
        findings.push(Finding::bad("the outbox is never emptied: this user may not purge it", Some(allow)));
    }
    Ok(())
}

fn judge(state: &State, install: &str, findings: &mut Vec<Finding>) {
    let lacks = state.lacks();
    if !matches!(lacks.first(), Some(Lack::Outbox | Lack::Older(_) | Lack::Newer(_))) {
        findings.push(Finding::good("the outbox is installed"));
    }
    for lack in lacks {
        let fix = match &lack {
            Lack::Outbox | Lack::Older(_) => Some(install.to_owned()),
            Lack::Newer(_) => None,
            // Goes without saying.
            Lack::Trigger(_) if state.version.is_none() => continue,
            Lack::Trigger(table) => Some(format!("select tidings.attach({});", literal(&table.quoted()))),
        };
        findings.push(Finding::bad(lack.to_string(), fix));
    }
}

/// What this user would need to install what is missing itself. Only who owns the outbox can attach tables to it.
async fn missing_rights(client: &Client, state: &State, user: &str) -> Result<Option<Finding>> {
    let names: Vec<String> = state.unattached.iter().map(TableName::quoted).collect();
    let row = client
        .query_one(
            "select current_database()::text, has_database_privilege(current_database(), 'create'), \
             array(select name from unnest($1::text[]) as name where not has_table_privilege(to_regclass(name), 'trigger')), \
             (select has_function_privilege(oid, 'execute') from pg_proc \
                 where proname = 'attach' and pronamespace = to_regnamespace('tidings'))",
            &[&names],
        )
        .await
        .map_err(|error| failure("looking at the rights", error))?;
    let (may_create, may_attach): (bool, Option<bool>) = (row.get(1), row.get(3));
    let user = quote(user);
    let mut grants = Vec::new();
    if state.version.is_none() && !may_create {
        grants.push(format!("grant create on database {} to {user};", quote(row.get(0))));
    }
    if may_attach != Some(false) {
        grants.extend(row.get::<_, Vec<String>>(2).iter().map(|table| format!("grant trigger on {table} to {user};")));
    }
    let sentence = "this user may not install it: let the owner of the tables do it, or grant";
    Ok((!grants.is_empty()).then(|| Finding::bad(sentence, Some(grants.join("\n")))))
}

/// The grant that is missing, if that is what is wrong with a table that exists.
async fn read_right(client: &Client, binding: &Binding, user: &str) -> Option<String> {
    let name = binding.table.quoted();
    let row = client.query_one("select has_table_privilege(to_regclass($1::text), 'select')", &[&name]).await.ok()?;
    let may_read: Option<bool> = row.get(0);
    (may_read == Some(false)).then(|| format!("grant select on {name} to {};", quote(user)))
}
