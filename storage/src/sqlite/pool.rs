//! Connections that stay open.

use sqlx::{Connection, sqlite::SqlitePoolOptions};

/// So many, all from the beginning and for good.
pub(super) fn pool(n_connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(n_connections)
        .min_connections(n_connections)
        .idle_timeout(None)
        .max_lifetime(None)
        // A reader that went away leaves a transaction to roll back; else nothing needs to be asked.
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            Box::pin(async {
                if connection.is_in_transaction() {
                    connection.ping().await?;
                }
                Ok(!connection.is_in_transaction())
            })
        })
}
