//! Operations that need nothing behind them: they tell of a progress that is none, to try pushes with.

use crate::dialect::jac::context::{Field, Type};
use crate::dialect::jac::decode::no_reference;
use crate::dialect::jac::root::Root;
use crate::jac::walker::{Call, Done, Failure, Walker};
use crate::relay::{Kind, Push};
use async_trait::async_trait;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::HashMap;
use std::sync::Arc;

/// Whom it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The socket that called.
    Itself,
    /// Those that the context names.
    User,
    Channel,
    Client,
}

/// A stand-in; it takes so many steps, at least two.
pub struct Builtin {
    pub target: Target,
    pub steps: usize,
}

impl Target {
    /// The field of the context that names whom it tells.
    pub fn fields(self) -> Vec<Field> {
        let field = |(name, _): (&str, Kind)| Field { name: name.to_owned(), r#type: Type::Text, is_optional: false };
        self.named().map(field).into_iter().collect()
    }

    fn named(self) -> Option<(&'static str, Kind)> {
        match self {
            Target::Itself => None,
            Target::User => Some(("root_id", Kind::User)),
            Target::Channel => Some(("channel_id", Kind::Channel)),
            Target::Client => Some(("client_id", Kind::Client)),
        }
    }

    /// Whom a call means; `None`: nobody, because no socket called.
    fn of(self, call: &Call) -> Result<Option<(Kind, Arc<str>)>, Failure> {
        let Some((name, kind)) = self.named() else {
            return Ok(call.viewer.client_id.clone().map(|id| (Kind::Client, id)));
        };
        let context: HashMap<String, serde_json::Value> =
            serde_json::from_str(call.context.get()).map_err(|_| Failure::Failed)?;
        let id = context.get(name).and_then(|id| id.as_str()).ok_or(Failure::Failed)?;
        if kind == Kind::User && Root::named(id).is_none() {
            return Err(Failure::Author(no_reference(id)));
        }
        Ok(Some((kind, id.into())))
    }
}

#[async_trait]
impl Walker for Builtin {
    async fn run(&self, call: &Call) -> Result<Done, Failure> {
        let target = self.target.of(call)?;
        let push = |step: usize| {
            let (kind, id) = target.clone()?;
            Some(Push { kind, ids: vec![id], data: self.progress(step).into() })
        };
        let reports = (1..=self.steps).map(report).collect();
        Ok(Done { reports, pushes: (0..self.steps).filter_map(push).collect() })
    }
}

impl Builtin {
    fn progress(&self, step: usize) -> String {
        let last = (self.steps - 1).max(1);
        let percent = (200 * step + last) / (2 * last);
        let status = match step {
            0 => "started",
            step if step == last => "completed",
            _ => "inprogress",
        };
        format!(r#"{{"any_field":"for_progress","progress":"{percent}%","status":"{status}"}}"#)
    }
}

fn report(step: usize) -> Box<RawValue> {
    to_raw_value(&format!("do something {step}")).expect("a text can be written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_goes_from_0_to_100_percent() {
        let told = |steps| {
            let builtin = Builtin { target: Target::Itself, steps };
            (0..steps).map(|step| builtin.progress(step)).collect::<Vec<_>>()
        };
        let six = told(6);
        assert_eq!(six[0], r#"{"any_field":"for_progress","progress":"0%","status":"started"}"#);
        assert_eq!(six[1], r#"{"any_field":"for_progress","progress":"20%","status":"inprogress"}"#);
        assert_eq!(six[5], r#"{"any_field":"for_progress","progress":"100%","status":"completed"}"#);
        assert!(told(4)[1].contains("\"33%\"") && told(4)[2].contains("\"67%\""), "rounded");
        assert!(told(2)[1].contains("completed"));
    }
}
