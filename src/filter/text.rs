//! Parts of strings, with and without regard to letter case.

/// The characters of a text, each in lower case.
///
/// Character by character, so that parts of a folded text are folded parts of the text: `str::to_lowercase`
/// treats a sigma at the end of a word differently.
pub fn fold(text: &str) -> impl DoubleEndedIterator<Item = char> + Clone {
    text.chars().flat_map(char::to_lowercase)
}

/// Whether the characters begin with `part`; if so, what follows it.
pub fn after<I: Iterator<Item = char>>(mut characters: I, part: &str) -> Option<I> {
    part.chars().all(|wanted| characters.next() == Some(wanted)).then_some(characters)
}

/// Whether `part` occurs in the characters; if so, what follows its first occurrence.
pub fn beyond<I: Iterator<Item = char> + Clone>(mut characters: I, part: &str) -> Option<I> {
    loop {
        if let Some(rest) = after(characters.clone(), part) {
            return Some(rest);
        }
        characters.next()?;
    }
}

/// Whether the characters end with `part`.
pub fn ends<I: DoubleEndedIterator<Item = char>>(mut characters: I, part: &str) -> bool {
    part.chars().rev().all(|wanted| characters.next_back() == Some(wanted))
}

/// Whether the characters match a pattern in which `%` is any run of characters.
pub fn like<I: DoubleEndedIterator<Item = char> + Clone>(characters: I, pattern: &str) -> bool {
    let Some((first, others)) = pattern.split_once('%') else {
        return after(characters, pattern).is_some_and(|mut rest| rest.next().is_none());
    };
    let (middle, last) = others.rsplit_once('%').unwrap_or(("", others));
    let mut rest = after(characters, first);
    for part in middle.split('%') {
        rest = rest.and_then(|rest| beyond(rest, part));
    }
    rest.is_some_and(|rest| ends(rest, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_any_run_of_characters() {
        for (text, pattern, matches) in [
            ("", "", true),
            ("", "%", true),
            ("abc", "abc", true),
            ("abcd", "abc", false),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "%b%", true),
            ("abc", "a%c", true),
            ("aba", "ab%ba", false),
            ("a_c", "abc", false),
            ("abcabd", "a%b%d", true),
            ("abcabd", "a%%d", true),
            ("aXbXc", "%X%X%", true),
            ("aXb", "%X%X%", false),
            ("日本語", "日%語", true),
        ] {
            assert_eq!(like(text.chars(), pattern), matches, "{text} like {pattern}");
        }
    }

    #[test]
    fn folding_is_the_same_for_a_text_and_its_parts() {
        assert_eq!(fold("ΟΔΟΣ").collect::<String>(), "οδοσ");
        assert!(ends(fold("ΟΔΟΣ"), &fold("ΟΣ").collect::<String>()));
        assert!(beyond(fold("xÄy"), "ä").is_some());
    }
}
