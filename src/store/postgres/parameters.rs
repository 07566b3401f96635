//! The values that stand for `$1`, `$2`, … of one statement.

use tokio_postgres::types::{ToSql, Type};

/// Values to bind, in order.
#[derive(Default)]
pub(super) struct Parameters(Vec<(Parameter, Type)>);

type Parameter = Box<dyn ToSql + Sync + Send>;

impl Parameters {
    /// Binds a text; returns how it is called in the statement. It must not contain NUL.
    pub(super) fn text(&mut self, text: impl Into<String>) -> String {
        self.push(Box::new(text.into()), Type::TEXT)
    }

    pub(super) fn texts(&mut self, texts: Vec<String>) -> String {
        self.push(Box::new(texts), Type::TEXT_ARRAY)
    }

    pub(super) fn integer(&mut self, integer: i64) -> String {
        self.push(Box::new(integer), Type::INT8)
    }

    pub(super) fn integers(&mut self, integers: Vec<i64>) -> String {
        self.push(Box::new(integers), Type::INT8_ARRAY)
    }

    pub(super) fn float(&mut self, float: f64) -> String {
        self.push(Box::new(float), Type::FLOAT8)
    }

    fn push(&mut self, value: Parameter, kind: Type) -> String {
        self.0.push((value, kind));
        format!("${}", self.0.len())
    }

    /// As the driver takes them.
    pub(super) fn bound(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.0.iter().map(|(value, kind)| (&**value as &(dyn ToSql + Sync), kind.clone())).collect()
    }
}
