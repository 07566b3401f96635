//! `If-Match` and `If-None-Match` (RFC 9110, section 13).

use crate::api::problem::Problem;
use crate::store::Condition;
use axum::http::{HeaderMap, HeaderName, header};

/// What a write requires of the record before it.
pub(super) fn of_write(headers: &HeaderMap) -> Result<Condition, Problem> {
    let same = tags(headers, header::IF_MATCH)?;
    let other = tags(headers, header::IF_NONE_MATCH)?;
    match (same.as_slice(), other.as_slice()) {
        ([], []) => Ok(Condition::None),
        ([star], []) if star == "*" => Ok(Condition::Exists),
        (_, []) => Ok(Condition::Tag(same)),
        ([], [star]) if star == "*" => Ok(Condition::Absent),
        ([], _) => Err(Problem::malformed("a write takes If-None-Match only as *.")),
        _ => Err(Problem::malformed("a write takes If-Match or If-None-Match, not both.")),
    }
}

/// Whether the reader already has the record with this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> Result<bool, Problem> {
    let known = tags(headers, header::IF_NONE_MATCH)?;
    Ok(known.iter().any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag))
}

/// The tags of a header, as they stand there: `*`, or quoted ones separated by commas. A comma within the
/// quotes would be read as a separator; our own tags have none.
fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Vec<String>, Problem> {
    let mut tags = Vec::new();
    for value in headers.get_all(&name) {
        let text = value.to_str().map_err(|_| Problem::malformed(format!("{name} is not text.")))?;
        tags.extend(text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()));
    }
    let is_tag = |tag: &String| {
        let quoted = tag.strip_prefix("W/").unwrap_or(tag);
        quoted.len() >= 2 && quoted.starts_with('"') && quoted.ends_with('"')
    };
    if tags == ["*"] || tags.iter().all(is_tag) {
        Ok(tags)
    } else {
        Err(Problem::malformed(format!("{name} is * or a list of quoted tags.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn every_form_of_condition_is_understood_or_refused() {
        let of = |pairs: &[(HeaderName, &'static str)]| of_write(&headers(pairs)).ok();
        assert_eq!(of(&[]), Some(Condition::None));
        assert_eq!(of(&[(header::IF_MATCH, "*")]), Some(Condition::Exists));
        assert_eq!(of(&[(header::IF_NONE_MATCH, "*")]), Some(Condition::Absent));
        let tags = Some(Condition::Tag(vec!["\"a\"".into(), "W/\"b\"".into(), "\"c\"".into()]));
        assert_eq!(of(&[(header::IF_MATCH, "\"a\", W/\"b\""), (header::IF_MATCH, "\"c\"")]), tags);
        assert_eq!(of(&[(header::IF_MATCH, "*, \"a\"")]), None);
        assert_eq!(of(&[(header::IF_MATCH, "a")]), None);
        assert_eq!(of(&[(header::IF_MATCH, "\"")]), None);
        assert_eq!(of(&[(header::IF_NONE_MATCH, "\"a\"")]), None);
        assert_eq!(of(&[(header::IF_MATCH, "*"), (header::IF_NONE_MATCH, "*")]), None);
    }

    #[test]
    fn a_reader_knows_a_tag_weak_or_strong() {
        let known = |value| is_known(&headers(&[(header::IF_NONE_MATCH, value)]), "\"a\"").ok();
        assert_eq!(known("\"b\", W/\"a\""), Some(true));
        assert_eq!(known("*"), Some(true));
        assert_eq!(known("\"b\""), Some(false));
        assert_eq!(known("a"), None);
    }
}
