//! Whether a broker is ready to be followed, and what mends it where it is not.

use super::dead::SUFFIX;
use super::queue;
use super::{Binding, Settings};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::rabbitmq::connect::{self, channel, name, soft_error};
use lapin::Connection;
use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use std::collections::BTreeSet;

/// Looks at the connection, the exchanges, what this user may do, and the queues. Makes nothing that stays.
pub async fn examine(settings: &Settings) -> Vec<Finding> {
    let connection = match connect::connect(&settings.url).await {
        Ok(connection) => connection,
        Err(error) => return vec![Finding::of(&error)],
    };
    let mut findings = vec![Finding::good("the broker answers")];
    let exchanges: BTreeSet<&str> = settings.bindings.iter().map(|binding| binding.exchange.as_str()).collect();
    for exchange in exchanges {
        findings.push(of_exchange(&connection, exchange).await.unwrap_or_else(|error| Finding::of(&error)));
        findings.push(of_rights(&connection, settings, exchange).await.unwrap_or_else(|error| Finding::of(&error)));
    }
    for binding in &settings.bindings {
        let found = of_queue(&connection, settings, binding).await;
        findings.push(found.unwrap_or_else(|error| Finding::of(&error)));
    }
    let dead = format!("{}{SUFFIX}", settings.prefix);
    match queue::depth(&connection, &dead).await {
        Ok(Some(depth)) if depth.messages > 0 => {
            let sentence = format!("{} messages could not be read; they are kept in the queue {dead}", depth.messages);
            findings.push(Finding::good(sentence));
        }
        Ok(_) => {}
        Err(error) => findings.push(Finding::of(&error)),
    }
    connect::end(&connection).await;
    findings
}

async fn of_exchange(connection: &Connection, exchange: &str) -> Result<Finding> {
    if !queue::exchange_exists(connection, exchange).await? {
        return Ok(Finding::good(format!("the exchange {exchange} is not there yet; it is made at the start")));
    }
    Ok(match queue::provide_exchange(connection, exchange).await {
        Ok(_) => Finding::good(format!("the exchange {exchange} is there")),
        Err(error) => Finding::bad(error.chain(), Some(format!("delete {exchange}, or name another exchange"))),
    })
}

/// Tries with a queue that goes with the connection.
async fn of_rights(connection: &Connection, settings: &Settings, exchange: &str) -> Result<Finding> {
    let trial = format!("{}.check.{}", settings.prefix, uuid::Uuid::new_v4().simple());
    let channel = channel(connection).await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let (queue, source) = (name(&trial)?, name(exchange)?);
    let trying = async {
        channel.queue_declare(queue.clone(), options, FieldTable::default()).await?;
        channel.queue_bind(queue, source, "check".into(), QueueBindOptions::default(), FieldTable::default()).await
    };
    Ok(match trying.await {
        Ok(()) => Finding::good(format!("this user may bind queues to {exchange}")),
        Err(error) if soft_error(&error) == Some(&AMQPSoftError::NOTFOUND) => {
            Finding::good("this user may make queues")
        }
        Err(error) => {
            let cause =
                Error::because(connect::failure("", error.clone()).kind(), "a queue cannot be made or bound", error);
            Finding::bad(cause.chain(), permissions(settings))
        }
    })
}

/// The command that gives this user what is needed.
fn permissions(settings: &Settings) -> Option<String> {
    let uri: AMQPUri = settings.url.parse().ok()?;
    let own = settings.prefix.replace('.', "\\.");
    Some(format!(
        "rabbitmqctl set_permissions -p '{}' '{}' '.*' '^({own}\\..*|amq\\.default)$' '.*'",
        uri.vhost, uri.authority.userinfo.username
    ))
}

async fn of_queue(connection: &Connection, settings: &Settings, binding: &Binding) -> Result<Finding> {
    let queue = binding.queue(&settings.prefix);
    Ok(Finding::good(match queue::depth(connection, &queue).await? {
        None => format!("the queue {queue} is not there yet; it is made at the start"),
        Some(depth) if depth.consumers == 0 => {
            format!("the queue {queue} keeps {} messages; nobody consumes it now", depth.messages)
        }
        Some(depth) => format!("the queue {queue} is consumed; {} messages wait", depth.messages),
    }))
}
