//! What an operator does beside serving: look whether everything is in order, and install or remove what a
//! database needs.

use crate::app::in_source;
use crate::app::mongodb as mongo;
use crate::app::postgres::{self, Database, wish_of};
use crate::app::rabbitmq;
use crate::auth::doctor;
use crate::config::{Config, Product, Source, redacted};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::postgres::address::Address;
use crate::postgres::capture;
use crate::postgres::connect::connect;
use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

/// How long a question to a database may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks at every source and writes what it finds, with the exact fix for what is wrong. Whether all is well.
///
/// # Errors
/// When the findings cannot be written.
pub async fn check(config: &Config, out: &mut dyn Write) -> Result<bool> {
    say(out, "the configuration is in order")?;
    let mut all_well = true;
    if let Some(auth) = &config.auth {
        say(out, "\ncredentials")?;
        all_well &= tell(out, doctor::findings(auth).await)?;
    }
    for source in &config.sources {
        say(out, &format!("\n{} ({})", source.name, redacted(&source.url)))?;
        let findings = match source.product {
            Product::Postgres => postgres::findings(config, source).await,
            Product::Mongodb => mongo::findings(config, source).await,
            Product::Rabbitmq => rabbitmq::findings(config, source).await,
        };
        all_well &= tell(out, findings.unwrap_or_else(|error| vec![Finding::of(&error)]))?;
    }
    if config.sources.is_empty() {
        say(out, "no database is configured; the embedded store needs nothing")?;
    }
    Ok(all_well)
}

/// Writes what a doctor finds. Whether all is well.
fn tell(out: &mut dyn Write, findings: Vec<Finding>) -> Result<bool> {
    for finding in &findings {
        say(out, &format!("  {}  {}", if finding.ok { "ok   " } else { "WRONG" }, finding.sentence))?;
        for line in finding.fix.iter().flat_map(|fix| fix.lines()) {
            say(out, &format!("         {line}"))?;
        }
    }
    Ok(findings.iter().all(|finding| finding.ok))
}

/// Prints the statements that [`sql_install`] runs, and changes nothing.
///
/// # Errors
/// When the database cannot be asked which way of capturing it offers, or for its tables.
pub async fn sql_print(config: &Config, out: &mut dyn Write) -> Result<()> {
    for (source, database) in databases(config).await? {
        let way = async {
            let (client, _task) = connect(&database.address, PATIENCE, None).await?;
            database.way(&client, source).await
        };
        let way = way.await.map_err(|error| in_source(&source.name, error))?;
        let sql = capture::print(way, &source.publication, &database.tables());
        say(out, &format!("-- {}\n{sql}", redacted(&source.url)))?;
    }
    Ok(())
}

/// Makes what capturing needs in every database: the outbox and its triggers, or the publication of a slot.
///
/// # Errors
/// As the database refuses it.
pub async fn sql_install(config: &Config, out: &mut dyn Write) -> Result<()> {
    for (source, database) in databases(config).await? {
        let installed = async {
            let (client, _task) = connect(&database.address, Duration::ZERO, None).await?;
            let way = database.way(&client, source).await?;
            database.install(&client, source, way).await
        };
        installed.await.map_err(|error| in_source(&source.name, error))?;
        say(out, &format!("installed in {}: {} tables are followed", redacted(&source.url), database.tables().len()))?;
    }
    Ok(())
}

/// Takes everything that was ever installed out of every database, with the slot and the WAL that it keeps.
///
/// # Errors
/// As the database refuses it.
pub async fn sql_remove(config: &Config, out: &mut dyn Write) -> Result<()> {
    for source in sources(config)? {
        let removed = async {
            let (client, _task) = connect(&Address::parse(&source.url)?, Duration::ZERO, None).await?;
            capture::remove(&client, &wish_of(source)).await
        };
        removed.await.map_err(|error| in_source(&source.name, error))?;
        say(out, &format!("removed from {}", redacted(&source.url)))?;
    }
    Ok(())
}

/// A command for the same configuration, as it would be typed.
pub fn command(config: &Config, command: &str) -> String {
    format!("tidings {command} {}", config.arguments).trim_end().to_owned()
}

async fn databases(config: &Config) -> Result<Vec<(&Source, Database)>> {
    let mut all = Vec::new();
    for source in sources(config)? {
        let database = Database::of(config, source, &HashSet::new()).await;
        all.push((source, database.map_err(|error| in_source(&source.name, error))?));
    }
    Ok(all)
}

/// The Postgres databases; others need nothing installed.
fn sources(config: &Config) -> Result<Vec<&Source>> {
    let sources: Vec<_> = config.sources.iter().filter(|source| source.product == Product::Postgres).collect();
    if sources.is_empty() {
        let sentence = "no Postgres database is named; give a URL or a configuration file";
        return Err(Error::new(Kind::Configuration, sentence));
    }
    Ok(sources)
}

fn say(out: &mut dyn Write, line: &str) -> Result<()> {
    match writeln!(out, "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::because(Kind::Internal, "cannot write the output", error))
        }
        _ => Ok(()),
    }
}
