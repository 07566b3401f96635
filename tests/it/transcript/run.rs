//! Playing transcripts against a running server.

use super::agrees;
use super::form::{Act, Change, Step, Transcript, Words};
use crate::socket::{Heard, PATIENCE, Socket};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What a transcript plays in: a server, and what is particular to a dialect and a database.
pub trait World {
    /// Where the server listens.
    fn address(&self) -> SocketAddr;

    /// Brings about the state that a `given` line describes; where nothing is given, that is an error.
    async fn given(&mut self, text: &str) -> Result<(), String> {
        Err(format!("nothing is given here: {text}"))
    }

    /// Commits a change, and returns when the server has it in its log.
    async fn change(&mut self, change: &Change) -> Result<(), String>;

    /// What stands for what: `$A` for an id, `@A` for a token, `"e1:` for the running log's epoch.
    fn names(&self) -> &[(String, String)];

    /// The credential of who sends an HTTP request.
    fn token(&self, _who: &str) -> Option<String> {
        None
    }

    /// How to learn that everything said on a socket has been handled; `None`: by waiting a moment.
    fn sync(&self, _number: usize) -> Option<Sync> {
        None
    }

    /// That moment.
    fn pause(&self) -> Duration {
        Duration::from_millis(20)
    }
}

/// A question whose answer comes after everything before it, kept out of the transcript.
pub struct Sync {
    pub question: String,
    pub is_answer: Box<dyn Fn(&Value) -> bool + Send>,
}

/// Plays one transcript; `Err` tells the line, what was expected and what came.
pub async fn run<W: World>(world: &mut W, transcript: &Transcript) -> Result<(), String> {
    let mut play = Play {
        world,
        path: String::new(),
        unnamed: transcript.steps.iter().any(|step| step.act.uses_unnamed()),
        sockets: BTreeMap::new(),
        requests: BTreeMap::new(),
        syncs: 0,
    };
    for step in &transcript.steps {
        play.step(step).await.map_err(|why| format!("{}: {why}", step.line))?;
    }
    Ok(())
}

impl Act {
    fn uses_unnamed(&self) -> bool {
        match self {
            Act::Say { socket, .. } | Act::Hear { socket, .. } => socket.is_empty(),
            Act::HearAll(all) => all.iter().any(|(socket, _)| socket.is_empty()),
            _ => false,
        }
    }
}

struct Play<'a, W> {
    world: &'a mut W,
    path: String,
    unnamed: bool,
    sockets: BTreeMap<String, Line>,
    requests: BTreeMap<String, JoinHandle<(u16, String)>>,
    syncs: usize,
}

/// One socket, or the status by which it was refused.
enum Line {
    Open {
        socket: Box<Socket>,
        /// What came before it was asked for.
        early: VecDeque<Heard>,
        /// Something was said since the last sync.
        fresh: bool,
    },
    Refused(u16),
}

impl Line {
    async fn hear(&mut self, time: Duration) -> Heard {
        match self {
            Line::Open { socket, early, .. } => match early.pop_front() {
                Some(heard) => heard,
                None => socket.hear_within(time).await,
            },
            Line::Refused(_) => Heard::Nothing,
        }
    }
}

