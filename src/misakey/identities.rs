//! Who people are, as it is told of them. Somebody who is not known yet is looked for once.

use crate::dialect::misakey::{anonymous, identity};
use crate::error::Result;
use crate::query::Row;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// So many who were looked for in vain are remembered.
const MAX_MISSING: usize = 10_000;

/// Looks for a row of somebody; called on a thread that may wait.
pub type Lookup = Box<dyn Fn(&str) -> Result<Option<Value>> + Send>;

/// Everybody who is known.
pub struct Identities {
    known: HashMap<Arc<str>, Value>,
    missing: HashSet<Arc<str>>,
    lookup: Lookup,
}

impl Identities {
    /// Nobody yet.
    pub fn new(lookup: Lookup) -> Identities {
        Identities { known: HashMap::new(), missing: HashSet::new(), lookup }
    }

    /// Everybody there is, in place of whoever was known.
    pub fn load(&mut self, rows: Vec<Row>) {
        self.missing.clear();
        self.known = rows
            .into_iter()
            .map(|row| {
                let id = row.id.to_ascii_lowercase();
                let told = identity(&id, row.document.value());
                (id.into(), told)
            })
            .collect();
    }

    /// What a row says now; `None`: it is gone.
    pub fn put(&mut self, id: &str, row: Option<&Value>) {
        let id: Arc<str> = id.to_ascii_lowercase().into();
        self.missing.remove(&id);
        match row {
            Some(row) => {
                let told = identity(&id, row);
                self.known.insert(id, told);
            }
            None => drop(self.known.remove(&id)),
        }
    }

    /// What is told of somebody.
    pub fn told(&mut self, id: &Arc<str>) -> Value {
        if !self.known.contains_key(id) && !self.missing.contains(id) {
            self.look(id);
        }
        self.known.get(id).cloned().unwrap_or_else(anonymous)
    }

    fn look(&mut self, id: &Arc<str>) {
        match (self.lookup)(id) {
            Ok(Some(row)) => self.put(id, Some(&row)),
            Ok(None) if self.missing.len() < MAX_MISSING => drop(self.missing.insert(id.clone())),
            Ok(None) => {}
            Err(error) => tracing::warn!(identity = %id, error = %error.chain(), "who somebody is cannot be looked up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn somebody_who_is_not_known_is_looked_for_once_and_then_anonymous() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let mut identities = Identities::new(Box::new(move |id| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok((id == "ann").then(|| json!({"display_name": "Ann"})))
        }));
        for _ in 0..3 {
            assert_eq!(identities.told(&"ann".into())["display_name"], "Ann");
            assert_eq!(identities.told(&"eve".into())["id"], "anonymous-user");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        identities.put("EVE", Some(&json!({"display_name": "Eve"})));
        assert_eq!(identities.told(&"eve".into()), identity("eve", &json!({"display_name": "Eve"})));
        identities.put("ann", None);
        assert_eq!(identities.told(&"ann".into())["display_name"], "Ann", "it is looked for again");
    }
}
