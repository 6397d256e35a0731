//! What is at the path when a database is opened: nothing, ours, somebody else's, or not to be touched.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{fs, path::Path};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use storage::{JobStore, SqliteStore, StorageError};

async fn refused(path: &Path) -> StorageError {
    SqliteStore::open(path).await.expect_err("the store opened")
}

async fn raw(path: &Path) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

#[tokio::test]
async fn missing_folders_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/atelier.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    assert!(path.is_file());
}

#[tokio::test]
async fn an_open_database_is_in_use_and_a_closed_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.set_note("a", "b").await.unwrap();
    let error = refused(&path).await;
    assert!(matches!(&error, StorageError::InUse { path: found } if found.ends_with("atelier.db")), "{error:?}");
    assert!(error.to_string().ends_with("atelier.db is in use by another atelier process"), "{error}");
    #[cfg(unix)]
    {
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let error = refused(&link).await;
        assert!(matches!(error, StorageError::InUse { .. }), "another name of the same file: {error:?}");
    }
    store.close().await;
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.note("a").await.unwrap().as_deref(), Some("b"));
}

#[tokio::test]
async fn a_read_only_file_or_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let set = |path: &Path, read_only: bool| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(read_only);
        fs::set_permissions(path, permissions).unwrap();
    };
    set(&path, true);
    let error = refused(&path).await;
    assert!(matches!(error, StorageError::ReadOnly { .. }), "{error:?}");
    set(&path, false);
    set(folder.path(), true);
    let error = refused(&path).await;
    assert!(matches!(error, StorageError::ReadOnly { .. }), "{error:?}");
    set(folder.path(), false);
    SqliteStore::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut db = raw(&path).await;
    const NEWER: &str =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', 1, x'', 0)";
    sqlx::query(NEWER).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, StorageError::TooNew { found: 99, known: 6, .. }), "{error:?}");
    assert!(error.to_string().ends_with("(schema 99, this program knows 6); update the program"), "{error}");
}

#[tokio::test]
async fn a_database_of_the_first_schema_is_brought_up_and_keeps_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let (path, first) = (folder.path().join("atelier.db"), folder.path().join("first"));
    fs::create_dir(&first).unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
    fs::copy(migrations.join("0001_first.sql"), first.join("0001_first.sql")).unwrap();
    let mut db = raw(&path).await;
    sqlx::migrate::Migrator::new(first.as_path()).await.unwrap().run(&mut db).await.unwrap();
    let id = storage::JobId::new();
    const JOB: &str = "INSERT INTO jobs (id, key, guild, user, action, task, status, row_pixels, channel, token_expires, created, finished) \
        VALUES (?, 'k', 1, 2, 'imagine', '{}', 'done', 1, 3, 0, 0, 1)";
    sqlx::query(JOB).bind(id.0.as_bytes().to_vec()).execute(&mut db).await.unwrap();
    let blob = "ab".repeat(32);
    const IMAGE: &str = "INSERT INTO images (job, number, seed, width, height, blob) SELECT seq, 0, 7, 64, 48, ? FROM jobs";
    sqlx::query(IMAGE).bind(&blob).execute(&mut db).await.unwrap();
    db.close().await.unwrap();

    let store = SqliteStore::open(&path).await.unwrap();
    let images = store.images(id).await.unwrap();
    assert_eq!((images.len(), images[0].seed, images[0].width, images[0].blob.as_str()), (1, 7, 64, blob.as_str()));
    assert_eq!(images[0].provenance, None);
    assert_eq!(store.job(id).await.unwrap().unwrap().user, storage::UserId(2));
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    fs::write(&text, "Dear diary, ".repeat(500)).unwrap();
    let foreign = folder.path().join("foreign.db");
    let mut db = raw(&foreign).await;
    sqlx::query("CREATE TABLE recipes (name TEXT)").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    for path in [&text, &foreign] {
        let before = fs::read(path).unwrap();
        let error = refused(path).await;
        assert!(matches!(error, StorageError::NotADatabase { .. }), "{error:?}");
        assert!(error.to_string().ends_with("is not a database of atelier"), "{error}");
        assert_eq!(fs::read(path).unwrap(), before);
    }
    let error = refused(folder.path()).await;
    assert!(matches!(error, StorageError::NotADatabase { .. }), "a folder: {error:?}");
    let error = refused(&text.join("atelier.db")).await;
    assert!(matches!(error, StorageError::Open { .. }), "a file where the folder should be: {error:?}");
}

#[tokio::test]
async fn a_first_start_that_was_killed_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    fs::write(&path, "").unwrap();
    SqliteStore::open(&path).await.unwrap().close().await;

    let path = folder.path().join("half.db");
    let mut db = raw(&path).await;
    const TABLE: &str = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";
    sqlx::query(TABLE).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.queue_status().await.unwrap(), storage::QueueStatus::default());
}
