//! A channel with `dialect = "cells"`: the events and the chat of Pydio Cells.

use crate::config::reader::Section;

/// The event and chat channels, as configured.
#[derive(Debug, Clone)]
pub struct Cells {
    /// The key in the configuration.
    pub path: String,
    /// The resource of each role.
    pub roles: Vec<(String, String)>,
}

impl Cells {
    pub(super) fn read(path: String, table: Section<'_>) -> Cells {
        let roles = table.texts("roles");
        table.finish();
        Cells { path, roles }
    }
}
