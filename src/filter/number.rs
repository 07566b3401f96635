//! JSON numbers compared exactly: no integer is rounded to be compared with a fraction.

use std::cmp::Ordering;
use std::fmt;

/// A JSON number. Equal numbers are equal here, however they were spelled.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// An integer that 64 bits can hold.
    Whole(i64),
    /// An integer above those that 64 bits can hold only without a sign.
    Large(u64),
    /// What has a fraction, or is an integer beyond 64 bits; never NaN.
    Broken(f64),
}

impl Number {
    /// The number that stands in a JSON text.
    pub fn new(number: &serde_json::Number) -> Number {
        if let Some(whole) = number.as_i64() {
            return Number::Whole(whole);
        }
        if let Some(large) = number.as_u64() {
            return Number::Large(large);
        }
        let broken = number.as_f64().unwrap_or_default();
        // The bounds are powers of two, which a double holds exactly.
        match broken {
            broken if broken.fract() != 0.0 => Number::Broken(broken),
            -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0 => Number::Whole(broken as i64),
            9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0 => Number::Large(broken as u64),
            _ => Number::Broken(broken),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => a.cmp(b),
            (Number::Large(a), Number::Large(b)) => a.cmp(b),
            (Number::Whole(_), Number::Large(_)) => Ordering::Less,
            (Number::Large(_), Number::Whole(_)) => Ordering::Greater,
            (Number::Broken(a), Number::Broken(b)) => a.total_cmp(b),
            (Number::Whole(a), Number::Broken(b)) => beside_broken(*a as f64, *b),
            (Number::Large(a), Number::Broken(b)) => beside_broken(*a as f64, *b),
            (Number::Broken(a), Number::Whole(b)) => beside_broken(*b as f64, *a).reverse(),
            (Number::Broken(a), Number::Large(b)) => beside_broken(*b as f64, *a).reverse(),
        }
    }
}

/// Never equal: a broken number that could equal a whole one would be whole itself. Rounding the whole one does no
/// harm: where it happens, a broken number is beyond all whole ones or on the same side of what is rounded to.
fn beside_broken(rounded: f64, broken: f64) -> Ordering {
    if rounded <= broken { Ordering::Less } else { Ordering::Greater }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Number::Whole(whole) => whole.hash(state),
            Number::Large(large) => large.hash(state),
            Number::Broken(broken) => broken.to_bits().hash(state),
        }
    }
}

/// The shortest text that reads back as this number: `1`, `-2.5`, `1e300`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(whole) => write!(f, "{whole}"),
            Number::Large(large) => write!(f, "{large}"),
            Number::Broken(broken) => write!(f, "{broken:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::new(&text.parse().expect("a JSON number"))
    }

    #[test]
    fn numbers_ascend_exactly_across_integers_and_fractions() {
        let ascending = [
            "-1e300",
            "-9223372036854775809000",
            "-9223372036854775808",
            "-9223372036854775807",
            "-1.5",
            "-1",
            "-0.5",
            "0",
            "5e-324",
            "0.5",
            "1",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551614",
            "18446744073709551615",
            "18446744073709551616",
            "1e300",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn one_number_has_one_text() {
        for (spelled, text) in
            [("1", "1"), ("1.0", "1"), ("10e-1", "1"), ("-0.0", "0"), ("2.50", "2.5"), ("1e300", "1e300")]
        {
            assert_eq!(number(spelled).to_string(), text);
            assert_eq!(number(spelled), number(text));
        }
    }
}