impl<W: World> Play<'_, W> {
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.act {
            Act::Given(text) => {
                let text = self.named(text);
                self.world.given(&text).await
            }
            Act::Open { socket, path } => {
                let path = self.named(path);
                if !socket.is_empty() {
                    return self.open(socket, &path).await;
                }
                self.path = path.clone();
                if self.unnamed { self.open("", &path).await } else { Ok(()) }
            }
            Act::Say { socket, text } => {
                let text = self.named(text);
                match self.line(socket).await? {
                    Line::Open { socket, fresh, .. } => {
                        socket.say(text).await;
                        *fresh = true;
                        Ok(())
                    }
                    Line::Refused(status) => Err(format!("the upgrade was refused with {status}")),
                }
            }
            Act::Hear { socket, words } => self.hear(socket, words).await,
            Act::HearAll(all) => self.hear_all(all).await,
            Act::Change(change) => {
                self.settle().await?;
                let change = Change {
                    resource: self.named(&change.resource),
                    id: self.named(&change.id),
                    word: change.word,
                    record: change.record.as_deref().map(|record| self.named(record)),
                };
                self.world.change(&change).await
            }
            Act::Request { who, method, path, body } => {
                self.settle().await?;
                self.request(who, method, path, body.as_deref())
            }
            Act::Silence { socket, time } => {
                self.settle().await?;
                self.silence(socket.as_deref(), *time).await
            }
        }
    }

    /// Puts in what the names stand for.
    fn named(&self, text: &str) -> String {
        let replace = |text: String, (name, value): &(String, String)| text.replace(name, value);
        self.world.names().iter().fold(text.to_owned(), replace)
    }

    async fn open(&mut self, name: &str, path: &str) -> Result<(), String> {
        let line = match Socket::open(&format!("ws://{}{path}", self.world.address())).await {
            Ok(socket) => Line::Open { socket: Box::new(socket), early: VecDeque::new(), fresh: true },
            Err(status) => Line::Refused(status),
        };
        self.sockets.insert(name.to_owned(), line);
        Ok(())
    }

    async fn line(&mut self, name: &str) -> Result<&mut Line, String> {
        if !self.sockets.contains_key(name) {
            let path = self.path.clone();
            if path.is_empty() {
                return Err(format!("no path for {name:?}"));
            }
            self.open(name, &path).await?;
        }
        self.sockets.get_mut(name).ok_or_else(|| "no such socket".to_owned())
    }

    async fn hear(&mut self, name: &str, words: &Words) -> Result<(), String> {
        if let Some(request) = self.requests.remove(name) {
            let (status, body) = request.await.map_err(|error| error.to_string())?;
            return self.answered(words, status, &body);
        }
        let expected = self.expected(words)?;
        let line = self.line(name).await?;
        if let (Words::Status { code, .. }, Line::Refused(status)) = (words, &*line) {
            return if code == status { Ok(()) } else { Err(differ(&expected, &format!("refused: {status}"))) };
        }
        let heard = line.hear(PATIENCE).await;
        if expected.is(&heard) { Ok(()) } else { Err(differ(&expected, &describe(&heard))) }
    }

    async fn hear_all(&mut self, all: &[(String, Words)]) -> Result<(), String> {
        let mut waiting = Vec::new();
        for (name, words) in all {
            waiting.push((name, self.expected(words)?));
        }
        while let Some((name, _)) = waiting.first() {
            let name = *name;
            let heard = self.line(name).await?.hear(PATIENCE).await;
            match waiting.iter().position(|(other, expected)| *other == name && expected.is(&heard)) {
                Some(index) => drop(waiting.remove(index)),
                None => {
                    let all: Vec<_> = waiting.iter().map(|(_, expected)| expected.to_string()).collect();
                    return Err(differ(&all.join("\n       or "), &describe(&heard)));
                }
            }
        }
        Ok(())
    }

    fn answered(&self, words: &Words, status: u16, body: &str) -> Result<(), String> {
        let Words::Status { code, body: expected } = words else { return Err("a request is answered".to_owned()) };
        let value = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        let agreed = match expected {
            Some(expected) => agrees(&parse(&self.named(expected))?, &value),
            None => true,
        };
        let expected = expected.clone().unwrap_or_default();
        if agreed && *code == status {
            Ok(())
        } else {
            Err(differ(&format!("{code} {expected}"), &format!("{status} {body}")))
        }
    }

    fn expected(&self, words: &Words) -> Result<Expected, String> {
        Ok(match words {
            Words::Json(text) => Expected::Json(parse(&self.named(text))?),
            Words::Close { code, reason } => {
                let reason = reason.as_deref().map(|text| parse(&self.named(text))).transpose()?;
                Expected::Close(*code, reason)
            }
            Words::Status { code, .. } => Expected::Refusal(*code),
        })
    }

    fn request(&mut self, who: &str, method: &str, path: &str, body: Option<&str>) -> Result<(), String> {
        let url = format!("http://{}{}", self.world.address(), self.named(path));
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = reqwest::Client::new().request(method, url);
        if let Some(token) = self.world.token(who) {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(self.named(body));
        }
        let answer = tokio::spawn(async move {
            let response = request.send().await.expect("the server answers");
            (response.status().as_u16(), response.text().await.expect("the server sends a body"))
        });
        self.requests.insert(who.to_owned(), answer);
        Ok(())
    }

    /// Waits until the server has handled what was said on every socket.
    async fn settle(&mut self) -> Result<(), String> {
        for (name, line) in &mut self.sockets {
            let Line::Open { socket, early, fresh } = line else { continue };
            if !std::mem::take(fresh) {
                continue;
            }
            self.syncs += 1;
            let Some(sync) = self.world.sync(self.syncs) else {
                tokio::time::sleep(self.world.pause()).await;
                continue;
            };
            socket.say(sync.question).await;
            loop {
                match socket.hear().await {
                    Heard::Json(message) if (sync.is_answer)(&message) => break,
                    Heard::Nothing => return Err(format!("the server does not handle what {name:?} said")),
                    end @ (Heard::Close(..) | Heard::Torn) => {
                        early.push_back(end);
                        break;
                    }
                    other => early.push_back(other),
                }
            }
        }
        Ok(())
    }

    async fn silence(&mut self, only: Option<&str>, time: Duration) -> Result<(), String> {
        if let Some(name) = only {
            self.line(name).await?;
        }
        let end = Instant::now() + time;
        for (name, line) in &mut self.sockets {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let heard = line.hear(left).await;
            if heard != Heard::Nothing {
                let who = if name.is_empty() { String::new() } else { format!(" for {name}") };
                return Err(differ(&format!("silence{who}"), &describe(&heard)));
            }
        }
        Ok(())
    }
}

impl<W> Drop for Play<'_, W> {
    fn drop(&mut self) {
        self.requests.values().for_each(JoinHandle::abort);
    }
}

/// What must come next on a socket.
enum Expected {
    Json(Value),
    Close(u16, Option<Value>),
    Refusal(u16),
}

impl Expected {
    fn is(&self, heard: &Heard) -> bool {
        match (self, heard) {
            (Expected::Json(expected), Heard::Json(got)) => agrees(expected, got),
            (Expected::Close(code, reason), Heard::Close(got, text)) => {
                code == got && reason.as_ref().is_none_or(|reason| parse(text).is_ok_and(|text| agrees(reason, &text)))
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expected::Json(value) => write!(f, "{value}"),
            Expected::Close(code, None) => write!(f, "close {code}"),
            Expected::Close(code, Some(reason)) => write!(f, "close {code} {reason}"),
            Expected::Refusal(status) => write!(f, "a refusal with {status}"),
        }
    }
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}

fn describe(heard: &Heard) -> String {
    match heard {
        Heard::Json(value) => value.to_string(),
        Heard::Other(text) => format!("no JSON: {text:?}"),
        Heard::Close(code, reason) => format!("close {code} {reason}"),
        Heard::Torn => "a torn connection".to_owned(),
        Heard::Nothing => "nothing".to_owned(),
    }
}

fn differ(expected: &impl std::fmt::Display, got: &str) -> String {
    format!("\n  expected {expected}\n  got      {got}")
}
