//! The query strings of the file store: `?alt=media`, `?limit=35&parent=KEY&kind=Core%23Project&cursor=…`.

use super::failure::Failure;
use percent_encoding::percent_decode_str;

/// The parameters, in their order. Unknown ones are let be.
pub(super) struct Parameters(Vec<(String, String)>);

/// Which side of a file is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alt {
    Meta,
    Media,
}

impl Parameters {
    pub(super) fn of(query: Option<&str>) -> Parameters {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Parameters(decoded.collect())
    }

    /// The first of this name that says something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All of this name that say something.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(one, value)| one == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Without a word, what `usual` says.
    pub(super) fn alt(&self, usual: Alt) -> Result<Alt, Failure> {
        match self.get("alt") {
            None => Ok(usual),
            Some("meta") => Ok(Alt::Meta),
            Some("media") => Ok(Alt::Media),
            Some(_) => Err(unsupported_alt()),
        }
    }

    /// The same, where only contents are meant.
    pub(super) fn only_media(&self, usual: Alt) -> Result<(), Failure> {
        match self.alt(usual)? {
            Alt::Media => Ok(()),
            Alt::Meta => Err(unsupported_alt()),
        }
    }
}

fn unsupported_alt() -> Failure {
    Failure::malformed("Unsupported \"alt\" parameter.")
}

/// What is no UTF-8 is shown as such, and means nothing to anybody.
fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
