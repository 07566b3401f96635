//! What a channel of pushes needs of databases and brokers: the way to the other nodes, what SQL code pushes, and the
//! functions that are operations.

use crate::app::operate::command;
use crate::app::service::Ground;
use crate::config::{self, Config, Product, Relay as Configured, Source};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::jac::walker::Walker;
use crate::jac::walkers::postgres::Postgres;
use crate::metrics::Metrics;
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::name::TableName;
use crate::postgres::pool::Pool;
use crate::postgres::push;
use crate::relay::keep::keep;
use crate::relay::postgres::{Reader, Times, Writer};
use crate::relay::rabbitmq::{self, RabbitMqRelay};
use crate::relay::waiting::Waiting;
use crate::relay::{Deliver, Relay};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// How long a question to a database may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// This node, as the others see it.
pub struct Nodes {
    /// Another at each start.
    node: Arc<str>,
    relay: Configured,
    waiting: Arc<Waiting>,
    databases: HashMap<String, Database>,
    /// Of the broker, where one is the relay.
    broker: Option<String>,
}

/// A database with the table of pushes.
struct Database {
    address: Address,
    pool: Arc<Pool>,
    /// What it showed when the program began: later pushes are told.
    seen: String,
}

impl Nodes {
    /// Looks whether everything is there, and installs the table where that was asked for.
    ///
    /// # Errors
    /// `Refused` with what is missing and the command for it; `Unreachable` when a database cannot be asked.
    pub async fn open(jac: &config::Jac, config: &Config, metrics: &Arc<Metrics>) -> Result<Nodes> {
        let mut databases = HashMap::new();
        for source in config.sources.iter().filter(|source| source.product == Product::Postgres) {
            if jac.uses(&source.name) {
                let database = Database::open(jac, config, source).await;
                let database = database.map_err(|error| super::in_source(&source.name, error))?;
                databases.insert(source.name.clone(), database);
            }
        }
        let broker = match &jac.relay {
            Configured::Rabbitmq(name) => config.sources.iter().find(|source| source.name == *name),
            _ => None,
        };
        Ok(Nodes {
            node: uuid::Uuid::new_v4().simple().to_string().into(),
            relay: jac.relay.clone(),
            waiting: Arc::new(Waiting::new(metrics.clone())),
            databases,
            broker: broker.map(|source| source.url.clone()),
        })
    }

    /// The way to the other nodes, where there is one.
    pub fn relay(&self) -> Option<Arc<dyn Relay>> {
        (self.relay != Configured::None).then(|| self.waiting.clone() as Arc<dyn Relay>)
    }

    /// An operation that is a function in the database of a source.
    ///
    /// # Errors
    /// `Configuration` when there is no such database, or the name is none.
    pub fn walker(&self, source: &str, function: &str) -> Result<Arc<dyn Walker>> {
        let missing = || Error::new(Kind::Configuration, format!("{source:?} is no Postgres source"));
        let database = self.databases.get(source).ok_or_else(missing)?;
        let function = push::function(function)?;
        Ok(Arc::new(Postgres::new(database.pool.clone(), &function, self.node.clone(), self.relay())))
    }

    /// What goes on until the program goes down. Sockets of this node are told by `deliver`.
    pub fn tasks(&self, deliver: &Arc<impl Deliver + 'static>, ground: &Ground) -> Vec<BoxFuture<'static, ()>> {
        let (metrics, stopped) = (&ground.metrics, &ground.stopped);
        let mut tasks: Vec<BoxFuture<'static, ()>> = Vec::new();
        for (source, database) in &self.databases {
            let (address, seen) = (database.address.clone(), database.seen.clone());
            let reader =
                Reader::new(address, self.node.clone(), seen, deliver.clone(), metrics.clone(), Times::default());
            tasks.push(Box::pin(keep(format!("pushes from {source}"), reader, stopped.clone())));
        }
        if let Configured::Postgres(source) = &self.relay
            && let Some(database) = self.databases.get(source)
        {
            let writer = Writer::new(database.address.clone(), self.node.clone(), self.waiting.clone());
            tasks.push(Box::pin(keep(format!("relay by {source}"), writer, stopped.clone())));
        }
        if let (Configured::Rabbitmq(source), Some(url)) = (&self.relay, &self.broker) {
            let (node, waiting) = (self.node.clone(), self.waiting.clone());
            let relay = RabbitMqRelay::new(url, node, waiting, deliver.clone(), metrics.clone());
            tasks.push(Box::pin(keep(format!("relay by {source}"), relay, stopped.clone())));
        }
        tasks
    }
}

impl Database {
    async fn open(jac: &config::Jac, config: &Config, source: &Source) -> Result<Database> {
        let address = Address::parse(&source.url)?;
        let functions = functions(jac, source)?;
        let (client, connection) = connect(&address, PATIENCE, None).await?;
        if source.install && !push::is_installed(&client).await? {
            push::install(&client).await?;
            tracing::info!(source = source.name, "pushes from inside the database are installed");
        }
        let findings = push::examine(&client, &functions).await?;
        let wrong: Vec<&Finding> = findings.iter().filter(|finding| !finding.ok).collect();
        if !wrong.is_empty() {
            return Err(refusal(config, &wrong));
        }
        let seen = push::snapshot(&client).await?;
        drop(client);
        connection.abort();
        let pool = Arc::new(Pool::new(&address, source.connections, source.statement_timeout)?);
        Ok(Database { address, pool, seen })
    }
}

/// What a channel of pushes finds in a source that it uses; nothing where it does not.
///
/// # Errors
/// `Configuration` when the name of a function is none; `Unreachable` when the source cannot be asked.
pub async fn findings(config: &Config, source: &Source) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for jac in config.jac.iter().filter(|jac| jac.uses(&source.name)) {
        match source.product {
            Product::Postgres => {
                let functions = functions(jac, source)?;
                let (client, _task) = connect(&Address::parse(&source.url)?, PATIENCE, None).await?;
                findings.extend(push::examine(&client, &functions).await?);
            }
            Product::Rabbitmq => findings.extend(rabbitmq::examine(&source.url).await?),
            Product::Mongodb => {}
        }
    }
    Ok(findings)
}

/// The functions in this source that are operations.
fn functions(jac: &config::Jac, source: &Source) -> Result<Vec<TableName>> {
    jac.functions(&source.name).map(push::function).collect()
}

/// Nothing is changed in somebody's database unasked: says what is missing instead.
fn refusal(config: &Config, wrong: &[&Finding]) -> Error {
    let mut sentence = "it is not prepared for pushes, and nothing was changed in it".to_owned();
    for finding in wrong {
        let _ = write!(sentence, "\n  - {}", finding.sentence);
    }
    let _ = write!(sentence, "\n  to see what mends it:          {}", command(config, "check"));
    let _ = write!(sentence, "\n  to install all but functions:  {}", command(config, "sql install"));
    Error::new(Kind::Refused, sentence)
}
