//! What is wrong with the form of a message, in the words that clients know from Python's validators.
//!
//! ```text
//! {"type":"missing","loc":["event","walker","walker"],"msg":"Field required","input":{"type":"walker"}}
//! ```

use crate::dialect::jac::json::compact;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A value that is longer is not repeated.
const LONGEST_INPUT: usize = 1024;

/// The discriminator and the words that it may be.
const DISCRIMINATOR: &str = "'type'";
const TAGS: &str = "'connection', 'walker', 'user', 'channel', 'client', 'change_user'";

/// One thing that is wrong.
#[derive(Debug, Serialize)]
pub struct Finding {
    r#type: &'static str,
    loc: Vec<Place>,
    msg: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Ctx>,
}

/// A step to the value that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    Name(Cow<'static, str>),
    Index(usize),
}

/// The type that a value should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Text,
    List,
    Dictionary,
    Boolean,
    Integer,
    Number,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Ctx {
    Tag {
        discriminator: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected_tags: Option<&'static str>,
    },
    Length {
        field_type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        min_length: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_length: Option<usize>,
        actual_length: usize,
    },
}

impl From<&'static str> for Place {
    fn from(name: &'static str) -> Place {
        Place::Name(Cow::Borrowed(name))
    }
}

impl Wanted {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Wanted::Text => ("string_type", "Input should be a valid string"),
            Wanted::List => ("list_type", "Input should be a valid list"),
            Wanted::Dictionary => ("dict_type", "Input should be a valid dictionary"),
            Wanted::Boolean => ("bool_type", "Input should be a valid boolean"),
            Wanted::Integer => ("int_type", "Input should be a valid integer"),
            Wanted::Number => ("float_type", "Input should be a valid number"),
        }
    }
}

impl Finding {
    /// The message is no object.
    pub fn no_object(message: &RawValue) -> Finding {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        Finding::new("model_attributes_type", vec!["event".into()], msg, message)
    }

    /// The message does not say what it is.
    pub fn no_tag(message: &RawValue) -> Finding {
        let msg = "Unable to extract tag using discriminator 'type'";
        let ctx = Ctx::Tag { discriminator: DISCRIMINATOR, tag: None, expected_tags: None };
        Finding { ctx: Some(ctx), ..Finding::new("union_tag_not_found", vec!["event".into()], msg, message) }
    }

    /// The message says that it is something unknown.
    pub fn unknown_tag(tag: String, message: &RawValue) -> Finding {
        let msg =
            format!("Input tag '{tag}' found using {DISCRIMINATOR} does not match any of the expected tags: {TAGS}");
        let ctx = Ctx::Tag { discriminator: DISCRIMINATOR, tag: Some(tag), expected_tags: Some(TAGS) };
        Finding { ctx: Some(ctx), ..Finding::new("union_tag_invalid", vec!["event".into()], msg, message) }
    }

    /// There is no such field in `around`.
    pub fn missing(loc: Vec<Place>, around: &RawValue) -> Finding {
        Finding::new("missing", loc, "Field required", around)
    }

    /// The value has another type.
    pub fn not(wanted: Wanted, loc: Vec<Place>, value: &RawValue) -> Finding {
        let (name, msg) = wanted.words();
        Finding::new(name, loc, msg, value)
    }

    /// The value has the right type, and still is not what it should be.
    pub fn bad_value(sentence: String, loc: Vec<Place>, value: &RawValue) -> Finding {
        Finding::new("value_error", loc, sentence, value)
    }

    /// The text is not JSON.
    pub fn no_json(loc: Vec<Place>) -> Finding {
        Finding { r#type: "json_invalid", loc, msg: "JSON decode error".into(), input: None, ctx: None }
    }

    /// The list has nothing in it.
    pub fn too_short(loc: Vec<Place>, list: &RawValue) -> Finding {
        let ctx = Ctx::Length { field_type: "List", min_length: Some(1), max_length: None, actual_length: 0 };
        let msg = "List should have at least 1 item after validation, not 0";
        Finding { ctx: Some(ctx), ..Finding::new("too_short", loc, msg, list) }
    }

    /// The list has more in it than it may.
    pub fn too_long(loc: Vec<Place>, list: &RawValue, most: usize, count: usize) -> Finding {
        let ctx = Ctx::Length { field_type: "List", min_length: None, max_length: Some(most), actual_length: count };
        let s = if most == 1 { "" } else { "s" };
        let msg = format!("List should have at most {most} item{s} after validation, not {count}");
        Finding { ctx: Some(ctx), ..Finding::new("too_long", loc, msg, list) }
    }

    fn new(r#type: &'static str, loc: Vec<Place>, msg: impl Into<Cow<'static, str>>, input: &RawValue) -> Finding {
        Finding { r#type, loc, msg: msg.into(), input: compact(input, LONGEST_INPUT), ctx: None }
    }
}
