//! Where a member shows its token: a header, the query, or two cookies. The first place that has one is judged, and no
//! other.

use crate::auth;
use crate::door::Asking;
use axum::http::header;
use percent_encoding::percent_decode_str;

/// What a request shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    Token(String),
    Nothing,
    /// The cookie for the token has none.
    EmptyCookie,
    /// The cookie that says which kind of token it is is missing, or says something else.
    WrongType,
}

/// Looks for a token.
pub(super) fn of(asking: &Asking<'_>) -> Shown {
    // Another scheme is as good as none.
    let in_header = asking.headers.get(header::AUTHORIZATION).and_then(|value| auth::bearer(value.as_bytes()));
    let in_header = in_header.filter(|token| !token.is_empty());
    if let Some(token) = in_header.or_else(|| parameter(asking.query?)) {
        return Shown::Token(token);
    }
    let cookie = |name| asking.headers.get_all(header::COOKIE).iter().find_map(|value| cookie(value.as_bytes(), name));
    match (cookie("accesstoken"), cookie("tokentype")) {
        (None, _) => Shown::Nothing,
        (Some(token), _) if token.is_empty() => Shown::EmptyCookie,
        (Some(token), Some(kind)) if kind == "bearer" => Shown::Token(token),
        (Some(_), _) => Shown::WrongType,
    }
}

/// The first `access_token` of a query that has something in it.
fn parameter(query: &str) -> Option<String> {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("access_token="));
    let value = values.next().filter(|value| !value.is_empty())?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// The first cookie of this name, without quotes around it.
fn cookie(values: &[u8], name: &str) -> Option<String> {
    let mut pairs = str::from_utf8(values).ok()?.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    Some(value.to_owned())
}
