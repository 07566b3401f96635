//! Messages of a client: `{"handler":..}` with the fields of each handler.

use super::fields::Fields;
use super::params::{Criteria, Params};
use super::{MQ, options, topic};
use crate::dialect::Heard;
use crate::filter::Filter;
use crate::message::{
    Action, Address, Asked, Code, Initial, Page, Reference, Refusal, Request, Since, Stop, View, Watch,
};
use crate::viewer::Token;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The shortest and the longest wait for a `progress`; beyond that a client means "never".
const PROGRESS_SECONDS: (f64, f64) = (1.0, 31_536_000.0);

/// Reads one message; `unasked` is what a watch gets that asks for no list.
pub fn decode(unasked: Initial, path: &Arc<str>, text: &str) -> Heard {
    let Some(fields) = Fields::read_message(text) else { return Heard::Nothing };
    let reference = fields.get("ref").map(|text| Reference(text.into()));
    let handler: Option<String> = fields.get("handler").and_then(|text| serde_json::from_str(text).ok());
    let asked = match handler.as_deref() {
        Some("query" | "all" | "get") => Asked::Read,
        Some("watch") => Asked::Watch,
        Some("stop") => Asked::Stop,
        Some("barrier") => Asked::Barrier,
        Some("token") => Asked::Present,
        _ => Asked::Unknown,
    };
    let named = named_resource(&fields);
    // A barrier is for the whole connection unless it names a resource itself, a token always is.
    let is_for_all = matches!(asked, Asked::Barrier | Asked::Present);
    let fallback = if is_for_all { Arc::from("") } else { path.clone() };
    let channel = match &named {
        Named::Path => fallback,
        Named::Resource(name) => name.clone(),
        Named::Nonsense => Arc::from(""),
    };
    let address = Address { channel, reference };
    let refuse = |address: Address, code, summary: &str| {
        Heard::Refused(address, Refusal { code, summary: summary.to_owned(), asked })
    };

    let handler = match handler.as_deref() {
        Some("error") => {
            tracing::debug!(channel = %address.channel, "a client reports an error");
            return Heard::Nothing;
        }
        Some("init") => {
            let resource = address.channel.clone();
            return Heard::Request(Request { address, resource, action: Action::Identify });
        }
        Some(handler) if asked != Asked::Unknown => handler,
        _ => return refuse(address, Code::Handler, "there is no such handler"),
    };
    if matches!(named, Named::Nonsense) {
        return refuse(address, Code::Resource, "resource must be a string");
    }
    if address.channel.is_empty() && !is_for_all {
        return refuse(address, Code::Resource, "no resource is named, by the path or by the message");
    }

    let message = Message { fields, unasked, address: &address };
    match message.ask(handler) {
        Ok((resource, action)) => Heard::Request(Request { address, resource, action }),
        Err(Wrong { code, summary }) => refuse(address, code, &summary),
    }
}

/// What the field `resource` says.
enum Named {
    /// Nothing: the path counts.
    Path,
    Resource(Arc<str>),
    /// It is neither a string nor one of the ways to leave it out.
    Nonsense,
}

fn named_resource(fields: &Fields<'_>) -> Named {
    let Some(text) = fields.get("resource") else { return Named::Path };
    match serde_json::from_str(text) {
        Ok(Value::Bool(false)) => Named::Path,
        Ok(Value::String(name)) if name.is_empty() => Named::Path,
        Ok(Value::String(name)) => Named::Resource(name.into()),
        _ => Named::Nonsense,
    }
}

/// Why a message cannot be done.
struct Wrong {
    code: Code,
    summary: String,
}

impl From<String> for Wrong {
    fn from(summary: String) -> Wrong {
        Wrong { code: Code::Malformed, summary }
    }
}

impl From<&str> for Wrong {
    fn from(summary: &str) -> Wrong {
        Wrong::from(summary.to_owned())
    }
}

/// The resource that is meant, and what is asked of it.
type Asking = Result<(Arc<str>, Action), Wrong>;

/// A message with a handler and a channel.
struct Message<'a> {
    fields: Fields<'a>,
    unasked: Initial,
    address: &'a Address,
}

impl<'a> Message<'a> {
    fn ask(&self, handler: &str) -> Asking {
        match handler {
            "all" => self.all(),
            "query" => self.query(),
            "get" => self.get(),
            "watch" => self.watch(),
            "stop" => self.stop(),
            "token" => self.token(),
            _ => Ok((self.channel(), Action::Barrier)),
        }
    }

