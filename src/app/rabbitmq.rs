//! The parts that a RabbitMQ source is made of, and what a doctor looks at.

use crate::app::parts::{Opened, SourcePart};
use crate::catalog::Served;
use crate::config::{self, Config, Follow, Records, Resource, Source};
use crate::error::{Error, Kind, Result};
use crate::filter::Topic;
use crate::finding::Finding;
use crate::log::Log;
use crate::source::Health;
use crate::source::rabbitmq::{Binding, Kept, Progress, Publisher, RabbitMq, Settings, doctor};
use crate::store::Store;
use crate::store::feed::FeedStore;
use crate::store::tail::Tail;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Puts together what follows a broker. `rows` are the stores of resources that have their rows elsewhere.
///
/// # Errors
/// `Configuration` when a resource is not made of messages, or there is none.
pub fn open(
    config: &Config,
    source: &Source,
    rows: &HashMap<Arc<str>, Arc<dyn Store>>,
    log: &Arc<dyn Log>,
) -> Result<Opened> {
    let settings = settings(config, source, rows)?;
    let health = Arc::new(Health::default());
    let mut opened = Opened::default();
    for (configured, binding) in followed_from(config, source).zip(&settings.bindings) {
        let (resource, interests) = (binding.resource.clone(), binding.interests.clone());
        let progress = Arc::new(Progress::new(settings.count.clone(), interests.clone()));
        let outlet = Arc::new(Publisher::new(&source.url, &binding.exchange));
        let feed = FeedStore::new(binding.rows.clone(), progress).with_outlet(outlet);
        let mut store: Arc<dyn Store> = Arc::new(feed);
        if resource.append_only {
            let tail = Arc::new(Tail::new(resource.keep, Some(store)));
            opened.tails.insert(resource.name.clone(), tail.clone());
            store = tail;
        }
        let interests = binding.patterns.is_empty().then_some(interests);
        let access = configured.access.clone();
        opened.served.push(Served { resource, access, store, health: health.clone(), sharing: None, interests });
    }
    let follower = Arc::new(RabbitMq::new(settings, log.clone()));
    opened.sources.push(SourcePart { name: source.name.as_str().into(), source: follower, health });
    Ok(opened)
}

/// What a doctor finds at a broker.
///
/// # Errors
/// As [`open`].
pub async fn findings(config: &Config, source: &Source) -> Result<Vec<Finding>> {
    Ok(doctor::examine(&settings(config, source, &HashMap::new())?).await)
}

/// The resources that are fed by a broker.
fn followed_from<'a>(config: &'a Config, source: &'a Source) -> impl Iterator<Item = &'a Resource> {
    config.resources.iter().filter(|resource| resource.source == source.name)
}

fn settings(config: &Config, source: &Source, rows: &HashMap<Arc<str>, Arc<dyn Store>>) -> Result<Settings> {
    let bindings = followed_from(config, source).map(|resource| binding(resource, rows)).collect::<Result<Vec<_>>>()?;
    if bindings.is_empty() {
        let sentence = "no resource names this broker; a resource says which messages are meant with exchange";
        return Err(Error::new(Kind::Configuration, sentence));
    }
    Ok(Settings {
        url: source.url.clone(),
        prefix: source.queue_prefix.clone(),
        prefetch: source.prefetch,
        bindings,
        count: Arc::default(),
    })
}

fn binding(configured: &Resource, rows: &HashMap<Arc<str>, Arc<dyn Store>>) -> Result<Binding> {
    let Records::Exchange(exchange) = &configured.records else {
        let sentence = format!("resource {:?} has no exchange", configured.name);
        return Err(Error::new(Kind::Configuration, sentence));
    };
    let (patterns, linger) = match exchange.follow {
        Follow::Always => (exchange.patterns.as_slice(), Duration::ZERO),
        Follow::Watched { linger } => (&[][..], linger),
    };
    let resource = configured.resource(&["id".to_owned()]);
    Ok(Binding {
        rows: rows.get(&resource.name).cloned(),
        resource,
        exchange: exchange.name.clone(),
        kept: match exchange.queue {
            config::Queue::Quorum => Kept::Quorum,
            config::Queue::Classic => Kept::Classic,
            config::Queue::Stream => Kept::Stream,
        },
        reading: exchange.reading.clone(),
        patterns: patterns.iter().map(|pattern| Topic::parse(pattern)).collect(),
        interests: Arc::default(),
        linger,
    })
}
