//! A database of one test on a real server, which `TIDINGS_TEST_POSTGRES` names (the URL of a superuser).

use tidings::postgres::address::Address;
use tidings::postgres::name::TableName;
use tidings::postgres::slot;
use tidings::postgres::table::Binding;
use tokio_postgres::{Client, NoTls};

/// A database of one test.
pub struct Database {
    admin: Client,
    name: String,
    pub url: String,
}

impl Database {
    /// `None`, with a word on the console, when there is no server to test with.
    pub async fn create() -> Option<Database> {
        let Ok(server) = std::env::var("TIDINGS_TEST_POSTGRES") else {
            println!("skipped: TIDINGS_TEST_POSTGRES is not set");
            return None;
        };
        Some(Database::create_on(&server).await)
    }

    /// On this server.
    pub async fn create_on(server: &str) -> Database {
        let admin = client(server).await;
        let name = format!("tidings_test_{}", uuid::Uuid::new_v4().simple());
        admin.batch_execute(&format!("create database {name}")).await.unwrap();
        let (base, query) = server.split_once('?').unwrap_or((server, ""));
        let root = base.find("://").map(|at| at + 3).unwrap();
        let host = base[root..].find('/').map_or(base, |slash| &base[..root + slash]);
        let url = format!("{host}/{name}?{query}");
        Database { admin, name, url }
    }

    pub async fn client(&self) -> Client {
        client(&self.url).await
    }

    pub fn address(&self) -> Address {
        Address::parse(&self.url).unwrap()
    }

    /// With its slots, which would keep it.
    pub async fn drop(self) {
        let slots = "select slot_name::text from pg_replication_slots where database = $1";
        for row in self.admin.query(slots, &[&self.name]).await.unwrap() {
            self.admin.batch_execute(&slot::removal(row.get(0))).await.unwrap();
        }
        self.admin.batch_execute(&format!("drop database {} with (force)", self.name)).await.unwrap();
    }
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

pub fn binding(resource: &str, table: &str) -> Binding {
    Binding { resource: resource.into(), table: name(table), key: Vec::new() }
}
