//! Connections for reads that ask several questions: they are asked on one thread, at one time, without a way to it for each.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::StorageError;

#[derive(Clone, Debug)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        let places = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Arc::new(Mutex::new(connections)), places }
    }

    /// What somebody reads, of what is there at one time.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| StorageError::Undone)?;
        let idle = self.idle.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut db = taken.ok_or(StorageError::Undone)?;
            let read = at_one_time(&mut db, read);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
            drop(place);
            read
        });
        reading.await.unwrap_or(Err(StorageError::Undone))
    }

    /// Closes the connections, after which nobody reads.
    pub(super) fn close(&self) {
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn at_one_time<T>(db: &mut Connection, read: impl FnOnce(&Connection) -> Result<T, StorageError>) -> Result<T, StorageError> {
    let tx = db.transaction()?;
    read(&tx)
}
