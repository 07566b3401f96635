//! One page of a list, and the cursor that leads to the next: opaque to clients, and good for ever, since it names
//! what was last shown and not a place in memory.

use super::failure::Failure;
use super::query::Parameters;
use crate::files::capabilities::SPACE;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How many items a page has, without a word, and at most.
const USUAL: usize = 35;
const MOST: usize = 1_000;

/// Which page of which list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    #[serde(rename = "l")]
    pub(super) limit: usize,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    /// Empty: all of them.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) kinds: Vec<String>,
    /// What was last shown; `None`: nothing yet.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
}

impl Page {
    /// Reads the query string. A cursor takes the place of limit and parent, and of the kinds where none are given.
    pub(super) fn read(parameters: &Parameters) -> Result<Page, Failure> {
        let mut kinds: Vec<String> = parameters.all("kind").map(str::to_owned).collect();
        if !kinds.is_empty() {
            // So that what is in them can be reached.
            kinds.push(SPACE.to_owned());
        }
        if let Some(cursor) = parameters.get("cursor") {
            let page = Page::parse(cursor).ok_or_else(|| Failure::malformed("Invalid page cursor."))?;
            return Ok(if kinds.is_empty() { page } else { Page { kinds, ..page } });
        }
        let limit = match parameters.get("limit").map(str::parse::<u64>) {
            None => USUAL,
            Some(Ok(limit)) if limit >= 1 => usize::try_from(limit).unwrap_or(MOST).min(MOST),
            Some(_) => return Err(Failure::malformed("The \"limit\" parameter is not a number.")),
        };
        Ok(Page { limit, parent: parameters.get("parent").map(str::to_owned), kinds, after: None })
    }

    fn parse(cursor: &str) -> Option<Page> {
        let page: Page = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        (1..=MOST).contains(&page.limit).then_some(page)
    }

    /// Whether files of this kind are wanted.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind)
    }

    /// The cursor to what comes behind what was last shown.
    pub(super) fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_string(self).expect("numbers and texts are JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Page, Failure> {
        Page::read(&Parameters::of(Some(query)))
    }

    #[test]
    fn a_cursor_takes_the_place_of_limit_and_parent() {
        let page = read("limit=2&parent=a%20b&kind=x&kind=y&since=5").expect("a page");
        assert_eq!(page.parent.as_deref(), Some("a b"));
        assert_eq!((page.limit, page.after.as_deref()), (2, None));
        assert!(page.wants("x") && page.wants("y") && page.wants("Core#Space") && !page.wants("z"));
        let shown = Page { after: Some("k9".into()), ..page };
        let cursor = shown.cursor();
        assert_eq!(read(&format!("limit=zero&parent=c&cursor={cursor}")).expect("a page"), shown);
        let other = read(&format!("kind=z&cursor={cursor}")).expect("a page");
        assert!(other.wants("z") && !other.wants("x"));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for query in ["limit=0", "limit=-1", "limit=ten", "limit=1.5", "cursor=x", "cursor=e30", "cursor=%00"] {
            assert!(read(query).is_err(), "{query}");
        }
        assert_eq!(read("limit=9999999999").expect("a page").limit, 1_000);
        assert_eq!(read("limit=").expect("a page").limit, 35);
    }
}
