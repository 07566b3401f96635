//! Topic patterns as AMQP brokers read them: words between dots, `*` is one word, `#` none or more.

use crate::filter::Topic;
use std::str::Split;

impl Topic {
    /// Splits a pattern. Every text is one: empty words are legal, the empty pattern has no word.
    pub fn parse(pattern: &str) -> Topic {
        Topic(words(pattern).map(Box::from).collect())
    }

    /// Whether a routing key matches.
    pub fn matches(&self, key: &str) -> bool {
        let pattern = &self.0;
        let (mut at, mut rest) = (0, words(key));
        // Where to go on if the newest `#` has to take one word more.
        let mut retry: Option<(usize, Split<'_, char>)> = None;
        loop {
            let mut ahead = rest.clone();
            match (pattern.get(at).map(|word| &**word), ahead.next()) {
                (Some("#"), _) => {
                    at += 1;
                    retry = Some((at, rest.clone()));
                    continue;
                }
                (None, None) => return true,
                (Some(wanted), Some(word)) if wanted == "*" || wanted == word => {
                    at += 1;
                    rest = ahead;
                    continue;
                }
                _ => {}
            }
            let Some((after, taken)) = &mut retry else { return false };
            if taken.next().is_none() {
                return false;
            }
            at = *after;
            rest = taken.clone();
        }
    }

    /// The words before the first `*` or `#`, joined: with this every matching key begins. All of the pattern
    /// when it has neither.
    pub fn beginning(&self) -> String {
        let literal = self.0.iter().take_while(|word| !is_wild(word)).count();
        self.0[..literal].join(".")
    }

    /// The last word, with which every matching key ends, unless it is `*` or `#`.
    pub fn last_word(&self) -> Option<&str> {
        self.0.last().map(|word| &**word).filter(|word| !is_wild(word))
    }

    /// Whether the pattern is one key, word by word.
    pub fn is_literal(&self) -> bool {
        !self.0.iter().any(|word| is_wild(word))
    }
}

/// The words of a routing key; the empty key has none.
fn words(key: &str) -> Split<'_, char> {
    let mut words = key.split('.');
    if key.is_empty() {
        words.next();
    }
    words
}

fn is_wild(word: &str) -> bool {
    matches!(word, "*" | "#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_broker_matches() {
        for (pattern, key, matches) in [
            ("#", "", true),
            ("#", "a.b", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", false),
            ("*", "a", true),
            ("*.*", ".", true),
            ("a.#", "a", true),
            ("a.#", "a.", true),
            ("a.#", "ab", false),
            ("a.*", "a", false),
            ("graph.#.g1", "graph.g1", true),
            ("graph.#.g1", "graph.started.now.g1", true),
            ("graph.#.g1", "graph.g1.x", false),
            ("#.a.#.a", "a.x.a", true),
            ("#.a.#.a", "a", false),
            ("#.*", "", false),
            ("*.#.*", "a.b", true),
            ("*.#.*", "a", false),
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
        ] {
            assert_eq!(Topic::parse(pattern).matches(key), matches, "{pattern} on {key}");
        }
    }

    #[test]
    fn many_hashes_do_not_take_for_ever() {
        let pattern = format!("{}b", "#.a.".repeat(300));
        let key = "a.".repeat(3_000);
        assert!(!Topic::parse(&pattern).matches(&key));
    }
}
