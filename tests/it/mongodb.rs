//! A database of its own for each test, in the MongoDB that `TIDINGS_TEST_MONGODB` names.

use mongodb::{Client, Database};
use std::thread;

/// The variable with the URL of a MongoDB in which databases may be created, without a database.
const VARIABLE: &str = "TIDINGS_TEST_MONGODB";

/// A database that is dropped at the end.
pub struct Mongo {
    server: String,
    name: String,
}

impl Mongo {
    /// Names one that does not exist yet; without a server it says that the test was skipped.
    pub fn create() -> Option<Mongo> {
        let Ok(server) = std::env::var(VARIABLE) else {
            println!("skipped: {VARIABLE} names no MongoDB");
            return None;
        };
        Some(Mongo { server, name: format!("tidings_{}", uuid::Uuid::new_v4().simple()) })
    }

    /// The URL of the database.
    pub fn url(&self) -> String {
        let (base, query) =
            self.server.split_once('?').map_or((&*self.server, None), |(base, query)| (base, Some(query)));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}/{}{query}", base.trim_end_matches('/'), self.name)
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database through a client of the test's own.
    pub async fn database(&self) -> Database {
        connect(&self.server).await.database(&self.name)
    }
}

impl Drop for Mongo {
    /// On a thread: dropping cannot wait.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                connect(&server).await.database(&name).drop().await.expect("it is dropped");
            });
        });
        if dropping.join().is_err() {
            eprintln!("the database {} is left behind", self.name);
        }
    }
}

async fn connect(url: &str) -> Client {
    Client::with_uri_str(url).await.expect("MongoDB can be reached")
}
