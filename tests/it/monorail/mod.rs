//! The monorail protocol, as its transcripts tell it.

mod api;
mod barrage;
mod failing;
mod flaws;
mod input;
mod keepalive;
mod slow;
mod viewers;
mod world;
mod writes;

use crate::broker::Broker;
use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::transcript;
use mongodb::bson::doc;
use std::net::SocketAddr;
use world::MonorailWorld;
use writes::Writes;

/// The resources of the transcripts, in the embedded store.
const EMBEDDED: &str = r#"
[server]
listen = "127.0.0.1:0"
[resources.nodes]
source = "embedded"
writable = true
[resources.skus]
source = "embedded"
writable = true
ignore_case = true
[resources.graphObjs]
source = "embedded"
id = "instanceId"
writable = true
[resources.secrets]
source = "embedded"
private = true
writable = true
[resources.logs]
source = "embedded"
append_only = true
keep = 100
writable = true
[resources."mq:on.events"]
source = "embedded"
append_only = true
keep = 0
writable = true
[resources."mq:on.logging"]
source = "embedded"
append_only = true
keep = 3
writable = true
[resources."mq:on.test"]
source = "embedded"
append_only = true
keep = 3
writable = true
"#;

/// Those of them that have records which transcripts change.
const RECORDS: [&str; 3] = ["nodes", "graphObjs", "skus"];

/// What one transcript is played on.
struct Setting {
    configuration: String,
    writes: Writes,
    /// What the transcript's names stand for.
    names: Vec<(String, String)>,
    /// Kept until the transcript has ended.
    database: Option<Database>,
    mongo: Option<Mongo>,
}

impl Setting {
    fn embedded(more: &str) -> Setting {
        Setting {
            configuration: format!("{EMBEDDED}{more}"),
            writes: Writes::Http(reqwest::Client::new()),
            names: Vec::new(),
            database: None,
            mongo: None,
        }
    }

    /// `nodes` and `graphObjs` are tables of a new database, whose changes come by an outbox.
    async fn postgres() -> Option<Setting> {
        let database = Database::create().await?;
        let tables = "create table nodes (id text primary key, name text, type text, rank int, tags jsonb);
                      create table \"graphObjs\" (\"instanceId\" text primary key, id text, _status text);";
        database.client().await.batch_execute(tables).await.expect("the tables are created");
        let source = format!("[sources.db]\nurl = \"{}\"\ncapture = \"outbox\"\ninstall = true\n", database.url());
        let mut configuration = EMBEDDED.to_owned() + &source;
        for table in ["nodes", "graphObjs"] {
            let embedded = format!("[resources.{table}]\nsource = \"embedded\"");
            configuration = configuration.replace(&embedded, &format!("[resources.{table}]\nsource = \"db\""));
        }
        Some(Setting { configuration, database: Some(database), ..Setting::embedded("") })
    }

    /// The records are documents of a new database, which somebody writes who knows nothing of the server.
    async fn mongodb() -> Option<Setting> {
        let mongo = Mongo::create()?;
        let database = mongo.database().await;
        for collection in RECORDS {
            let images = doc! {"create": collection, "changeStreamPreAndPostImages": {"enabled": true}};
            database.run_command(images).await.expect("a collection with images");
        }
        let mut configuration = EMBEDDED.to_owned() + &format!("[sources.plant]\nurl = \"{}\"\n", mongo.url());
        for collection in RECORDS {
            let embedded = format!("[resources.{collection}]\nsource = \"embedded\"");
            configuration = configuration.replace(&embedded, &format!("[resources.{collection}]\nsource = \"plant\""));
        }
        let writes = Writes::Documents(database, reqwest::Client::new());
        Some(Setting { configuration, writes, mongo: Some(mongo), ..Setting::embedded("") })
    }

    /// As RackHD has it: the rows in MongoDB, every change told on the broker, which has the log lines too.
    async fn broker() -> Option<Setting> {
        let (mongo, broker) = (Mongo::create()?, Broker::connect().await?);
        let exchanges = ["on.events", "on.logging", "on.test", "on.waterline"];
        let names = exchanges.map(|name| (name.to_owned(), broker.exchange(name))).to_vec();
        let of = |name| broker.exchange(name);
        let (source, url) = (broker.source(), mongo.url());
        let mut configuration = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n{source}[sources.plant]\nurl = {url:?}\n\
             [resources.logs]\nsource = \"broker\"\nexchange = {:?}\nkeep = 100\n\
             [monorail.mq]\nexchanges = [{:?}, {:?}, {:?}]\ntail = {{ {:?} = 3, {:?} = 3 }}\n",
            of("on.lines"),
            of("on.events"),
            of("on.logging"),
            of("on.test"),
            of("on.logging"),
            of("on.test"),
        );
        for collection in RECORDS {
            let more = match collection {
                "graphObjs" => "id = \"instanceId\"\n",
                "skus" => "ignore_case = true\n",
                _ => "",
            };
            let resource = format!(
                "[resources.{collection}]\nsource = \"broker\"\nexchange = {:?}\nreading = \"waterline\"\n\
                 rows = \"plant\"\n{more}",
                of("on.waterline")
            );
            configuration += &resource;
            broker.queue(collection);
        }
        for queue in ["logs".to_owned(), "dead".to_owned()]
            .into_iter()
            .chain(["on.events", "on.logging", "on.test"].map(|name| format!("mq:{}", of(name))))
        {
            broker.queue(&queue);
        }
        let writes = Writes::Messages(mongo.database().await, Box::new(broker));
        Some(Setting { configuration, writes, names, mongo: Some(mongo), ..Setting::embedded("") })
    }
}

impl transcript::Setting for Setting {
    type World = MonorailWorld;
    type Kept = (Option<Database>, Option<Mongo>);

    fn configuration(&self) -> String {
        self.configuration.clone()
    }

    async fn world(self, address: SocketAddr) -> (Self::World, Self::Kept) {
        (MonorailWorld::of(address, self.writes, self.names).await, (self.database, self.mongo))
    }
}

transcript::transcripts! { "monorail":
    contract: "contract.txt", async || Some(Setting::embedded(""));
    contract_over_postgres: "contract.txt", Setting::postgres;
    contract_over_mongodb: "contract.txt", Setting::mongodb;
    contract_over_a_broker: "contract.txt", Setting::broker;
    watching_over_mongodb: "watching.txt", Setting::mongodb;
    watching_over_a_broker: "watching.txt", Setting::broker;
    broker_over_a_broker: "broker.txt", Setting::broker;
    asking: "asking.txt", async || Some(Setting::embedded(""));
    watching: "watching.txt", async || Some(Setting::embedded(""));
    broker: "broker.txt", async || Some(Setting::embedded(""));
    lines: "lines.txt", async || Some(Setting::embedded(""));
    resuming: "resuming.txt", async || Some(Setting::embedded(""));
    bad_input: "bad_input.txt", async || Some(Setting::embedded(""));
    short_memory: "short_memory.txt", async || Some(Setting::embedded("[log]\nentries = 2\n"));
    always_initial: "always_initial.txt", async || Some(Setting::embedded("[monorail]\ninitial = \"always\"\n"));
    narrow: "narrow.txt", async || Some(Setting::embedded("[monorail]\nmax_watches = 2\nmax_items = 2\n"));
}
