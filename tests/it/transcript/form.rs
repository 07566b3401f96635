//! Reading transcripts.

use serde_json::Value;
use std::time::Duration;

/// One conversation.
#[derive(Debug)]
pub struct Transcript {
    pub title: String,
    pub steps: Vec<Step>,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Step {
    /// Counted from 1.
    pub line: usize,
    pub act: Act,
}

/// What a line asks for. A socket without a name has the empty name.
#[derive(Debug, Clone)]
pub enum Act {
    Given(String),
    Open {
        socket: String,
        path: String,
    },
    Say {
        socket: String,
        text: String,
    },
    Hear {
        socket: String,
        words: Words,
    },
    /// Each arrives, in any order.
    HearAll(Vec<(String, Words)>),
    Change(Change),
    Request {
        who: String,
        method: String,
        path: String,
        body: Option<String>,
    },
    Silence {
        socket: Option<String>,
        time: Duration,
    },
}

/// What is expected, as text in which names are not replaced yet.
#[derive(Debug, Clone)]
pub enum Words {
    Json(String),
    Close {
        code: u16,
        reason: Option<String>,
    },
    /// A refused upgrade, or the answer to a request.
    Status {
        code: u16,
        body: Option<String>,
    },
}

/// A committed change.
#[derive(Debug, Clone)]
pub struct Change {
    pub resource: String,
    pub id: String,
    pub word: Word,
    pub record: Option<String>,
}

impl Change {
    /// What happened to a record, which is now this one if it is not removed.
    pub fn of(resource: &str, id: &str, word: Word, record: &Value) -> Change {
        let record = (word != Word::Removed).then(|| record.to_string());
        Change { resource: resource.to_owned(), id: id.to_owned(), word, record }
    }
}

/// What happened to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Created,
    Updated,
    Removed,
    Appended,
}

/// Reads a file; a line that is none of the form is an error that names it.
pub fn read(text: &str) -> Result<Vec<Transcript>, String> {
    let mut before = Vec::new();
    let mut transcripts: Vec<Transcript> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_end();
        let number = index + 1;
        let wrong = |why: String| format!("line {number}: {why}: {line}");
        if line.is_empty() {
            continue;
        }
        if let Some(title) = line.strip_prefix("# ") {
            transcripts.push(Transcript { title: title.to_owned(), steps: before.clone() });
            continue;
        }
        let act = if line == "(" { group(&mut lines) } else { act(line) }.map_err(wrong)?;
        let steps = transcripts.last_mut().map_or(&mut before, |transcript| &mut transcript.steps);
        steps.push(Step { line: number, act });
    }
    Ok(transcripts)
}

fn group<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Result<Act, String> {
    let mut all = Vec::new();
    for (_, line) in lines {
        if line.trim_end() == ")" {
            return Ok(Act::HearAll(all));
        }
        match act(line.trim_end())? {
            Act::Hear { socket, words } => all.push((socket, words)),
            _ => return Err(format!("only what is heard can be grouped, not {line:?}")),
        }
    }
    Err("a group that does not end".to_owned())
}

fn act(line: &str) -> Result<Act, String> {
    if let Some(rest) = line.strip_prefix("given ") {
        return Ok(Act::Given(rest.to_owned()));
    }
    if let Some(rest) = line.strip_prefix("! ") {
        return change(rest).map(Act::Change);
    }
    let name = line.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(line.len());
    let (name, rest) = line.split_at(name);
    if let ("path", Some(path)) = (name, rest.strip_prefix(' ')) {
        return Ok(Act::Open { socket: String::new(), path: path.to_owned() });
    }
    if let Some(path) = rest.strip_prefix(" path ") {
        return Ok(Act::Open { socket: name.to_owned(), path: path.to_owned() });
    }
    let socket = name.to_owned();
    let (kind, rest) = rest.split_at_checked(1).unwrap_or_default();
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    match kind {
        ">" => Ok(request(&socket, rest)?.unwrap_or(Act::Say { socket, text: rest.to_owned() })),
        "<" => Ok(Act::Hear { socket, words: words(rest)? }),
        "~" => {
            let time = rest.strip_suffix("ms").and_then(|number| number.parse().ok()).ok_or("no time in ms")?;
            let socket = Some(socket).filter(|name| !name.is_empty());
            Ok(Act::Silence { socket, time: Duration::from_millis(time) })
        }
        _ => Err("not a line of a transcript".to_owned()),
    }
}

