//! Ids: the time in their upper bits, as Discord's, and each above every id ever given out.

use crate::world::Id;
use sqlx::SqliteConnection;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Discord counts its ids from 2015.
const EPOCH_MS: i64 = 1_420_070_400_000;
/// The database knows how far ids may have come, this much ahead: one statement per second, not one per id.
const AHEAD_MS: i64 = 1000;
/// A transaction that takes longer reserves ids of its own.
const MARGIN_MS: i64 = 200;

/// The lowest id of a moment.
pub(crate) fn first_id_at(ms: i64) -> Id {
    (ms - EPOCH_MS).max(0) << 22
}

#[derive(Clone, Copy)]
struct Given {
    last: Id,
    /// No id above this one is given out before the database knows.
    reserved: Id,
}

/// The ids that were given out.
pub(super) struct Ids(Mutex<Given>);

impl Ids {
    pub(super) async fn load(db: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let last = sqlx::query_scalar("SELECT last_id FROM identity").fetch_one(db).await?;
        Ok(Self(Mutex::new(Given { last, reserved: last })))
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves what the next operation needs. Called outside of transactions, so that nothing takes it back.
    pub(super) async fn reserve(&self, db: &mut SqliteConnection, now_ms: i64) -> Result<(), sqlx::Error> {
        let Given { last, reserved } = *self.given();
        if last.max(first_id_at(now_ms + MARGIN_MS)) < reserved {
            return Ok(());
        }
        self.raise(db, last.max(first_id_at(now_ms)) + first_id_at(EPOCH_MS + AHEAD_MS)).await
    }

    pub(super) async fn next(&self, db: &mut SqliteConnection, now_ms: i64) -> Result<Id, sqlx::Error> {
        let id = {
            let mut given = self.given();
            given.last = first_id_at(now_ms).max(given.last + 1);
            given.last
        };
        if id > self.given().reserved {
            self.raise(db, id).await?;
        }
        Ok(id)
    }

    async fn raise(&self, db: &mut SqliteConnection, reserved: Id) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE identity SET last_id = MAX(last_id, ?)").bind(reserved).execute(db).await?;
        let mut given = self.given();
        given.reserved = given.reserved.max(reserved);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, clock::ManualClock, store::Store};
    use std::time::Duration;

    #[tokio::test]
    async fn ids_rise_over_transactions_clocks_and_restarts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::new();
        let open = async |clock: Clock| Store::open(Some(folder.path()), clock).await.expect("it opens");
        let mut last = 0;
        let store = open(Clock::Manual(clock.clone())).await;
        for n in 0..50 {
            let mut db = store.connect().await.expect("a connection");
            for _ in 0..3 {
                let now_ms = store.clock.now_ms();
                let id = store.next_id(&mut db, now_ms).await.expect("an id");
                assert!(id > last && id >= first_id_at(now_ms), "{id} after {last}");
                last = id;
                clock.advance(Duration::from_millis(n * 7));
            }
        }
        store.close().await;
        // The machine's clock is behind the one that was moved.
        let store = open(Clock::System).await;
        let id = store.next_id(&mut store.connect().await.expect("a connection"), store.clock.now_ms()).await.expect("an id");
        assert!(id > last, "{id} after {last}");
    }
}
