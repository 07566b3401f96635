//! The demo: a simulated data centre in the embedded store, or in the databases and the broker of a configuration.

use crate::app::parts;
use crate::app::{App, Signals, end};
use crate::auth::{Claims, Mint};
use crate::catalog::Catalog;
use crate::config::{Config, Product, Records, Source};
use crate::demo::files;
use crate::demo::{self, DemoWrite, Existing, RESOURCES};
use crate::error::{Error, Kind, Result};
use crate::event::Timestamp;
use crate::mongodb as mongo;
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::failure::failure;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Between two changes of the demo.
const PACE: Duration = Duration::from_millis(400);

/// How long the tokens of the demo are good.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The tables of the demo.
const SCHEMA: &str = include_str!("../../sql/monorail.sql");

/// What a demo is to do.
pub struct Demo {
    pub config: Config,
    /// What to do with rows that are no demo's.
    pub existing: Existing,
    /// Whether it serves what it writes, or somebody else does.
    pub serves: bool,
}

/// Lets the data centre live until the program is asked to end.
///
/// # Errors
/// As [`App::start`]; and when what the configuration names cannot be prepared, or is somebody's.
pub async fn demo(demo: Demo) -> Result<()> {
    let mut signals = Signals::hear()?;
    for source in &demo.config.sources {
        let prepared = prepare(&demo.config, source).await;
        prepared.map_err(|error| super::in_source(&source.name, error))?;
    }
    if !demo.serves {
        let parts = parts::open(&demo.config).await?;
        let simulation = demo::furnish(&parts.catalog, demo.existing).await?;
        tracing::info!("the data centre is there; its changes are written from now on");
        let mut simulation = simulation;
        return live(move |now| simulation.step(now), parts.catalog, &mut signals).await;
    }
    let app = App::start(demo.config).await?;
    let mut simulation = match demo::furnish(&app.catalog, demo.existing).await {
        Ok(simulation) => simulation,
        Err(error) => {
            app.stop().await;
            return Err(error);
        }
    };
    let program = std::env::args().next().unwrap_or_else(|| "tidings".to_owned());
    // Nobody has to read it.
    let _ = io::stdout().write_all(demo::welcome(&program, &app.address().to_string()).as_bytes());
    let outcome = live(move |now| simulation.step(now), app.catalog.clone(), &mut signals).await;
    end(app, signals).await.and(outcome)
}

/// Lets a team share files until the program is asked to end.
///
/// # Errors
/// As [`App::start`].
pub async fn demo_files(config: Config) -> Result<()> {
    let signals = Signals::hear()?;
    let missing = || Error::new(Kind::Internal, "the demo has no credentials");
    let mint = Mint::new(config.auth.as_ref().ok_or_else(missing)?)?;
    let now = Timestamp::now().0 / 1000;
    let token = |subject: &str| {
        let claims = Claims { subject: subject.to_owned(), lifetime: DAY, ..Claims::default() };
        Ok((subject.to_owned(), mint.sign(&claims, now)?))
    };
    let tokens = files::USERS.iter().map(|(user, _)| token(user)).collect::<Result<Vec<_>>>()?;
    let app = App::start(config).await?;
    let outcome = share_files(&app, &tokens, signals).await;
    match outcome {
        Ok(signals) => end(app, signals).await,
        Err(error) => {
            app.stop().await;
            Err(error)
        }
    }
}

async fn share_files(app: &App, tokens: &[(String, String)], mut signals: Signals) -> Result<Signals> {
    let mut team = files::furnish(&app.catalog).await?;
    let _ = io::stdout().write_all(files::welcome(&app.address().to_string(), tokens).as_bytes());
    live(move |now| team.step(now), app.catalog.clone(), &mut signals).await?;
    Ok(signals)
}

/// Writes until the program is asked to end.
async fn live(
    step: impl FnMut(Timestamp) -> Vec<DemoWrite> + Send + 'static,
    catalog: Arc<Catalog>,
    signals: &mut Signals,
) -> Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(demo::run(step, catalog, PACE, async {
        let _ = stopped.await;
    }));
    signals.next().await;
    let _ = stop.send(());
    running.await.map_err(|error| Error::because(Kind::Internal, "the demo panicked", error))?
}

/// Makes the tables and the collections that the demo needs where they are missing.
async fn prepare(config: &Config, source: &Source) -> Result<()> {
    let of_the_demo = config
        .resources
        .iter()
        .filter(|resource| resource.source == source.name && RESOURCES.contains(&resource.name.as_str()));
    let needed: Vec<&Records> = of_the_demo.map(|resource| &resource.records).collect();
    match source.product {
        Product::Postgres if needed.iter().any(|records| matches!(records, Records::Table(_))) => {
            let (client, _connection) = connect(&Address::parse(&source.url)?, Duration::from_secs(30), None).await?;
            client.batch_execute(SCHEMA).await.map_err(|error| failure("making the tables of the demo", error))
        }
        Product::Mongodb => {
            let database = mongo::connect::connect(&mongo::address::Address::parse(&source.url)?).await?;
            for records in needed {
                if let Records::Collection(collection) = records {
                    mongo::images::keep(&database, collection).await?;
                }
            }
            Ok(())
        }
        Product::Postgres | Product::Rabbitmq => Ok(()),
    }
}
