//! Where a database is and how to speak to it: the URL, as every MongoDB driver reads it, with a database in it.

use crate::error::{Error, Kind, Result};
use mongodb::options::{ConnectionString, HostInfo};

/// A parsed URL. Shows no password.
#[derive(Clone)]
pub struct Address {
    url: String,
    database: String,
    shown: String,
}

impl Address {
    /// Reads `mongodb://user:password@host:port/database?options` or `mongodb+srv://…`.
    ///
    /// # Errors
    /// `Configuration` when it is no such URL, or names no database.
    pub fn parse(url: &str) -> Result<Address> {
        let malformed = |sentence: &str| Error::new(Kind::Configuration, sentence);
        if !url.starts_with("mongodb://") && !url.starts_with("mongodb+srv://") {
            return Err(malformed("a MongoDB URL begins with mongodb:// or mongodb+srv://"));
        }
        // The driver's own sentence may repeat parts of the URL, and with them the password.
        let parsed = ConnectionString::parse(url).map_err(|error| match &*error.kind {
            mongodb::error::ErrorKind::InvalidArgument { message, .. } if !shows_secret(url, message) => {
                malformed(&format!("the MongoDB URL cannot be read: {message}"))
            }
            _ => malformed("the MongoDB URL cannot be read; letters like @ : / % in a password are percent-encoded"),
        })?;
        let database = parsed.default_database.filter(|name| !name.is_empty());
        let database = database.ok_or_else(|| {
            malformed("the MongoDB URL names no database; write its name behind the host: mongodb://host/database")
        })?;
        let hosts = match &parsed.host_info {
            HostInfo::HostIdentifiers(hosts) => hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            HostInfo::DnsRecord(host) => host.clone(),
            _ => String::new(),
        };
        Ok(Address { url: url.to_owned(), shown: format!("{hosts}/{database}"), database })
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Hosts and database, for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The URL with whatever secret it has, for the driver only.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Whether a message repeats something of what stands before the last `@`.
fn shows_secret(url: &str, message: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return true };
    let Some((credentials, _)) = rest.rsplit_once('@') else { return false };
    credentials.split([':', '@', '/', '%', '?']).any(|part| !part.is_empty() && message.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        let address = Address::parse("mongodb://me:secret@a.example:27018,b.example/rackhd?replicaSet=rs").unwrap();
        assert_eq!(address.shown(), "a.example:27018,b.example:27017/rackhd");
        assert_eq!(format!("{address:?}"), address.shown());
        assert_eq!(address.database(), "rackhd");
        for url in
            ["mongodb://me:se%cret@h/d", "mongodb://me:s3cr:et@h/d", "mongodb://me:s/cret@h/d", "mongodb://u:pass"]
        {
            let told = Address::parse(url).map(|_| ()).unwrap_err().chain();
            assert!(!told.contains("cret") && !told.contains("pass@"), "{told}");
        }
    }

    #[test]
    fn a_url_without_a_database_says_where_it_belongs() {
        for url in ["mongodb://h", "mongodb://h/", "mongodb://h:1/?replicaSet=rs"] {
            let error = Address::parse(url).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.to_string().ends_with("mongodb://host/database"), "{error}");
        }
        for url in ["", "postgres://h/d", "mongodb:/h/d", "mongodb:///d", "mongodb://h:port/d", "mongodb://h/d?w=x&w"] {
            assert_eq!(Address::parse(url).map(|_| ()).unwrap_err().kind(), Kind::Configuration, "{url}");
        }
    }
}
