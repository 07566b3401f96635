//! `[channels."/websocket"]` with `dialect = "jac"`: who may push what to whom, and the operations that push.

mod walkers;

pub use walkers::{Kind as WalkerKind, Walker};

use crate::auth::OnExpiry;
use crate::config::reader::{Reader, Section};
use crate::config::value::Found;
use crate::config::{Config, Product};
use crate::jac::feeds::Feed;
use crate::jac::push::MayPush;
use crate::relay::Kind;
use crate::viewer::Token;
use serde_json::Value;
use std::time::Duration;

/// Where its sockets come in.
const PATH: &str = "/websocket";

/// Pushes, as configured.
#[derive(Debug, Clone)]
pub struct Jac {
    /// The key in the configuration, which is the path of its sockets.
    pub path: String,
    pub push: MayPush,
    pub relay: Relay,
    /// Whether a `change_user` without a token is judged as the handshake was; otherwise it means the public user.
    pub falls_back_to_header: bool,
    pub on_expiry: OnExpiry,
    /// The first of these claims that is a text names the user.
    pub root_claims: Vec<String>,
    /// What backends show; empty: there is no path for them.
    pub service_tokens: Vec<Token>,
    /// The resource whose records are pushes.
    pub pushes: Option<String>,
    pub feeds: Vec<Feed>,
    pub walkers: Vec<Walker>,
    /// The longest message of a client, in bytes.
    pub max_message: usize,
    /// How many ids a push may name.
    pub max_targets: usize,
    pub ping: Duration,
    pub pong_timeout: Duration,
}

/// How pushes reach the sockets of other nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relay {
    /// There are none.
    None,
    /// By a table of this source.
    Postgres(String),
    /// By an exchange of this source.
    Rabbitmq(String),
}

impl Jac {
    pub(super) fn read(path: String, table: Section<'_>) -> Jac {
        let reader = table.reader();
        let pushes =
            [("anyone", MayPush::Anyone), ("authenticated", MayPush::Authenticated), ("own-channel", MayPush::Own)];
        let ends = [("public", OnExpiry::Downgrade), ("close", OnExpiry::Close), ("keep", OnExpiry::Keep)];
        let without_token = [("public", false), ("header", true)];
        let service_tokens = table.get("service_tokens_env", |value| {
            // Where the variable is not set, backends have no path.
            let given = reader.variable(&value.text()?).unwrap_or_default();
            let tokens = given.split(',').map(str::trim).filter(|token| !token.is_empty());
            Ok(tokens.map(Token::new).collect())
        });
        let mut role = None;
        for (name, resource) in table.texts("roles") {
            match name.as_str() {
                "pushes" => role = Some(resource),
                _ => reader.mistake(&table.key("roles"), format!("\"{name}\" is no role; there is pushes")),
            }
        }
        let time = |name, default| table.get(name, |value| value.some_time()).unwrap_or(default);
        let jac = Jac {
            push: table.get("push", |value| value.choice(&pushes)).unwrap_or(MayPush::Authenticated),
            relay: table.get("relay", relay).unwrap_or(Relay::None),
            falls_back_to_header: table
                .get("change_user_without_token", |value| value.choice(&without_token))
                .unwrap_or(false),
            on_expiry: table.get("on_expiry", |value| value.choice(&ends)).unwrap_or(OnExpiry::Downgrade),
            root_claims: table
                .get("root_claim", |value| value.texts())
                .unwrap_or_else(|| vec!["root_id".to_owned(), "sub".to_owned()]),
            service_tokens: service_tokens.unwrap_or_default(),
            pushes: role,
            feeds: table.get("feeds", feeds).unwrap_or_default(),
            walkers: table.named("walkers").into_iter().filter_map(|(name, table)| Walker::read(name, table)).collect(),
            max_message: table.get("max_message", |value| value.size()).unwrap_or(16 << 20) as usize,
            max_targets: table.get("max_targets", |value| value.number(1..=1_000_000)).unwrap_or(1000) as usize,
            ping: time("ping", Duration::from_secs(20)),
            pong_timeout: time("pong_timeout", Duration::from_secs(20)),
            path,
        };
        table.finish();
        jac
    }