fn change(text: &str) -> Result<Change, String> {
    let mut parts = text.splitn(4, ' ');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let (resource, id, word) = (next().ok_or("no resource")?, next().ok_or("no id")?, next().ok_or("no word")?);
    let word = match word {
        "created" => Word::Created,
        "updated" => Word::Updated,
        "removed" => Word::Removed,
        "appended" => Word::Appended,
        _ => return Err(format!("{word} is no change")),
    };
    let record = next().map(json).transpose()?;
    if record.is_none() && word != Word::Removed {
        return Err("no record".to_owned());
    }
    Ok(Change { resource: resource.to_owned(), id: id.to_owned(), word, record })
}

/// `METHOD /path body`, if it is one.
fn request(who: &str, text: &str) -> Result<Option<Act>, String> {
    let mut parts = text.splitn(3, ' ');
    let (Some(method), Some(path)) = (parts.next(), parts.next()) else { return Ok(None) };
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_method || !path.starts_with('/') {
        return Ok(None);
    }
    let body = parts.next().map(str::to_owned);
    Ok(Some(Act::Request { who: who.to_owned(), method: method.to_owned(), path: path.to_owned(), body }))
}

fn words(text: &str) -> Result<Words, String> {
    if let Some(rest) = text.strip_prefix("close ") {
        let (code, reason) = split_code(rest)?;
        return Ok(Words::Close { code, reason });
    }
    if text.starts_with(|letter: char| letter.is_ascii_digit()) {
        let (code, body) = split_code(text)?;
        return Ok(Words::Status { code, body });
    }
    json(text).map(Words::Json)
}

fn split_code(text: &str) -> Result<(u16, Option<String>), String> {
    let (code, rest) = text.split_once(' ').map_or((text, None), |(code, rest)| (code, Some(rest)));
    Ok((code.parse().map_err(|_| "no code")?, rest.map(json).transpose()?))
}

fn json(text: &str) -> Result<String, String> {
    serde_json::from_str::<Value>(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_read() {
        let text = "given {}\n\n# one\npath /x?a=b c\na path /y\n> {nope\n> \na> null\n(\n< 1.5e3\nb< {}\n)\na< 403\n\
                    < close 1008 {}\n! r k removed\nu1> PUT /x {}\nu1< 204\nc~ 50ms\n~ 5ms\n# two\n> x y";
        assert!(read(text).is_err(), "1.5e3 is no code");
        let transcripts = read(&text.replace("1.5e3", "[1]")).unwrap();
        assert_eq!(transcripts.len(), 2);
        assert_eq!((transcripts[0].title.as_str(), transcripts[0].steps.len()), ("one", 14));
        assert_eq!(transcripts[1].steps.len(), 2, "what stands before the first one begins every one");
        assert!(matches!(&transcripts[0].steps[3].act, Act::Say { text, .. } if text == "{nope"));
        assert!(matches!(&transcripts[0].steps[4].act, Act::Say { text, .. } if text.is_empty()));
        assert!(matches!(&transcripts[0].steps[6].act, Act::HearAll(all) if all.len() == 2));
        assert!(matches!(&transcripts[0].steps[10].act, Act::Request { body: Some(body), .. } if body == "{}"));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for line in ["nonsense", "! r k", "! r k made {}", "! r k created", "< {", "~ 5", "(", "a< close x"] {
            let error = read(&format!("# one\n{line}")).unwrap_err();
            assert!(error.starts_with("line 2: "), "{error}");
        }
    }
}
