//! The newest catalogue of a running program.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Catalogue, CatalogueConfig, reader::Reader};
use crate::error::InferenceError;

/// Where a running program gets its newest [`Catalogue`]. Whoever has taken one keeps it, however the files change.
#[derive(Debug)]
pub struct Shelf {
    reader: Mutex<Reader>,
    newest: RwLock<Arc<Catalogue>>,
}

impl Shelf {
    /// Reads everything for the first time.
    ///
    /// # Errors
    /// As for [`Catalogue::open`].
    pub fn open(config: CatalogueConfig) -> Result<Self, InferenceError> {
        let mut reader = Reader::new(config);
        match reader.read().into_strict() {
            Ok(catalogue) => Ok(Self { reader: Mutex::new(reader), newest: RwLock::new(Arc::new(catalogue)) }),
            Err(error) => {
                // The only other owner of what went wrong.
                drop(reader);
                Err(Arc::try_unwrap(error).unwrap_or_else(InferenceError::Shared))
            }
        }
    }

    /// Reads everything that can be read, for those who want to know of every fault: the others are among the catalogue's faults.
    pub fn open_in_part(config: CatalogueConfig) -> Self {
        let mut reader = Reader::new(config);
        let catalogue = reader.read().catalogue;
        Self { reader: Mutex::new(reader), newest: RwLock::new(Arc::new(catalogue)) }
    }

    /// The newest catalogue.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at folders and files, and reads what was added or changed since the last time; what is there no more is forgotten, but for its name.
    /// Takes some microseconds a file, so it runs where blocking is allowed. Whether there is a new catalogue.
    pub fn refresh(&self) -> bool {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(catalogue) = reader.refresh(&self.catalogue()) else { return false };
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalogue);
        true
    }
}