    fn channel(&self) -> Arc<str> {
        self.address.channel.clone()
    }

    fn is_mq(&self) -> bool {
        &*self.address.channel == MQ
    }

    fn params(&self) -> Result<Params<'a>, Wrong> {
        Ok(Params::read(self.fields.get("params"))?)
    }

    fn all(&self) -> Asking {
        let mut page = Page::default();
        options::read(self.fields.get("options"), &mut page)?;
        let resource = if self.is_mq() { topic::EVERY_EXCHANGE.into() } else { self.channel() };
        Ok((resource, Action::Query { filter: Filter::All, page }))
    }

    fn query(&self) -> Asking {
        let (resource, filter, mut page) = self.read_selection(&self.params()?)?;
        options::read(self.fields.get("options"), &mut page)?;
        Ok((resource, Action::Query { filter, page }))
    }

    fn get(&self) -> Asking {
        let params = self.params()?;
        match params.criteria() {
            Criteria::Missing if !self.is_mq() => {
                Err(Wrong { code: Code::NoCriteria, summary: "get needs params to look for".to_owned() })
            }
            Criteria::Null if !self.is_mq() => Ok((self.channel(), Action::GetNothing)),
            _ => {
                let (resource, filter, _) = self.read_selection(&params)?;
                Ok((resource, Action::Get { filter, criteria: params.as_asked() }))
            }
        }
    }

    /// A read of `mq` that names no exchange asks something that keeps no tail.
    fn read_selection(&self, params: &Params<'_>) -> Result<(Arc<str>, Filter, Page), Wrong> {
        if self.is_mq() && !topic::names_exchange(params.value()) {
            let summary = "the messages of mq can be read of one exchange, or of all".to_owned();
            return Err(Wrong { code: Code::Unsupported, summary });
        }
        self.selection(params)
    }

    fn selection(&self, params: &Params<'_>) -> Result<(Arc<str>, Filter, Page), Wrong> {
        if self.is_mq() {
            let topic::Subscription { resource, filter } = topic::subscription(params.value())?;
            return Ok((resource, filter, Page::default()));
        }
        let (filter, page) = params.selection()?;
        Ok((self.channel(), filter, page))
    }

    fn watch(&self) -> Asking {
        let params = self.params()?;
        let (resource, filter, mut page) = self.selection(&params)?;
        options::read(self.fields.get("options"), &mut page)?;
        let own = self.is_mq() || self.address.reference.is_some();
        let watch = Watch {
            params: params.canonical(),
            filter,
            view: if own { View::Own } else { View::Shared },
            initial: if self.flag("initial")? { Initial::Asked } else { self.unasked },
            since: self.text("since")?.map(|position| Since::Asked(position.parse().ok())),
            positions: self.flag("positions")?,
            patch: self.flag("patch")?,
            progress: self.progress()?,
            page,
        };
        Ok((resource, Action::Watch(Box::new(watch))))
    }

    /// With a reference, that one whatever the params. Params that no watch can have end nothing.
    fn stop(&self) -> Asking {
        let stop = match self.address.reference {
            Some(_) => Stop::One,
            None => Stop::Params(self.params()?.canonical()),
        };
        Ok((self.channel(), Action::Stop(stop)))
    }

    /// `{"token":T}`.
    fn token(&self) -> Asking {
        let fields = self.fields.get("params").and_then(Fields::read);
        let token = fields.and_then(|fields| serde_json::from_str::<String>(fields.get("token")?).ok());
        let token = token.ok_or("params.token must be a string")?;
        Ok((self.channel(), Action::Present { token: Token::new(token) }))
    }

    fn flag(&self, name: &str) -> Result<bool, Wrong> {
        match self.fields.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Wrong::from(format!("{name} must be true or false"))),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, Wrong> {
        let read = |text| serde_json::from_str(text).map_err(|_| Wrong::from(format!("{name} must be a string")));
        self.fields.get(name).map(read).transpose()
    }

    fn progress(&self) -> Result<Option<Duration>, Wrong> {
        let Some(text) = self.fields.get("progress") else { return Ok(None) };
        let seconds: f64 = serde_json::from_str(text).map_err(|_| "progress must be a number of seconds")?;
        let (shortest, longest) = PROGRESS_SECONDS;
        Ok(Some(Duration::from_secs_f64(seconds.clamp(shortest, longest))))
    }
}