    /// Notes what does not fit the rest of the configuration.
    pub(super) fn check(&self, config: &Config, reader: &Reader<'_>) {
        let key = |name: &str| format!("channels.{}.{name}", self.path);
        if self.path != PATH {
            reader.mistake(&format!("channels.{}", self.path), format!("pushes are served at \"{PATH}\""));
        }
        let (source, product) = match &self.relay {
            Relay::None => (None, Product::Postgres),
            Relay::Postgres(source) => (Some(source), Product::Postgres),
            Relay::Rabbitmq(source) => (Some(source), Product::Rabbitmq),
        };
        if let Some(source) = source {
            of_product(config, source, product).unwrap_or_else(|why| reader.mistake(&key("relay"), why));
        }
        for walker in &self.walkers {
            if let WalkerKind::Sql { source, .. } = &walker.kind {
                let key = key(&format!("walkers.{}.source", walker.name));
                of_product(config, source, Product::Postgres).unwrap_or_else(|why| reader.mistake(&key, why));
            }
        }
        let is_complete = config.sources.iter().all(|source| !config.discovers(source));
        let is_known = |name: &str| !is_complete || config.resources.iter().any(|resource| resource.name == name);
        for (name, resource) in self.resources().filter(|(_, resource)| !is_known(resource)) {
            reader.mistake(&key(name), format!("there is no resource \"{resource}\""));
        }
    }

    /// Whether it runs functions of this source, or has it as its relay.
    pub fn uses(&self, source: &str) -> bool {
        let is_relay = match &self.relay {
            Relay::None => false,
            Relay::Postgres(name) | Relay::Rabbitmq(name) => name == source,
        };
        is_relay || self.functions(source).next().is_some()
    }

    /// The functions of this source that are operations.
    pub fn functions<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a str> {
        self.walkers.iter().filter_map(move |walker| match &walker.kind {
            WalkerKind::Sql { source: name, function } if name == source => Some(function.as_str()),
            _ => None,
        })
    }

    /// The resources that it follows: the key that names each, and its name.
    pub fn resources(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let feeds = self.feeds.iter().map(|feed| ("feeds", &*feed.resource));
        self.pushes.iter().map(|resource| ("roles", resource.as_str())).chain(feeds)
    }
}

/// Whether there is such a source, of this product.
fn of_product(config: &Config, name: &str, product: Product) -> Result<(), String> {
    match config.sources.iter().find(|source| source.name == name) {
        None => Err(format!("there is no source \"{name}\"")),
        Some(source) if source.product != product => Err(format!("the source \"{name}\" is not of that kind")),
        Some(_) => Ok(()),
    }
}

/// `none`, `postgres:<source>` or `rabbitmq:<source>`.
fn relay(value: &Found<'_>) -> Result<Relay, String> {
    let text = value.text()?;
    match text.split_once(':') {
        None if text == "none" => Ok(Relay::None),
        Some(("postgres", source)) if !source.is_empty() => Ok(Relay::Postgres(source.to_owned())),
        Some(("rabbitmq", source)) if !source.is_empty() => Ok(Relay::Rabbitmq(source.to_owned())),
        _ => Err(format!("\"{text}\" is given; \"none\", \"postgres:SOURCE\" or \"rabbitmq:SOURCE\" is wanted")),
    }
}

/// `[{ resource = "messages", to = "channel", ids = "room" }]`.
fn feeds(value: &Found<'_>) -> Result<Vec<Feed>, String> {
    const WANTED: &str = "a list is wanted, like [{ resource = \"messages\", to = \"channel\", ids = \"room\" }]";
    let Value::Array(feeds) = value.json()? else { return Err(WANTED.to_owned()) };
    let read = |feed: &Value| {
        let feed = feed.as_object()?;
        let text = |name: &str| feed.get(name)?.as_str().filter(|text| !text.is_empty());
        let to = Kind::of(text("to")?).filter(|kind| *kind != Kind::Client)?;
        let feed = (feed.len() == 3).then(|| Some(Feed::new(text("resource")?, to, text("ids")?)));
        feed.flatten()
    };
    feeds.iter().map(|feed| read(feed).ok_or_else(|| WANTED.to_owned())).collect()
}

#[cfg(test)]
mod tests;
