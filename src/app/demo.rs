//! The demo: a simulated data centre in the embedded store, or in the databases and the broker of a configuration.

use crate::app::parts;
use crate::app::{App, Signals, end};
use crate::auth::{Claims, Mint};
use crate::catalog::Catalog;
use crate::config::{Config, Product, Records, Source};
use crate::demo::{self, DemoWrite, Existing, RESOURCES, Scene, Simulation};
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
    /// Whether the other protocols have somebody at work, too.
    pub has_scenes: bool,
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
    let token = tokens(&demo.config)?;
    let mut scenes = if demo.has_scenes { demo::scenes() } else { Vec::new() };
    let app = App::start(demo.config).await?;
    let mut simulation = match furnish(&app.catalog, demo.existing, &mut scenes).await {
        Ok(simulation) => simulation,
        Err(error) => {
            app.stop().await;
            return Err(error);
        }
    };
    let program = std::env::args().next().unwrap_or_else(|| "tidings".to_owned());
    // Nobody has to read it.
    let welcome = demo::welcome(&program, &app.address().to_string(), &scenes, token);
    let _ = io::stdout().write_all(welcome.as_bytes());
    let step = move |now| {
        let mut writes = simulation.step(now);
        scenes.iter_mut().for_each(|scene| writes.extend(scene.step(now)));
        writes
    };
    let outcome = live(step, app.catalog.clone(), &mut signals).await;
    end(app, signals).await.and(outcome)
}

/// What gives away tokens that are good for a day; where there are no credentials, empty ones.
fn tokens(config: &Config) -> Result<impl Fn(&str) -> String + use<>> {
    let mint = config.auth.as_ref().map(Mint::new).transpose()?;
    let now = Timestamp::now().0 / 1000;
    Ok(move |subject: &str| {
        let claims = Claims { subject: subject.to_owned(), lifetime: DAY, ..Claims::default() };
        mint.as_ref().and_then(|mint| mint.sign(&claims, now).ok()).unwrap_or_default()
    })
}

async fn furnish(catalog: &Catalog, existing: Existing, scenes: &mut [Box<dyn Scene>]) -> Result<Simulation> {
    let simulation = demo::furnish(catalog, existing).await?;
    for scene in scenes {
        demo::write(catalog, scene.seeds(Timestamp::now())).await?;
    }
    Ok(simulation)
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
