//! A copy of a database, made before its schema is changed: whoever has to go back to the version before has what it could read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sqlx::SqliteConnection;

use crate::error::StorageError;

/// Copies that stay; older ones go.
const N_COPIES: usize = 2;

/// Copies the database at `path`, which has the schema `version`, to a file beside it that is named after both.
pub(super) async fn keep(db: &mut SqliteConnection, path: &Path, version: i64) -> Result<(), StorageError> {
    let in_path = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::DiskFull,
        _ => StorageError::Open { path: path.to_owned(), source },
    };
    let part = beside(path, "part");
    // Of a start that was killed; SQLite writes into no file that is there.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_path(error)),
        _ => {}
    }
    sqlx::query("VACUUM INTO ?").bind(part.to_string_lossy()).execute(db).await?;
    put_in_place(path, &part, version).map_err(in_path)
}

fn put_in_place(path: &Path, part: &Path, version: i64) -> io::Result<()> {
    fs::File::open(part)?.sync_all()?;
    fs::rename(part, beside(path, &format!("{version:04}")))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()?;
    let prefix = beside(path, "").file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut copies: Vec<(i64, PathBuf)> = Vec::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        let version = file.file_name().to_string_lossy().strip_prefix(&prefix).and_then(|version| version.parse().ok());
        copies.extend(version.map(|version| (version, file.path())));
    }
    copies.sort();
    copies.reverse();
    copies.iter().skip(N_COPIES).try_for_each(|(_, copy)| fs::remove_file(copy))
}

/// The name of the database with `.schema-` and what follows.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".schema-");
    name.push(what);
    name.into()
}
