//! Tests of parts of a string as regular expressions that every matching string fulfils. Letters a client sent
//! stand in them as letters only.

use std::fmt::Write;

/// Longer ones the server decides itself.
const LONGEST: usize = 1_000;

/// Where a part of a string stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Whole,
    Start,
    Anywhere,
    End,
}

/// The expression for a part of a string; `folded` means that letter case does not count and the part is folded.
/// `None` when there is no expression that says it.
pub(super) fn part(text: &str, folded: bool, place: Place) -> Option<String> {
    let letters = letters(text, folded)?;
    Some(match place {
        Place::Whole => format!("^{letters}$"),
        Place::Start => format!("^{letters}"),
        Place::Anywhere => letters,
        Place::End => format!("{letters}$"),
    })
}

/// The expression for a pattern in which `%` is any run of characters.
pub(super) fn like(pattern: &str, folded: bool) -> Option<String> {
    let parts = pattern.split('%').map(|part| letters(part, folded)).collect::<Option<Vec<_>>>()?;
    Some(format!("^{}$", parts.join("[\\s\\S]*")))
}

fn letters(text: &str, folded: bool) -> Option<String> {
    // Which letters fold to one beyond ASCII, or to several, only the server knows.
    if text.len() > LONGEST || text.contains(['\0', '\u{fffd}']) || (folded && !text.is_ascii()) {
        return None;
    }
    let mut expression = String::new();
    for letter in text.chars() {
        let _ = match letter {
            // The sign for kelvin is a K too.
            'k' if folded => write!(expression, "[kK\u{212a}]"),
            'a'..='z' if folded => write!(expression, "[{letter}{}]", letter.to_ascii_uppercase()),
            'a'..='z' | 'A'..='Z' | '0'..='9' => write!(expression, "{letter}"),
            _ if letter.is_ascii() && !letter.is_ascii_control() => write!(expression, "\\{letter}"),
            _ => write!(expression, "{letter}"),
        };
    }
    Some(expression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_stands_for_itself() {
        for (text, folded, expression) in [
            ("a.b", false, Some("^a\\.b")),
            ("(?i)$^[]{}|\\", false, Some("^\\(\\?i\\)\\$\\^\\[\\]\\{\\}\\|\\\\")),
            ("ak1é", false, Some("^ak1é")),
            ("ak1", true, Some("^[aA][kK\u{212a}]1")),
            ("é", true, None),
            ("a\0", false, None),
        ] {
            assert_eq!(part(text, folded, Place::Start).as_deref(), expression, "{text}");
        }
        assert_eq!(like("a%.%", false).as_deref(), Some("^a[\\s\\S]*\\.[\\s\\S]*$"));
    }
}
