//! Making a connection: quick to say that nobody answers, and known to the server by name.

use crate::error::{Error, Kind, Result};
use crate::mongodb::address::Address;
use crate::mongodb::failure::failure;
use mongodb::bson::doc;
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria};
use mongodb::{Client, Database};
use std::time::Duration;

/// How long it may take until a server that can serve is found.
pub const SELECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take to be there, with everything that is said first.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The database of an address, once its server has answered. The client behind it pools its connections, finds a
/// new primary by itself, and is cheap to clone.
///
/// # Errors
/// `Unreachable` when nobody answers within seconds, `Refused` when it does not let us in.
pub async fn connect(address: &Address) -> Result<Database> {
    let doing = format!("connecting to MongoDB at {}", address.shown());
    let database = open(address).await?;
    let answer = async {
        // Asks whoever can be found; whether that is a primary is for the doctor, and for writes, to say.
        let anyone = SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None });
        database.run_command(doc! {"ping": 1}).selection_criteria(anyone).await
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, answer).await {
        Ok(Ok(_)) => Ok(database),
        Ok(Err(error)) => Err(failure(&doing, &error)),
        Err(_) => Err(Error::new(Kind::Unreachable, format!("{doing} took longer than ten seconds"))),
    }
}

/// The same without asking: the client connects when it is used.
///
/// # Errors
/// `Configuration` when the URL's options contradict each other, `Unreachable` when its DNS record is not found.
pub async fn open(address: &Address) -> Result<Database> {
    let doing = format!("connecting to MongoDB at {}", address.shown());
    let mut options = ClientOptions::parse(address.url()).await.map_err(|error| failure(&doing, &error))?;
    options.app_name.get_or_insert_with(|| "tidings".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION_TIMEOUT);
    options.connect_timeout.get_or_insert(SELECTION_TIMEOUT);
    let client = Client::with_options(options).map_err(|error| failure(&doing, &error))?;
    Ok(client.database(address.database()))
}
