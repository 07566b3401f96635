//! The text of a message as it is stored: HTML of which only harmless elements and attributes are kept.
//!
//! Promise: to sanitise what was sanitised changes nothing.

use super::nesting;
use ammonia::{Builder, Url, UrlRelative};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Elements that are kept.
const KEPT: &str = "a abbr b blockquote br code del details div em h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre \
                    q s samp small span strike strong sub summary sup table tbody td tfoot th thead tr u ul var";

/// Elements that vanish with everything in them. Of all others the text stays.
const GONE: &str = "script style iframe object embed template svg math noscript";

/// What every link with a target says of itself.
const REL: &str = " rel=\"nofollow\"";

/// Taking something away can make other elements of what is left when it is read again, such as links in links. So it
/// is done until nothing changes, which is almost always the second time.
const MOST_PASSES: usize = 4;

/// A text is nested so deeply at most: what is open at once costs time by its square, and 2,000 open elements seconds.
const DEEPEST: usize = 100;

/// A text that a browser can show without harm. One that is nested too deeply is shown as it was written, tags and all.
pub fn sanitised(text: &str) -> String {
    if !text.contains(['<', '&', '\r', '\0']) || nesting::depth(text) > DEEPEST {
        return escaped(text);
    }
    let mut clean = pass(text);
    for _ in 1..MOST_PASSES {
        let again = pass(&clean);
        if again == clean {
            return if nesting::depth(&clean) > DEEPEST { escaped(text) } else { clean };
        }
        clean = again;
    }
    escaped(text)
}

static RULES: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut rules = Builder::empty();
    rules
        .tags(KEPT.split_whitespace().collect())
        .clean_content_tags(GONE.split_whitespace().collect())
        .generic_attributes(HashSet::from(["title"]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href"])),
            ("img", HashSet::from(["src", "alt", "width", "height"])),
            ("td", HashSet::from(["colspan", "rowspan"])),
            ("th", HashSet::from(["colspan", "rowspan"])),
        ]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("nofollow"))
        .attribute_filter(|element, attribute, value| {
            let is_mail = || Url::parse(value).is_ok_and(|url| url.scheme() == "mailto");
            if (element, attribute) == ("img", "src") && is_mail() { None } else { Some(Cow::Borrowed(value)) }
        });
    rules
});

fn pass(text: &str) -> String {
    let clean = RULES.clean(text).to_string();
    // Every `&` of a text is written `&amp;`, so this one was a space that does not break.
    let clean = clean.replace("&nbsp;", "\u{a0}");
    without_idle_rel(&clean)
}

/// The same, where links without a target say nothing of it. In texts and values no `<`, `>` or `"` is left.
fn without_idle_rel(html: &str) -> String {
    let mut parts = html.split("<a ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (attributes, rest) = part.split_once('>').unwrap_or((part, ""));
        let attributes = format!(" {attributes}");
        whole.push_str("<a");
        // Names and values take turns.
        let has_target = attributes.split('"').step_by(2).any(|name| name.trim() == "href=");
        whole.push_str(&if has_target { attributes } else { attributes.replace(REL, "") });
        whole.push('>');
        whole.push_str(rest);
    }
    whole
}

/// The text itself, with no element in it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
