//! Postgres: `pg_recvlogical` beside the slot, one `COPY` of the outbox beside the outbox.

use crate::Feed;
use async_trait::async_trait;
use futures_util::TryStreamExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};

/// How the changes are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    Slot,
    Outbox,
}

/// A table of a database of its own.
pub struct Rows {
    server: String,
    name: String,
    capture: Capture,
    client: Client,
    /// The newest change that the plain client of the outbox has read.
    last: i64,
}

/// Rows that change in one transaction.
const TOGETHER: usize = 10;

impl Rows {
    pub async fn create(server: &str, capture: Capture) -> Rows {
        let name = format!("tidings_bench_{}", uuid::Uuid::new_v4().simple());
        connect(server).await.batch_execute(&format!("create database {name}")).await.expect("a database");
        let client = connect(&url(server, &name)).await;
        let table = "create table rows (id int8 primary key, number int8 not null, state text, note jsonb, \
             changed timestamptz not null default now()); alter table rows replica identity full; \
             insert into rows select n, 0, 'on', jsonb_build_object('text', repeat('x', 100), 'n', n) \
             from generate_series(1, 1000) n";
        client.batch_execute(table).await.expect("a table");
        Rows { server: server.to_owned(), name, capture, client, last: 0 }
    }

    fn url(&self) -> String {
        url(&self.server, &self.name)
    }
}

#[async_trait]
impl Feed for Rows {
    fn name(&self) -> &'static str {
        match self.capture {
            Capture::Slot => "postgres slot",
            Capture::Outbox => "outbox",
        }
    }

    fn configuration(&self) -> String {
        let capture = if self.capture == Capture::Slot { "slot" } else { "outbox" };
        format!(
            "[sources.pg]\nurl = {:?}\ncapture = {capture:?}\ninstall = true\n[resources.rows]\nsource = \"pg\"\n",
            self.url()
        )
    }

    async fn mark(&mut self) {
        match self.capture {
            Capture::Slot => {
                let slot = format!("select pg_create_logical_replication_slot('{}', 'pgoutput')", self.name);
                self.client.batch_execute(&slot).await.expect("a slot");
            }
            Capture::Outbox => {
                let last = self.client.query_one("select coalesce(max(id), 0) from tidings.change", &[]).await;
                self.last = last.expect("the newest change").get(0);
            }
        }
    }

    async fn fill(&mut self, changes: usize) {
        let fill = format!(
            "do $$ begin for n in 1..{} loop update rows set number = number + 1, changed = clock_timestamp() \
             where id between (n * {TOGETHER}) % 990 + 1 and (n * {TOGETHER}) % 990 + {TOGETHER}; commit; end loop; \
             end $$",
            changes / TOGETHER
        );
        self.client.batch_execute(&fill).await.expect("changes");
    }

    async fn read(&mut self, _changes: usize) {
        if self.capture == Capture::Outbox {
            let copy = format!("copy (select * from tidings.change where id > {} order by id) to stdout", self.last);
            let mut rows = pin!(self.client.copy_out(&copy).await.expect("the outbox"));
            while rows.try_next().await.expect("a row").is_some() {}
            return;
        }
        let end: String =
            self.client.query_one("select pg_current_wal_lsn()::text", &[]).await.expect("a position").get(0);
        let status = Command::new(program("pg_recvlogical"))
            .args(["--dbname", &self.url(), "--slot", &self.name, "--start", "--file", "/dev/null"])
            .args(["--option", "proto_version=1", "--option", "publication_names=tidings"])
            .args(["--endpos", &end, "--no-loop"])
            .stdin(Stdio::null())
            .status()
            .await;
        assert!(status.expect("pg_recvlogical runs").success());
        let drop = format!("select pg_drop_replication_slot('{}')", self.name);
        self.client.batch_execute(&drop).await.expect("the slot is dropped");
    }

    async fn clean(&mut self) {
        let admin = connect(&self.server).await;
        let slots = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1";
        admin.query(slots, &[&self.name]).await.expect("slots are dropped");
        let drop = format!("drop database {} with (force)", self.name);
        admin.batch_execute(&drop).await.expect("the database is dropped");
    }
}

/// A program of Postgres, on the path or where Debian keeps it.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

fn url(server: &str, name: &str) -> String {
    let (base, query) =
        server.split_once('?').map_or((server, String::new()), |(base, query)| (base, format!("?{query}")));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    format!("{}/{name}{query}", &base[..end])
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("Postgres can be reached");
    tokio::spawn(connection);
    client
}
