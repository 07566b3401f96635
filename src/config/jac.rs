//! A channel with `dialect = "jac"`: pushes between users, channels and clients.

use crate::config::reader::Section;

/// Pushes, as configured.
#[derive(Debug, Clone)]
pub struct Jac {
    /// The key in the configuration.
    pub path: String,
    /// The resource of each role.
    pub roles: Vec<(String, String)>,
}

impl Jac {
    pub(super) fn read(path: String, table: Section<'_>) -> Jac {
        let roles = table.texts("roles");
        table.finish();
        Jac { path, roles }
    }
}
