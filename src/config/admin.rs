//! `[admin]`: what an operator may do while the program runs.

use crate::auth::Secret;
use crate::config::identity::secret;
use crate::config::reader::{Reader, Section};
use crate::config::resources::Resource;

/// The operator's token, or where it is.
const TOKEN: [&str; 3] = ["token", "token_env", "token_file"];

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct Admin {
    /// What a call must show.
    pub token: Secret,
    /// The resource by which every server over the same data says what one of them was told to say.
    pub broadcasts: Option<String>,
}

impl Admin {
    /// `None` when there is none, or when it is wrong, which is noted.
    pub(super) fn read(table: Section<'_>) -> Option<Admin> {
        let is_there = table.is_there();
        let token = secret(&table, TOKEN);
        let broadcasts = table.get("broadcasts", |value| value.text());
        if is_there && !TOKEN.iter().any(|name| table.reader().is_placed(&table.key(name))) {
            table.reader().mistake(&table.key("token_env"), "is missing (or token, token_file)");
        }
        table.finish();
        Some(Admin { token: token?, broadcasts })
    }

    pub(super) fn check(&self, resources: &[Resource], reader: &Reader<'_>) {
        let Some(name) = &self.broadcasts else { return };
        if !resources.iter().any(|resource| resource.name == *name) {
            reader.mistake("admin.broadcasts", format!("there is no resource \"{name}\""));
        }
    }
}
