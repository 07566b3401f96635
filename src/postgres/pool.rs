//! Connections that are kept and used again, each with the settings that [`connect`](super::connect) gives one.

use crate::error::{Error, Kind, Result};
use crate::postgres::address::{Address, CONNECT_TIMEOUT};
use crate::postgres::connect::settings;
use crate::postgres::failure::failure;
use deadpool_postgres::{ClientWrapper, Hook, HookError, Object, PoolError, Runtime};
use std::time::Duration;

/// The connections to one database.
pub struct Pool {
    pool: deadpool_postgres::Pool,
    shown: String,
}

impl Pool {
    /// At most so many connections, made when they are needed.
    ///
    /// # Errors
    /// `Configuration` when no pool can be made of the settings.
    pub fn new(address: &Address, connections: usize, statement_timeout: Duration) -> Result<Pool> {
        let first = settings(statement_timeout);
        let introduce = Hook::async_fn(move |client: &mut ClientWrapper, _| {
            let first = first.clone();
            Box::pin(async move { client.batch_execute(&first).await.map_err(HookError::Backend) })
        });
        let pool = deadpool_postgres::Pool::builder(address.manager())
            .max_size(connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .post_create(introduce)
            .build()
            .map_err(|error| Error::because(Kind::Configuration, "the connection pool cannot be made", error))?;
        Ok(Pool { pool, shown: address.shown().to_owned() })
    }

    /// A connection, which goes back when it is dropped. Waits up to ten seconds for one.
    ///
    /// # Errors
    /// `Unreachable` or `Refused` when there is none.
    pub async fn get(&self) -> Result<Object> {
        let doing = format!("connecting to Postgres at {}", self.shown);
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => failure(&doing, error),
            other => Error::because(Kind::Unreachable, format!("{doing} failed"), other),
        })
    }
}
