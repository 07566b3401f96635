//! The reference schemas: tables in the form in which each dialect takes its resources, for a database that has none.

/// By dialect.
const SCHEMAS: [(&str, &str); 5] = [
    ("cells", include_str!("../../sql/cells.sql")),
    ("files", include_str!("../../sql/files.sql")),
    ("jac", include_str!("../../sql/push.sql")),
    ("misakey", include_str!("../../sql/misakey.sql")),
    ("monorail", include_str!("../../sql/monorail.sql")),
];

/// The dialects that have one.
pub fn dialects() -> impl Iterator<Item = &'static str> {
    SCHEMAS.iter().map(|(dialect, _)| *dialect)
}

/// The schema of a dialect; `None`: it has none.
pub fn schema(dialect: &str) -> Option<&'static str> {
    SCHEMAS.iter().find(|(name, _)| *name == dialect).map(|(_, sql)| *sql)
}
