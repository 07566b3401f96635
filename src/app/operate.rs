//! What an operator does beside serving: look whether everything is in order, and install or remove what a
//! database needs.

use crate::app::in_source;
use crate::app::mongodb as mongo;
use crate::app::postgres::{self, Database, wish_of};
use crate::app::rabbitmq;
use crate::app::relay;
use crate::auth::doctor;
use crate::config::{Config, Product, Source, redacted};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::postgres::address::Address;
use crate::postgres::capture;
use crate::postgres::connect::connect;
use crate::postgres::push;
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
        for findings in [followed(config, source).await, relay::findings(config, source).await] {
            all_well &= tell(out, findings.unwrap_or_else(|error| vec![Finding::of(&error)]))?;
        }
    }
    if config.sources.is_empty() {
        say(out, "no database is configured; the embedded store needs nothing")?;
    }
    Ok(all_well)
}

/// What is found in a source as one that is followed.
async fn followed(config: &Config, source: &Source) -> Result<Vec<Finding>> {
    match source.product {
        _ if config.only_carries(source) => Ok(Vec::new()),
        Product::Postgres => postgres::findings(config, source).await,
        Product::Mongodb => mongo::findings(config, source).await,
        Product::Rabbitmq => rabbitmq::findings(config, source).await,
    }
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
    for source in sources(config)? {
        let sql = statements(config, source).await.map_err(|error| in_source(&source.name, error))?;
        say(out, &format!("-- {}\n{sql}", redacted(&source.url)))?;
    }
    Ok(())
}

async fn statements(config: &Config, source: &Source) -> Result<String> {
    let mut sql = String::new();
    if let Some(database) = captured(config, source).await? {
        let (client, _task) = connect(&database.address, PATIENCE, None).await?;
        sql = capture::print(database.way(&client, source).await?, &source.publication, &database.tables());
    }
    if carries_pushes(config, source) {
        sql += &push::print();
    }
    Ok(sql)
}

/// Makes what capturing needs in every database: the outbox and its triggers, or the publication of a slot; and the
/// table of pushes, where the configuration has pushes from inside a database or by way of one.
///
/// # Errors
/// As the database refuses it.
pub async fn sql_install(config: &Config, out: &mut dyn Write) -> Result<()> {
    for source in sources(config)? {
        let installed = install(config, source).await.map_err(|error| in_source(&source.name, error))?;
        say(out, &format!("installed in {}: {installed}", redacted(&source.url)))?;
    }
    Ok(())
}

/// What was installed, for people.
async fn install(config: &Config, source: &Source) -> Result<String> {
    let (client, _task) = connect(&Address::parse(&source.url)?, Duration::ZERO, None).await?;
    let mut installed = Vec::new();
    if let Some(database) = captured(config, source).await? {
        let way = database.way(&client, source).await?;
        database.install(&client, source, way).await?;
        installed.push(format!("{} tables are followed", database.tables().len()));
    }
    if carries_pushes(config, source) {
        push::install(&client).await?;
        installed.push("pushes are heard".to_owned());
    }
    Ok(installed.join(", "))
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

/// A database with what of it is followed; `None`: nothing of it is.
async fn captured(config: &Config, source: &Source) -> Result<Option<Database>> {
    match config.only_carries(source) {
        true => Ok(None),
        false => Database::of(config, source, &HashSet::new()).await.map(Some),
    }
}

fn carries_pushes(config: &Config, source: &Source) -> bool {
    config.jac.iter().any(|jac| jac.uses(&source.name))
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
