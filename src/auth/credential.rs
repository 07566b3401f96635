//! What a client shows when it connects, and where it may show it.

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::str::FromStr;

/// What of a request may carry a token.
#[derive(Debug, Clone, Default)]
pub struct Shown<'a> {
    /// The value of `Authorization`.
    pub authorization: Option<&'a [u8]>,
    pub query: Option<&'a str>,
    /// The values of `Cookie`.
    pub cookies: Vec<&'a [u8]>,
    /// The `Origin` of the page that a browser sent it for, where that is neither ours nor of this machine.
    pub foreign_origin: Option<&'a [u8]>,
    /// Where it comes from.
    pub peer: Option<IpAddr>,
}

/// A place where a token may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer <token>`.
    Header,
    /// The query parameter of this name.
    Query(String),
    /// The cookie of this name.
    Cookie(String),
}

/// What a request shows, judged by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// Nothing.
    Absent,
    /// Something that is no token: another scheme than `Bearer`, not text, empty.
    Unusable,
    Token(String),
}

impl Carrier {
    /// The header, then the parameter `access_token`.
    pub fn usual() -> Vec<Carrier> {
        vec![Carrier::Header, Carrier::Query("access_token".to_owned())]
    }
}

/// `header`, `query`, `query:NAME`, `cookie:NAME`.
impl FromStr for Carrier {
    type Err = String;

    fn from_str(text: &str) -> Result<Carrier, String> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"=&;,\"".contains(&byte))
        };
        match text.split_once(':') {
            None if text == "header" => Ok(Carrier::Header),
            None if text == "query" => Ok(Carrier::Query("access_token".to_owned())),
            Some(("query", name)) if is_name(name) => Ok(Carrier::Query(name.to_owned())),
            Some(("cookie", name)) if is_name(name) => Ok(Carrier::Cookie(name.to_owned())),
            _ => {
                Err(format!("\"{text}\" is given; \"header\", \"query\", \"query:NAME\" or \"cookie:NAME\" is wanted"))
            }
        }
    }
}

impl Credential {
    /// What the first of these places has that has anything. One that is bad does not lead to the next.
    ///
    /// Browsers add cookies to whatever any page sends, so those of a page of another origin do not count unless
    /// it is one of `origins`.
    pub fn of(shown: &Shown<'_>, carriers: &[Carrier], origins: &[String]) -> Credential {
        let may_use_cookies =
            shown.foreign_origin.is_none_or(|origin| origins.iter().any(|one| one.as_bytes() == origin));
        for carrier in carriers {
            let found = match carrier {
                Carrier::Header => shown.authorization.map(bearer),
                Carrier::Query(name) => shown.query.and_then(|query| parameter(query, name)),
                Carrier::Cookie(name) if may_use_cookies => cookie(&shown.cookies, name),
                Carrier::Cookie(_) => None,
            };
            match found {
                None => {}
                Some(Some(token)) if !token.is_empty() => return Credential::Token(token),
                Some(_) => return Credential::Unusable,
            }
        }
        Credential::Absent
    }
}

/// The token behind `Bearer`, however that is written, which may be empty.
pub fn bearer(value: &[u8]) -> Option<String> {
    let (scheme, token) = str::from_utf8(value).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// Whether two tokens are the same. Digests are compared, so that the time it takes tells nothing of either.
pub fn is_same(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

/// The first parameter of this name, decoded; `Some(None)` when that is no text.
fn parameter(query: &str, name: &str) -> Option<Option<String>> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(percent_decode_str(value).decode_utf8().ok().map(|text| text.into_owned()))
}

/// The first cookie of this name, without quotes around it; `Some(None)` when that is no text.
fn cookie(values: &[&[u8]], name: &str) -> Option<Option<String>> {
    let mut pairs = values.iter().flat_map(|value| value.split(|byte| *byte == b';')).filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    });
    let (_, value) = pairs.find(|(key, _)| *key == name.as_bytes())?;
    Some(str::from_utf8(value).ok().map(|text| text.trim_matches('"').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carriers(names: &[&str]) -> Vec<Carrier> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn token(text: &str) -> Credential {
        Credential::Token(text.to_owned())
    }

    #[test]
    fn a_credential_is_in_the_header_or_else_in_the_query() {
        for (authorization, query, found) in [
            (None, None, Credential::Absent),
            (None, Some("x=1&access_token_=2"), Credential::Absent),
            (Some("Bearer abc"), Some("access_token=q"), token("abc")),
            (Some("bearer  abc "), None, token("abc")),
            (None, Some("x=1&access_token=a%2Db"), token("a-b")),
            (Some("Basic abc"), Some("access_token=q"), Credential::Unusable),
            (Some("Bearer "), None, Credential::Unusable),
            (Some("Bearer"), None, Credential::Unusable),
            (Some(""), None, Credential::Unusable),
            (None, Some("access_token="), Credential::Unusable),
            (None, Some("access_token=%ff"), Credential::Unusable),
        ] {
            let shown = Shown { authorization: authorization.map(str::as_bytes), query, ..Shown::default() };
            assert_eq!(Credential::of(&shown, &Carrier::usual(), &[]), found, "{authorization:?} {query:?}");
        }
        let shown = Shown { authorization: Some(b"Bearer \xff"), ..Shown::default() };
        assert_eq!(Credential::of(&shown, &Carrier::usual(), &[]), Credential::Unusable);
    }

    #[test]
    fn the_first_place_that_has_one_is_judged_and_a_bad_one_leads_nowhere() {
        let everywhere = Shown {
            authorization: Some(b"Bearer h"),
            query: Some("token=q&access_token=a"),
            cookies: vec![b"a=b; session=\"c\"", b"session=d"],
            ..Shown::default()
        };
        let emptied = |change: fn(&mut Shown<'_>)| {
            let mut shown = everywhere.clone();
            change(&mut shown);
            shown
        };
        for (order, shown, found) in [
            (&["header", "query:token"][..], everywhere.clone(), token("h")),
            (&["query:token", "header"], everywhere.clone(), token("q")),
            (&["query", "header"], everywhere.clone(), token("a")),
            (&["cookie:session", "header"], everywhere.clone(), token("c")),
            (&["cookie:sess", "header"], everywhere.clone(), token("h")),
            (&["query:token", "header"], emptied(|shown| shown.query = Some("token=")), Credential::Unusable),
            (&["query:token", "header"], emptied(|shown| shown.query = None), token("h")),
            (&["cookie:session", "header"], emptied(|shown| shown.cookies = vec![b"session="]), Credential::Unusable),
            (&["cookie:session"], emptied(|shown| shown.cookies = vec![b"session", b"\xff"]), Credential::Absent),
        ] {
            assert_eq!(Credential::of(&shown, &carriers(order), &[]), found, "{order:?}");
        }
    }

    #[test]
    fn a_cookie_of_a_page_of_another_origin_does_not_count() {
        let shown =
            Shown { cookies: vec![b"session=c"], foreign_origin: Some(b"https://evil.example"), ..Shown::default() };
        let cookie = carriers(&["cookie:session"]);
        assert_eq!(Credential::of(&shown, &cookie, &[]), Credential::Absent);
        assert_eq!(Credential::of(&shown, &cookie, &["https://good.example".to_owned()]), Credential::Absent);
        assert_eq!(Credential::of(&shown, &cookie, &["https://evil.example".to_owned()]), token("c"));
    }

    #[test]
    fn a_place_has_a_name() {
        for text in ["", "Header", "query:", "cookie", "cookie:", "cookie:a b", "query:a=b", "body"] {
            assert!(text.parse::<Carrier>().is_err(), "{text}");
        }
    }
}
