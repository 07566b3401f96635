//! Replication slots: what a slot keeps, making one, taking one away, and whether a server can have one.

use crate::error::Result;
use crate::postgres::failure::failure;
use crate::postgres::name::literal;
use tokio_postgres::Client;

/// The only plugin whose messages are understood.
pub const PLUGIN: &str = "pgoutput";

/// The first version whose slots tell messages of transactions.
pub const OLDEST: i32 = 14;

const REMOVE: &str = include_str!("../../sql/slot_remove.sql");

/// A slot as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub plugin: String,
    pub database: String,
    /// The process that streams it now, and what it calls itself.
    pub active: Option<(i32, String)>,
    /// What was committed before this was confirmed, and is not sent again.
    pub confirmed: u64,
    /// Its WAL was removed: it can never be streamed again.
    pub lost: bool,
    /// It keeps more than the server promises to keep: it may be lost at any time.
    pub endangered: bool,
    /// The WAL that is kept for it.
    pub retained_bytes: u64,
}

/// What a server says about slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub version: i32,
    pub wal_level: String,
    /// Whether this user may stream.
    pub may_replicate: bool,
    pub user: String,
    pub database: String,
    /// Two databases of one name, one after the other, have different ones.
    pub database_oid: u32,
    /// How far its WAL is written.
    pub position: u64,
    /// The first transaction that has not begun.
    pub next_transaction: u64,
    pub slots: Usage,
    pub senders: Usage,
    /// `max_slot_wal_keep_size`, if there is a limit.
    pub keeps_at_most: Option<String>,
}

/// How many of something are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub used: i64,
    pub limit: i64,
}

impl Usage {
    /// Whether there is room for one more.
    pub fn has_room(self) -> bool {
        self.used < self.limit
    }
}

impl Server {
    /// What keeps this user from streaming from this server, and what mends it.
    pub fn obstacles(&self) -> Vec<(String, Option<String>)> {
        let mut obstacles = Vec::new();
        if self.version < OLDEST {
            obstacles.push((format!("Postgres {} is too old for a slot: {OLDEST} is the oldest", self.version), None));
        }
        if self.wal_level != "logical" {
            let fix = "alter system set wal_level = 'logical';  -- and restart the server";
            obstacles.push((format!("wal_level is {}, a slot needs logical", self.wal_level), Some(fix.to_owned())));
        }
        if !self.may_replicate {
            let fix = format!("alter role {} replication;", crate::postgres::name::quote(&self.user));
            obstacles.push(("this user may not stream from a slot".to_owned(), Some(fix)));
        }
        obstacles
    }
}

/// The name of the slot of a program that follows this database: what a slot's name may hold of it.
pub fn default_name(database: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '_') => letter,
        _ => '_',
    };
    format!("tidings_{database}").chars().map(letter).take(63).collect()
}

/// What the server says about slots.
///
/// # Errors
/// `Unreachable` or `Refused` when it cannot be asked.
pub async fn server(client: &Client) -> Result<Server> {
    let row = client.query_one(SERVER, &[]).await.map_err(|error| failure("looking at the server", error))?;
    Ok(Server {
        version: row.get(0),
        wal_level: row.get(1),
        may_replicate: row.get(2),
        user: row.get(3),
        database: row.get(4),
        database_oid: row.get(5),
        position: row.get::<_, i64>(6).unsigned_abs(),
        next_transaction: row.get::<_, i64>(7).unsigned_abs(),
        slots: Usage { used: row.get(8), limit: row.get(9) },
        senders: Usage { used: row.get(10), limit: row.get(11) },
        keeps_at_most: row.get(12),
    })
}

/// The slot with this name, if there is one.
///
/// # Errors
/// `Unreachable` or `Refused` when the server cannot be asked.
pub async fn find(client: &Client, name: &str) -> Result<Option<Slot>> {
    let row = client.query_opt(SLOT, &[&name]).await.map_err(|error| failure("looking at the slot", error))?;
    Ok(row.map(|row| {
        let status: Option<&str> = row.get(5);
        Slot {
            plugin: row.get(0),
            database: row.get(1),
            active: row.get::<_, Option<i32>>(2).map(|pid| (pid, row.get(3))),
            confirmed: row.get::<_, i64>(4).unsigned_abs(),
            lost: status == Some("lost"),
            endangered: status == Some("unreserved"),
            retained_bytes: row.get::<_, i64>(6).unsigned_abs(),
        }
    }))
}

/// Makes a slot that has every transaction that commits from the returned position on. Waits for the
/// transactions that are open now.
///
/// # Errors
/// `Refused` when there are as many slots as the server allows.
pub async fn create(client: &Client, name: &str) -> Result<u64> {
    let sql = "select (lsn - '0/0')::bigint from pg_create_logical_replication_slot($1, $2)";
    let row = client
        .query_one(sql, &[&name, &PLUGIN])
        .await
        .map_err(|error| failure("making the replication slot", error))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// The SQL that takes a slot away, and ends whoever streams it.
pub fn removal(name: &str) -> String {
    REMOVE.replace("{slot}", &literal(name))
}

const SERVER: &str = "select current_setting('server_version_num')::int / 10000, current_setting('wal_level'), \
         (select rolsuper or rolreplication or exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid \
             where g.rolname = 'rds_replication' and m.member = r.oid) from pg_roles r where rolname = session_user), \
         session_user::text, current_database()::text, \
         (select oid from pg_database where datname = current_database()), \
         (case when pg_is_in_recovery() then 0 else pg_current_wal_insert_lsn() - '0/0' end)::bigint, \
         pg_snapshot_xmax(pg_current_snapshot())::text::bigint, \
         (select count(*) from pg_replication_slots), current_setting('max_replication_slots')::bigint, \
         (select count(*) from pg_stat_replication), current_setting('max_wal_senders')::bigint, \
         nullif(current_setting('max_slot_wal_keep_size'), '-1')";

const SLOT: &str = "select coalesce(s.plugin::text, ''), coalesce(s.database::text, ''), s.active_pid, coalesce(a.application_name, ''), \
         coalesce(s.confirmed_flush_lsn - '0/0', 0)::bigint, s.wal_status, \
         coalesce(pg_current_wal_lsn() - s.restart_lsn, 0)::bigint \
     from pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid where s.slot_name = $1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_has_a_slot_with_a_lawful_name() {
        assert_eq!(default_name("inventory"), "tidings_inventory");
        assert_eq!(default_name("In-ven.tory é"), "tidings_in_ven_tory__");
        assert_eq!(default_name(&"x".repeat(100)).len(), 63);
    }
}
