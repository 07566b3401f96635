use super::pattern::{Pattern, Query};
use super::token::{self, Shown};
use crate::door::Asking;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

fn shown(query: Option<&str>, headers: &[(&str, &str)]) -> Shown {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        })
        .collect();
    token::of(&Asking { path: "/", query, headers: &headers, peer: None })
}

#[test]
fn the_first_place_that_has_a_token_is_judged() {
    let token = |text: &str| Shown::Token(text.to_owned());
    let cookies = ("cookie", "a=b; accesstoken=\"c\"; tokentype=bearer; accesstoken=d");
    for (query, headers, expected) in [
        (None, vec![], Shown::Nothing),
        (Some("access_token=q"), vec![("authorization", "bearer h"), cookies], token("h")),
        (Some("x=1&access_token=a%2Eb"), vec![("authorization", "Basic h"), cookies], token("a.b")),
        (Some("access_token="), vec![("authorization", "Bearer "), cookies], token("c")),
        (Some("my_access_token=q"), vec![("cookie", "accesstoken=c"), ("cookie", "tokentype=bearer")], token("c")),
        (None, vec![("cookie", "AccessToken=c; tokentype=bearer")], Shown::Nothing),
        (None, vec![("cookie", "accesstoken=; tokentype=bearer")], Shown::EmptyCookie),
        (None, vec![("cookie", "accesstoken=\"\"")], Shown::EmptyCookie),
        (None, vec![("cookie", "accesstoken=c")], Shown::WrongType),
        (None, vec![("cookie", "accesstoken=c; tokentype=Bearer")], Shown::WrongType),
    ] {
        assert_eq!(shown(query, &headers), expected, "{query:?} {headers:?}");
    }
}

#[test]
fn a_path_has_one_place_for_the_identity() {
    let pattern = Pattern::parse("/box-users/{id}/ws").expect("a pattern");
    assert_eq!(pattern.id("/box-users/a%2Db/ws").as_deref(), Some("a-b"));
    for other in ["/box-users//ws", "/box-users/a", "/box-users/a/b/ws", "/x/box-users/a/ws", "/box-users/a/ws/"] {
        assert_eq!(pattern.id(other), None, "{other}");
    }
    assert_eq!(Pattern::parse("/u/{id}").and_then(|end| end.id("/u/a")).as_deref(), Some("a"));
    for bad in ["", "/box-users", "box/{id}", "/a{id}", "/{id}b", "/{id}/{id}", "/{x}/{id}", "/{id}?x"] {
        assert_eq!(Pattern::parse(bad), None, "{bad}");
    }
}

#[test]
fn parameters_are_read_as_such() {
    let query = Query::parse(Some("x&since=e1%3A4&since=e1:5&positions=1"));
    assert_eq!(query, Query { since: Some("e1:4".to_owned()), positions: true });
    assert_eq!(Query::parse(Some("positions=0")), Query::default());
    assert_eq!(Query::parse(None), Query::default());
}
