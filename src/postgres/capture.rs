//! The two ways in which all changes of a database can be captured, how far a database is prepared for each, and
//! which of them it is.

use crate::error::{Error, Kind, Result};
use crate::postgres::failure::failure;
use crate::postgres::name::TableName;
use crate::postgres::outbox;
use crate::postgres::publication;
use crate::postgres::push;
use crate::postgres::slot::{self, Server};
use tokio_postgres::Client;

/// A way of capturing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Triggers write them into a table.
    Outbox,
    /// The server streams its log.
    Slot,
}

/// What captures the changes of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// `None`: the best way that the database offers.
    pub way: Option<Way>,
    /// `None`: a name made of that of the database.
    pub slot: Option<String>,
    pub publication: String,
}

/// How far a database is prepared.
#[derive(Debug)]
pub struct Readiness {
    pub server: Server,
    pub publication: publication::State,
    /// An error when this user may not read it.
    pub outbox: Result<outbox::State>,
}

impl Wish {
    /// The name of the slot in the database with this name.
    pub fn slot_in(&self, database: &str) -> String {
        self.slot.clone().unwrap_or_else(|| slot::default_name(database))
    }
}

impl Readiness {
    /// Looks at the server, the publication and the outbox.
    ///
    /// # Errors
    /// `Unreachable` or `Refused` when the database cannot be asked, or a table does not exist.
    pub async fn of(client: &Client, publication: &str, tables: &[TableName]) -> Result<Readiness> {
        Ok(Readiness {
            server: slot::server(client).await?,
            publication: publication::state(client, publication, tables).await?,
            outbox: outbox::state_of(client, tables).await,
        })
    }

    /// The way to take: the one that is wished for; the one that is prepared, the slot first; the slot, if this user
    /// could have it.
    pub fn way(&self, wish: Option<Way>) -> Way {
        let may_stream = self.server.obstacles().is_empty();
        let has_outbox = self.outbox.as_ref().is_ok_and(|state| state.lacks().is_empty());
        match wish {
            Some(way) => way,
            None if may_stream && self.publication.lacks().is_empty() => Way::Slot,
            None if has_outbox || !may_stream => Way::Outbox,
            // Somebody has begun to use it.
            None if self.publication.published.is_none() && self.has_begun_with_the_outbox() => Way::Outbox,
            None => Way::Slot,
        }
    }

    fn has_begun_with_the_outbox(&self) -> bool {
        self.outbox.as_ref().map_or(true, |state| state.version.is_some())
    }

    /// What keeps changes from being captured that way and an installation mends, a line each.
    ///
    /// # Errors
    /// `Refused` when no installation mends it.
    pub fn lacks(&self, way: Way) -> Result<Vec<String>> {
        match way {
            Way::Slot => match self.server.obstacles().into_iter().next() {
                Some((sentence, fix)) => {
                    let fix = fix.map(|fix| format!(": {fix}")).unwrap_or_default();
                    Err(Error::new(Kind::Refused, format!("{sentence}{fix}")))
                }
                None => Ok(self.publication.lacks().iter().map(ToString::to_string).collect()),
            },
            Way::Outbox => {
                let state = self.outbox.as_ref().map_err(|error| Error::new(error.kind(), error.chain()))?;
                let lacks = state.lacks();
                match lacks.iter().find(|lack| !lack.is_installable()) {
                    Some(lack) => Err(Error::new(Kind::Refused, lack.to_string())),
                    None => Ok(lacks.iter().map(ToString::to_string).collect()),
                }
            }
        }
    }
}

/// The SQL that an installation runs.
pub fn print(way: Way, publication: &str, tables: &[TableName]) -> String {
    match way {
        Way::Outbox => outbox::print(tables, None),
        Way::Slot => {
            let statements = publication::statements(publication, tables);
            statements.into_iter().map(|(_, sql)| sql).collect::<Vec<_>>().join("\n")
        }
    }
}

/// Takes everything away: first the publication, without which no slot is made again, then the slot, then the table of pushes, which is in the outbox's
/// schema, then the outbox.
/// The replica identity of the tables stays, for it is not known what it was.
///
/// # Errors
/// `Refused` when this user may not, or something foreign stands in the schema.
pub async fn remove(client: &Client, wish: &Wish) -> Result<()> {
    let server = slot::server(client).await?;
    let slot = wish.slot_in(&server.database);
    for (doing, sql) in [
        ("removing the publication", publication::removal(&wish.publication)),
        ("removing the replication slot", slot::removal(&slot)),
        ("removing the pushes", push::removal()),
        ("removing the outbox", outbox::print_removal(&[])),
    ] {
        client.batch_execute(&sql).await.map_err(|error| failure(doing, error))?;
    }
    Ok(())
}
