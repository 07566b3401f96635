//! Whether a database is fit to be followed by a slot, and how that slot is.

use crate::error::Result;
use crate::finding::Finding;
use crate::postgres::capture::{Readiness, Wish};
use crate::postgres::name::literal;
use crate::postgres::publication::{self, Lack, State};
use crate::postgres::slot::{self, Server, Slot};
use tokio_postgres::Client;

/// Retained WAL that is worth a look.
const MUCH_WAL: u64 = 1 << 30;

/// Looks at the server, the publication, the replica identities and the slot. `install` is the command that publishes
/// the tables.
///
/// # Errors
/// When the server cannot be asked.
pub async fn examine(client: &Client, wish: &Wish, readiness: &Readiness, install: &str) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let obstacles = readiness.server.obstacles();
    if obstacles.is_empty() {
        findings.push(Finding::good("this user may stream the server's log"));
    }
    findings.extend(obstacles.into_iter().map(|(sentence, fix)| Finding::bad(sentence, fix)));
    judge_publication(&readiness.publication, install, &mut findings);
    judge_identities(&readiness.publication, &mut findings);
    let name = wish.slot_in(&readiness.server.database);
    let found = slot::find(client, &name).await?;
    judge_slot(&name, found.as_ref(), &readiness.server, &mut findings);
    Ok(findings)
}

fn judge_publication(state: &State, install: &str, findings: &mut Vec<Finding>) {
    // Identities have findings of their own.
    let lacks: Vec<Lack> = state.lacks().into_iter().filter(|lack| !matches!(lack, Lack::Identity(_))).collect();
    if lacks.is_empty() {
        findings.push(Finding::good(format!("the publication {} publishes every change", state.name)));
    }
    for lack in lacks {
        let sql = match &lack {
            Lack::Publication(_) => None,
            Lack::Operations(_) | Lack::Partitions(_) => publication::statements(&state.name, &[]).pop(),
            Lack::Table(table) | Lack::Whole(table) | Lack::Identity(table) => {
                publication::statements(&state.name, std::slice::from_ref(table)).pop()
            }
        };
        let fix = sql.map_or_else(|| install.to_owned(), |(_, sql)| sql);
        findings.push(Finding::bad(lack.to_string(), Some(fix)));
    }
}

fn judge_identities(state: &State, findings: &mut Vec<Finding>) {
    // Goes without saying: the installation sees to it.
    if state.published.is_none() {
        return;
    }
    for table in state.tables.iter().filter(|table| !table.without_before.is_empty()) {
        let sentence = match table.without_identity.is_empty() {
            true => format!("changes of {} do not tell the row as it was before", table.name),
            false => format!("{} has no replica identity: its rows cannot be updated or deleted", table.name),
        };
        let fix: Vec<String> = table.without_before.iter().map(|one| publication::identity_statement(one)).collect();
        findings.push(Finding::bad(sentence, Some(fix.join("\n"))));
    }
}

fn judge_slot(name: &str, slot: Option<&Slot>, server: &Server, findings: &mut Vec<Finding>) {
    let Some(slot) = slot else {
        for (what, usage, setting) in [
            ("replication slots", server.slots, "max_replication_slots"),
            ("replication connections", server.senders, "max_wal_senders"),
        ] {
            if !usage.has_room() {
                let fix = format!("alter system set {setting} = {};  -- and restart the server", usage.limit + 10);
                findings.push(Finding::bad(format!("all {} {what} are in use", usage.limit), Some(fix)));
            }
        }
        findings.push(Finding::good(format!("the slot {name} is made when it is served")));
        return;
    };
    let drop = format!("select pg_drop_replication_slot({});", literal(name));
    let mebibytes = slot.retained_bytes >> 20;
    if slot.plugin != slot::PLUGIN || slot.database != server.database {
        let sentence = format!("the slot {name} is somebody else's: name another one with `slot`");
        findings.push(Finding::bad(sentence, None));
    } else if slot.lost {
        let sentence = format!("the slot {name} has lost its WAL: the next start makes a new one, watchers start over");
        findings.push(Finding::bad(sentence, Some(drop)));
    } else if slot.active.is_none() && slot.retained_bytes >= MUCH_WAL {
        let sentence = format!("nobody reads the slot {name}, for which the server keeps {mebibytes} MiB of WAL");
        findings.push(Finding::bad(sentence, Some(format!("{drop}  -- or serve"))));
    } else if slot.endangered {
        let sentence = format!("the server may remove the WAL of the slot {name} ({mebibytes} MiB) at any time");
        let limit = server.keeps_at_most.as_deref().unwrap_or("its limit");
        let fix = format!("alter system set max_slot_wal_keep_size = '…';  -- more than {limit}");
        findings.push(Finding::bad(sentence, Some(fix)));
    } else {
        let reader = match &slot.active {
            Some((pid, _)) => format!("process {pid} reads it"),
            None => "nobody reads it now".to_owned(),
        };
        let limit = match &server.keeps_at_most {
            Some(limit) => format!("at most {limit}"),
            None => "without a limit (max_slot_wal_keep_size)".to_owned(),
        };
        let sentence = format!("the slot {name} keeps {mebibytes} MiB of WAL, {limit}; {reader}");
        findings.push(Finding::good(sentence));
    }
}
