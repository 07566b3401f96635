//! A channel with `dialect = "misakey"`: what happens to a member of encrypted boxes.

use crate::config::reader::Section;

/// Boxes, as configured.
#[derive(Debug, Clone)]
pub struct Misakey {
    /// The key in the configuration.
    pub path: String,
    /// The resource of each role.
    pub roles: Vec<(String, String)>,
}

impl Misakey {
    pub(super) fn read(path: String, table: Section<'_>) -> Misakey {
        let roles = table.texts("roles");
        table.finish();
        Misakey { path, roles }
    }
}
