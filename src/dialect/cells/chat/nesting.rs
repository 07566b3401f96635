//! How deeply the elements of an HTML text are nested, by its tags alone: what many open elements at once cost a parser
//! grows with their square, so it is asked before one reads the text.
//!
//! Promise: never less than a parser will have open at once, but for elements that end each other by themselves. Where
//! the tags are not of the plainest form, or not closed in order, every beginning counts as if nothing ever ended.

/// Elements without an end.
const VOID: &str = "area base br col embed hr img input link meta param source track wbr";

/// Elements that the next of their kind ends.
const SELF_ENDING: &str = "dd dt li option p tbody td tfoot th thead tr";

/// Elements in which a tag is not, or not always, a tag.
const RAW: &str = "iframe math noembed noframes noscript plaintext script style svg textarea title xmp";

/// So many elements are open at once at most.
pub(super) fn depth(html: &str) -> usize {
    in_order(html).unwrap_or_else(|| beginnings(html))
}

/// The same where every tag can be understood, and closes the innermost open element if it closes any.
fn in_order(html: &str) -> Option<usize> {
    let (mut open, mut deepest) = (Vec::new(), 0);
    let mut rest = html;
    while let Some((_, behind)) = rest.split_once('<') {
        rest = behind;
        if let Some(comment) = rest.strip_prefix("!--") {
            let (comment, behind) = comment.split_once('>')?;
            comment.strip_suffix("--").filter(|inside| !inside.contains("--"))?;
            rest = behind;
            continue;
        }
        let ending = rest.strip_prefix('/');
        let name = name(ending.unwrap_or(rest));
        if name.is_empty() {
            if rest.starts_with(['/', '!', '?']) {
                return None;
            }
            continue;
        }
        rest = behind_attributes(&ending.unwrap_or(rest)[name.len()..])?;
        if is_in(RAW, name) {
            return None;
        }
        if is_in(VOID, name) || is_in(SELF_ENDING, name) {
            continue;
        }
        if ending.is_none() {
            open.push(name);
            deepest = deepest.max(open.len());
        } else {
            open.pop().filter(|innermost| name.eq_ignore_ascii_case(innermost))?;
        }
    }
    Some(deepest)
}

/// How many elements may begin, wherever one may seem to.
fn beginnings(html: &str) -> usize {
    let names = html.split('<').skip(1).map(name);
    names.filter(|name| !name.is_empty() && !is_in(VOID, name) && !is_in(SELF_ENDING, name)).count()
}

/// The name at the beginning of a tag.
fn name(tag: &str) -> &str {
    let end = tag.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(tag.len());
    if tag.starts_with(|letter: char| letter.is_ascii_alphabetic()) { &tag[..end] } else { "" }
}

/// What follows the tag whose attributes these are; `None` where they are not of the plainest form.
fn behind_attributes(tag: &str) -> Option<&str> {
    let mut rest = tag;
    loop {
        let spaced = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        if let Some(behind) = spaced.strip_prefix("/>").or_else(|| spaced.strip_prefix('>')) {
            return Some(behind);
        }
        if spaced.len() == rest.len() {
            return None;
        }
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | ':');
        let unnamed = spaced.trim_start_matches(is_of_name);
        if unnamed.len() == spaced.len() {
            return None;
        }
        rest = match unnamed.strip_prefix('=') {
            None => unnamed,
            Some(value) => behind_value(value)?,
        };
    }
}

fn behind_value(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(inside) = value.strip_prefix(quote) {
            return inside.split_once(quote).map(|(_, behind)| behind);
        }
    }
    let end = value.find([' ', '\t', '\n', '\r', '>'])?;
    let is_plain = end > 0 && !value[..end].contains(['"', '\'', '<', '=', '`', '/', '\u{c}']);
    is_plain.then(|| &value[end..])
}

fn is_in(names: &str, name: &str) -> bool {
    names.split(' ').any(|one| one.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_in_order_is_as_deep_as_it_looks() {
        for (html, expected) in [
            ("plain", 0),
            ("1 < 2, <3 and a<", 0),
            ("<b>x</b><i>y</i>", 1),
            ("<B>x<i title=\"a > b\">y</I></b>", 2),
            ("<p>one<p>two<br>three</p><hr/>", 0),
            ("<ul><li>a<li><ul class='x y' data-n=1><li>b</ul></ul>", 2),
            ("<!-- a note --><b>x</b>", 1),
        ] {
            assert_eq!(in_order(html), Some(expected), "{html}");
        }
        let rows = format!("<table>{}</table>", "<tr><td><b>x</b><td>y".repeat(5000));
        assert_eq!(depth(&rows), 2);
    }

    /// Ways to have tags seem to end what stays open.
    #[test]
    fn where_an_end_may_be_none_every_beginning_counts() {
        for trick in [
            "<b><table></b></table>",
            "<b><select></b></select>",
            "<b></x>",
            "<b><!--</b>-->",
            "<b><!--></b><!-- -->",
            "<b><!x</b>",
            "<b></ b>",
            "<b><i title=\"</b>\"",
            "<b><i \"></b><i \">",
            "<b><i a\"b=\"></b><i c=\"></i></i>",
            "<b><i a='\"' b=\"></b> <i c=\">",
            "<b><title></b></title>",
            "<b><style></b></style>",
            "<b><?x </b>",
            "<b",
        ] {
            let html = trick.repeat(200);
            assert!(depth(&html) >= 200, "{trick}: {}", depth(&html));
        }
    }
}
