//! A start that waits for what passes: a full or read-only disk, a data folder that the last process has not let go of.

use std::{io, time::Duration};

use storage::StorageError;

use super::{Running, start};
use crate::{cli::sentence, config::Config, discord::Access, discord::Waits, messages, system::clock::Clock};

/// As [`start`], again and again while what stands in the way may pass; each reason is told once.
///
/// # Errors
/// As [`start`], of what no waiting mends.
pub async fn when_possible(config: Config, access: Access, clock: Clock, progress_interval: Duration) -> anyhow::Result<Running> {
    let (mut waits, mut told) = (Waits::default(), Vec::new());
    loop {
        let error = match start(config.clone(), access.clone(), clock.clone(), progress_interval).await {
            Err(error) if may_pass(&error) => sentence(&error),
            ended => return ended,
        };
        let wait = waits.next(None);
        if !told.contains(&error) {
            tracing::warn!("{}", messages::cannot_start_yet(&error, wait));
            told.push(error);
        }
        clock.sleep(wait).await;
    }
}

fn may_pass(error: &anyhow::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, ResourceBusy, StorageFull};
    error.chain().any(|cause| {
        let of_disk = cause
            .downcast_ref()
            .is_some_and(|error: &io::Error| matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | ResourceBusy));
        of_disk || cause.downcast_ref().is_some_and(StorageError::may_pass)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn what_passes_is_waited_for_and_nothing_else() {
        let of_kind = |kind: io::ErrorKind| anyhow::Error::from(io::Error::from(kind)).context("cannot make the data folder");
        let in_storage = |error: StorageError| Err::<(), _>(error).context("the database").expect_err("it is one");
        for (error, expected) in [
            (of_kind(io::ErrorKind::StorageFull), true),
            (of_kind(io::ErrorKind::QuotaExceeded), true),
            (of_kind(io::ErrorKind::ReadOnlyFilesystem), true),
            (of_kind(io::ErrorKind::PermissionDenied), false),
            (of_kind(io::ErrorKind::NotADirectory), false),
            (in_storage(StorageError::DiskFull), true),
            (in_storage(StorageError::InUse { path: "x".into() }), true),
            (in_storage(StorageError::ReadOnly { path: "x".into() }), true),
            (in_storage(StorageError::BlobFolder { path: "x".into(), source: io::ErrorKind::StorageFull.into() }), true),
            (in_storage(StorageError::BlobFolder { path: "x".into(), source: io::ErrorKind::NotADirectory.into() }), false),
            (in_storage(StorageError::NotADatabase { path: "x".into() }), false),
            (in_storage(StorageError::TooNew { path: "x".into(), found: 9, known: 1 }), false),
            (anyhow::anyhow!("there is no model"), false),
        ] {
            assert_eq!(may_pass(&error), expected, "{error:#}");
        }
    }
}
