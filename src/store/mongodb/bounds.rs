//! What of a filter the database can decide: a query that every matching document fulfils, and one that only
//! matching documents fulfil. The first finds the candidates, and from the second comes the first of a negation.
//! `Filter::matches` has the last word on every candidate.

use mongodb::bson::{Document, doc};

/// A condition on documents.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Always,
    Never,
    Of(Document),
}

impl Condition {
    /// Fulfilled if every part is.
    pub(super) fn all(parts: impl IntoIterator<Item = Condition>) -> Condition {
        let mut needed = Vec::new();
        for part in parts {
            match part {
                Condition::Always => {}
                Condition::Never => return Condition::Never,
                Condition::Of(query) => needed.push(query),
            }
        }
        match needed.len() {
            0 => Condition::Always,
            1 => Condition::Of(needed.remove(0)),
            _ => Condition::Of(doc! { "$and": needed }),
        }
    }

    /// Fulfilled if some part is.
    pub(super) fn any(parts: impl IntoIterator<Item = Condition>) -> Condition {
        let mut enough = Vec::new();
        for part in parts {
            match part {
                Condition::Always => return Condition::Always,
                Condition::Never => {}
                Condition::Of(query) => enough.push(query),
            }
        }
        match enough.len() {
            0 => Condition::Never,
            1 => Condition::Of(enough.remove(0)),
            _ => Condition::Of(doc! { "$or": enough }),
        }
    }

    fn negated(self) -> Condition {
        match self {
            Condition::Always => Condition::Never,
            Condition::Never => Condition::Always,
            Condition::Of(query) => Condition::Of(doc! { "$nor": [query] }),
        }
    }

    /// The query for the server; `None` when nothing can match.
    pub(super) fn query(self) -> Option<Document> {
        match self {
            Condition::Always => Some(Document::new()),
            Condition::Never => None,
            Condition::Of(query) => Some(query),
        }
    }
}

/// A filter, from both sides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bounds {
    /// Every document that the filter matches fulfils this.
    pub(super) over: Condition,
    /// Every document that fulfils this is one that the filter matches.
    pub(super) under: Condition,
}

impl Bounds {
    /// Decided without looking at a document.
    pub(super) fn decided(matches: bool) -> Bounds {
        let condition = if matches { Condition::Always } else { Condition::Never };
        Bounds { over: condition.clone(), under: condition }
    }

    /// The database can say nothing.
    pub(super) fn undecided() -> Bounds {
        Bounds::at_most(Condition::Always)
    }

    /// The database can only find candidates.
    pub(super) fn at_most(over: Condition) -> Bounds {
        Bounds { over, under: Condition::Never }
    }

    pub(super) fn all(parts: Vec<Bounds>) -> Bounds {
        let (over, under) = apart(parts);
        Bounds { over: Condition::all(over), under: Condition::all(under) }
    }

    pub(super) fn any(parts: Vec<Bounds>) -> Bounds {
        let (over, under) = apart(parts);
        Bounds { over: Condition::any(over), under: Condition::any(under) }
    }

    pub(super) fn negated(self) -> Bounds {
        Bounds { over: self.under.negated(), under: self.over.negated() }
    }
}

fn apart(parts: Vec<Bounds>) -> (Vec<Condition>, Vec<Condition>) {
    parts.into_iter().map(|part| (part.over, part.under)).unzip()
}
