//! `[channels."/websocket".walkers.NAME]`: an operation, who may call it in which way, and what runs it.

use crate::config::reader::Section;
use crate::config::value::Found;
use crate::dialect::jac::context::{Field, TYPES};
use crate::jac::operations::{Auth, Methods};
use crate::jac::walkers::builtin::Target;
use crate::viewer::Token;
use serde_json::Value;
use std::time::Duration;

/// An operation.
#[derive(Debug, Clone)]
pub struct Walker {
    pub name: String,
    pub kind: Kind,
    pub methods: Methods,
    pub auth: Auth,
    /// What a context has to have; `None`: anything is passed on.
    pub context: Option<Vec<Field>>,
    pub timeout: Duration,
    /// Whether it is called for other nodes than the caller's own root, too.
    pub nodes: bool,
}

/// What runs it.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A function in a database of Postgres.
    Sql { source: String, function: String },
    /// Whoever answers at a URL.
    Http { url: String, token: Option<Token> },
    /// A stand-in.
    Builtin { target: Target, steps: usize },
}

#[derive(Clone, Copy)]
enum Word {
    Sql,
    Http,
    Builtin,
}

impl Walker {
    /// Reads one; `None`: it is wrong, which is noted.
    pub(super) fn read(name: String, table: Section<'_>) -> Option<Walker> {
        let words = [("sql", Word::Sql), ("http", Word::Http), ("builtin", Word::Builtin)];
        let auths = [("required", Auth::Required), ("optional", Auth::Optional), ("forbidden", Auth::Forbidden)];
        let word = table.get("kind", |value| value.choice(&words));
        if word.is_none() && !table.reader().is_placed(&table.key("kind")) {
            table.reader().mistake(&table.key("kind"), "is missing: \"sql\", \"http\" or \"builtin\"");
        }
        let kind = kind(&table, word);
        let methods = table.get("methods", methods).unwrap_or(Methods { websocket: true, post: false });
        let auth = table.get("auth", |value| value.choice(&auths)).unwrap_or(Auth::Required);
        let context = table.get("context", context);
        let timeout = table.get("timeout", |value| value.some_time()).unwrap_or(Duration::from_secs(30));
        let nodes = table.get("nodes", |value| value.boolean()).unwrap_or(false);
        table.finish();
        Some(Walker { name, kind: kind?, methods, auth, context, timeout, nodes })
    }
}

/// What runs it; what it needs and has not is noted.
fn kind(table: &Section<'_>, word: Option<Word>) -> Option<Kind> {
    let reader = table.reader();
    let needed = |name: &'static str, value: Option<String>| {
        if value.is_none() && !reader.is_placed(&table.key(name)) {
            reader.mistake(&table.key(name), "is missing");
        }
        value
    };
    let source = table.get("source", |value| value.text());
    let function = table.get("function", |value| value.text());
    let url = table.get("url", url);
    let token = table.get("token_env", |value| {
        let name = value.text()?;
        reader.variable(&name).map(Token::new).ok_or_else(|| format!("the variable {name} is not set"))
    });
    let targets =
        [("self", Target::Itself), ("user", Target::User), ("channel", Target::Channel), ("client", Target::Client)];
    let target = table.get("builtin", |value| value.choice(&targets));
    let steps = table.get("steps", |value| value.number(2..=1000)).unwrap_or(6) as usize;
    match word? {
        Word::Sql => Some(Kind::Sql { source: needed("source", source)?, function: needed("function", function)? }),
        Word::Http => Some(Kind::Http { url: needed("url", url)?, token }),
        Word::Builtin => {
            if target.is_none() && !reader.is_placed(&table.key("builtin")) {
                reader.mistake(&table.key("builtin"), "is missing: \"self\", \"user\", \"channel\" or \"client\"");
            }
            Some(Kind::Builtin { target: target?, steps })
        }
    }
}

/// Where an operation is asked for.
fn url(value: &Found<'_>) -> Result<String, String> {
    let url = value.text()?;
    let is_http = ["http://", "https://"].into_iter().any(|scheme| url.starts_with(scheme));
    if is_http { Ok(url) } else { Err("begins neither with https:// nor with http://".to_owned()) }
}

fn methods(value: &Found<'_>) -> Result<Methods, String> {
    let mut methods = Methods { websocket: false, post: false };
    for text in value.texts()? {
        match text.as_str() {
            "websocket" => methods.websocket = true,
            "post" => methods.post = true,
            _ => return Err(format!("\"{text}\" is given; \"websocket\" and \"post\" are wanted")),
        }
    }
    Ok(methods)
}

/// `{ channel_id = "str", text = "str?" }`.
fn context(value: &Found<'_>) -> Result<Vec<Field>, String> {
    let Value::Object(fields) = value.json()? else {
        return Err("a table is wanted, like { channel_id = \"str\" }".to_owned());
    };
    let read = |(name, kind): (&String, &Value)| {
        let field = kind.as_str().and_then(|kind| Field::read(name, kind));
        field.ok_or_else(|| {
            let words = TYPES.map(|(word, _)| word).join(", ");
            format!("{name} has no type; one of {words} is wanted, with ? behind it where the field may be absent")
        })
    };
    fields.iter().map(read).collect()
}
