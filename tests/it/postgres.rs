//! A database of its own for each test, in the Postgres that `TIDINGS_TEST_POSTGRES` names.

use std::thread;
use tokio_postgres::{Client, NoTls};

/// The variable with the URL of a Postgres in which databases may be created.
const VARIABLE: &str = "TIDINGS_TEST_POSTGRES";

/// A database that is dropped at the end.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Creates one; without a server it says that the test was skipped.
    pub async fn create() -> Option<Database> {
        let Ok(server) = std::env::var(VARIABLE) else {
            println!("skipped: {VARIABLE} names no Postgres");
            return None;
        };
        let name = format!("tidings_{}", uuid::Uuid::new_v4().simple());
        connect(&server).await.batch_execute(&format!("create database {name}")).await.expect("a database is created");
        Some(Database { server, name })
    }

    /// The URL of the database.
    pub fn url(&self) -> String {
        let (base, query) =
            self.server.split_once('?').map_or((&*self.server, None), |(base, query)| (base, Some(query)));
        let authority = base.find("://").map_or(0, |at| at + 3);
        let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}/{}{query}", &base[..end], self.name)
    }

    /// A connection beside the database, which does not keep it open.
    pub async fn admin(&self) -> Client {
        connect(&self.server).await
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    /// A replication slot would keep the database, so it goes first. On a thread: dropping cannot wait.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let client = connect(&server).await;
                let stop = "select pg_terminate_backend(active_pid) from pg_replication_slots where database = $1";
                let slots = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1";
                client.query(stop, &[&name]).await.expect("walsenders are ended");
                client.query(slots, &[&name]).await.expect("slots are dropped");
                client.batch_execute(&format!("drop database {name} with (force)")).await.expect("it is dropped");
            });
        });
        if dropping.join().is_err() {
            eprintln!("the database {} is left behind", self.name);
        }
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("Postgres can be reached");
    tokio::spawn(connection);
    client
}
