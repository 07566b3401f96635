//! Which deployment answers: a token of another one means nothing here.

use super::change::cluster_time;
use super::place::Place;
use crate::error::{Error, Kind, Result};
use crate::mongodb::failure::{NO_REPLICA_SET, failure};
use mongodb::Database;
use mongodb::bson::{Bson, doc};
use mongodb::error::ErrorKind;

/// What is known of a deployment when a run begins.
pub(super) struct Deployment {
    /// The replica set and its id, as far as this user may know them, and the database.
    pub(super) identity: String,
    /// The newest cluster time, where it is told.
    time: Option<u64>,
    /// Several replica sets behind a router.
    pub(super) is_sharded: bool,
}

impl Deployment {
    /// Asks the server.
    ///
    /// # Errors
    /// `Unreachable`, or `Refused` when it is not part of a replica set.
    pub(super) async fn of(database: &Database) -> Result<Deployment> {
        let failed = |error| failure("asking which replica set this is", &error);
        let hello = database.run_command(doc! { "hello": 1 }).await.map_err(failed)?;
        let is_sharded = hello.get_str("msg").is_ok_and(|word| word == "isdbgrid");
        let set = match hello.get_str("setName") {
            Ok(set) => set,
            Err(_) if is_sharded => "sharded",
            Err(_) => return Err(Error::new(Kind::Refused, NO_REPLICA_SET)),
        };
        let asked = database.client().database("admin").run_command(doc! { "replSetGetConfig": 1 }).await;
        let id = match asked {
            Ok(reply) => reply
                .get_document("config")
                .and_then(|config| config.get_document("settings"))
                .ok()
                .and_then(|settings| settings.get("replicaSetId").and_then(Bson::as_object_id))
                .map(|id| id.to_hex())
                .unwrap_or_default(),
            // Many users may not ask this, and a router cannot be asked.
            Err(error) if matches!(*error.kind, ErrorKind::Command(_)) => String::new(),
            Err(error) => return Err(failed(error)),
        };
        let time = hello.get_timestamp("operationTime").map(cluster_time).ok();
        Ok(Deployment { identity: format!("{set} {id} {}", database.name()), time, is_sharded })
    }

    /// The place that a bookmark holds, or why one cannot go on from it here.
    pub(super) fn recognize(&self, bookmark: &[u8]) -> std::result::Result<Place, &'static str> {
        let place = Place::decode(bookmark).ok_or("the place is not one of this source")?;
        if place.identity != self.identity {
            return Err("the place belongs to another replica set or database");
        }
        // A time in a place was known to a majority, so no failover takes it back.
        if self.time.is_some_and(|time| time < place.time) {
            return Err("the server is at an earlier time than the place: it was restored from a backup");
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::rawdoc;

    #[test]
    fn only_a_place_of_this_history_is_gone_on_from() {
        let here = Deployment { identity: "rs 1 d".into(), time: Some(50), is_sharded: false };
        let place = Place { identity: "rs 1 d".into(), token: rawdoc! {}, invalidated: false, time: 50 };
        assert_eq!(here.recognize(&place.encode()), Ok(place.clone()));
        let untold = Deployment { time: None, ..here };
        assert_eq!(untold.recognize(&place.encode()), Ok(place.clone()));
        let here = Deployment { time: Some(50), ..untold };
        for other in [Place { identity: "rs 2 d".into(), ..place.clone() }, Place { time: 51, ..place }] {
            assert!(here.recognize(&other.encode()).is_err());
        }
        assert!(here.recognize(b"").is_err());
    }
}
