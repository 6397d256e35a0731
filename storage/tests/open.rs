//! What is at the path when a database is opened: nothing, ours, somebody else's, or not to be touched.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{fs, path::Path};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use storage::{Failure, Guilds, History, Queue, SqliteStore, StorageError};

async fn refused(path: &Path) -> StorageError {
    SqliteStore::open(path).await.expect_err("the store opened")
}

async fn raw(path: &Path) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

/// The files of all migrations, in order.
fn migrations() -> Vec<std::path::PathBuf> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite")).unwrap();
    let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// A database as the version with so many migrations made it.
async fn of_schema(folder: &Path, path: &Path, n_migrations: usize) -> sqlx::SqliteConnection {
    let earlier = folder.join("earlier");
    fs::create_dir(&earlier).unwrap();
    for file in &migrations()[..n_migrations] {
        fs::copy(file, earlier.join(file.file_name().unwrap())).unwrap();
    }
    let mut db = raw(path).await;
    sqlx::migrate::Migrator::new(earlier.as_path()).await.unwrap().run(&mut db).await.unwrap();
    db
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
    let newest = migrations().pop().unwrap();
    let known: i64 = newest.file_name().and_then(|name| name.to_str()?.split('_').next()?.parse().ok()).unwrap();
    assert!(matches!(error, StorageError::TooNew { found: 99, known: told, .. } if told == known), "{error:?}");
    assert!(error.to_string().ends_with(&format!("(schema 99, this program knows {known}); update the program")), "{error}");
}

#[tokio::test]
async fn a_database_of_the_first_schema_is_brought_up_and_keeps_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    let mut db = of_schema(folder.path(), &path, 1).await;
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
async fn failures_that_were_sentences_are_read_and_name_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    let mut db = of_schema(folder.path(), &path, 2).await;
    let cases = [
        (Some("The drawing was interrupted 3 times."), Some(Failure::OutOfAttempts { attempts: 3 })),
        (Some("The picture that this starts from was deleted."), Some(Failure::SourceGone)),
        (Some("My disk is nearly full, so I take no new jobs now. Please tell the person who runs me."), Some(Failure::DiskFull)),
        (Some("Drawing failed: /srv/ada/my style.safetensors: module `lora_unet_x` has `a` but no `b`."), Some(Failure::Untold)),
        (Some("Drawing failed: the network panicked: index out of bounds."), Some(Failure::Untold)),
        (Some(""), Some(Failure::Untold)),
        (None, None),
    ];
    let mut ids = Vec::new();
    for (n, (prose, _)) in cases.iter().enumerate() {
        let id = storage::JobId::new();
        ids.push(id);
        let status = if prose.is_some() { "failed" } else { "cancelled" };
        const JOB: &str = "INSERT INTO jobs (id, key, guild, user, action, task, status, row_pixels, channel, token_expires, created, finished, error) \
            VALUES (?, ?, 1, 2, 'imagine', '{}', ?, 1, 3, 0, 0, 1, ?)";
        let write = sqlx::query(JOB).bind(id.0.as_bytes().to_vec()).bind(format!("key-{n}"));
        write.bind(status).bind(prose).execute(&mut db).await.unwrap();
    }
    db.close().await.unwrap();

    let store = SqliteStore::open(&path).await.unwrap();
    for (id, (prose, failure)) in ids.into_iter().zip(cases) {
        assert_eq!(store.job(id).await.unwrap().unwrap().failure, failure, "{prose:?}");
    }
    store.close().await;
    let kept: Vec<Option<String>> = sqlx::query_scalar("SELECT error FROM jobs").fetch_all(&mut raw(&path).await).await.unwrap();
    assert!(kept.iter().flatten().all(|text| !text.contains('/') && !text.contains("panicked")), "{kept:?}");
}

#[tokio::test]
async fn sources_and_masks_of_older_jobs_become_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    let mut db = of_schema(folder.path(), &path, 7).await;
    let (source, mask) = ("ab".repeat(32), "cd".repeat(32));
    let masked = format!(r#"{{"kind":"inpaint","source":"{source}","mask":"{mask}"}}"#);
    let jobs = [
        ("words", r#"{"kind":"text_to_image"}"#.to_owned(), None),
        ("varied", format!(r#"{{"kind":"image_to_image","source":"{source}"}}"#), Some(&source)),
        ("masked", masked, Some(&source)),
        ("unnamed", r#"{"kind":"inpaint","source":"","mask":""}"#.to_owned(), None),
    ];
    for (key, task, source) in &jobs {
        const JOB: &str = "INSERT INTO jobs (id, key, guild, user, action, task, source, status, row_pixels, channel, token_expires, created, finished) \
            VALUES (?, ?, 1, 2, 'imagine', ?, ?, 'done', 1, 3, 0, 0, 1)";
        let write = sqlx::query(JOB).bind(storage::JobId::new().0.as_bytes().to_vec()).bind(key).bind(task);
        write.bind(source).execute(&mut db).await.unwrap();
    }
    db.close().await.unwrap();

    SqliteStore::open(&path).await.unwrap().close().await;
    const INPUTS: &str = "SELECT key, role, blob FROM inputs JOIN jobs ON seq = job ORDER BY seq, number";
    let inputs: Vec<(String, String, String)> = sqlx::query_as(INPUTS).fetch_all(&mut raw(&path).await).await.unwrap();
    let expected = [("varied", "init", &source), ("masked", "init", &source), ("masked", "mask", &mask)];
    assert_eq!(inputs, expected.map(|(key, role, blob)| (key.to_owned(), role.to_owned(), blob.clone())));
}

/// Names of the copies beside a database.
fn copies(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    let mut copies: Vec<String> = names.filter(|name| name.contains(".schema-")).collect();
    copies.sort();
    copies
}

#[tokio::test]
async fn before_a_change_of_the_schema_a_copy_is_kept_of_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    assert!(copies(folder.path()).is_empty(), "there was nothing before");
    SqliteStore::open(&path).await.unwrap().close().await;
    assert!(copies(folder.path()).is_empty(), "nothing is changed");

    let path = folder.path().join("old.db");
    let mut db = of_schema(folder.path(), &path, 7).await;
    sqlx::query("INSERT INTO notes (key, value) VALUES ('a', 'b')").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    // Of changes before, and of a start that was killed while it copied.
    for earlier in ["old.db.schema-0001", "old.db.schema-0002", "old.db.schema-part"] {
        fs::write(folder.path().join(earlier), "earlier").unwrap();
    }
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.note("a").await.unwrap().as_deref(), Some("b"));
    store.close().await;
    assert_eq!(copies(folder.path()), ["old.db.schema-0002", "old.db.schema-0007"], "the last two");
    let mut copy = raw(&folder.path().join("old.db.schema-0007")).await;
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut copy).await.unwrap();
    let note: String = sqlx::query_scalar("SELECT value FROM notes WHERE key = 'a'").fetch_one(&mut copy).await.unwrap();
    let version: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut copy).await.unwrap();
    assert_eq!((check.as_str(), note.as_str(), version), ("ok", "b", 7));
    copy.close().await.unwrap();
    // With its own name, the version before opens it.
    let back = folder.path().join("back.db");
    fs::rename(folder.path().join("old.db.schema-0007"), &back).unwrap();
    SqliteStore::open(&back).await.unwrap().close().await;
    assert_eq!(copies(folder.path()), ["back.db.schema-0007", "old.db.schema-0002"]);
}

#[tokio::test]
async fn jobs_that_waited_when_tags_stood_with_them_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    let mut db = of_schema(folder.path(), &path, 8).await;
    const FLOWS: &str = "UPDATE turns SET virtual_time = 100; \
        INSERT INTO guild_flows (guild, start_tag, virtual_time) VALUES (1, 110, 40), (2, 100, 5), (3, 60, 9); \
        INSERT INTO user_flows (guild, user, start_tag) VALUES (1, 1, 45), (1, 2, 40), (2, 3, 5), (3, 4, 9);";
    sqlx::raw_sql(FLOWS).execute(&mut db).await.unwrap();
    // Guild, user, tag in the guild, tag among all, as the rule gave them to jobs of ten row-pixels.
    let waiting = [(1, 1, 45, 120), (1, 1, 55, 130), (1, 2, 40, 110), (2, 3, 5, 100), (2, 3, 15, 110)];
    for (n, (guild, user, user_tag, start_tag)) in (0..).zip(waiting) {
        const JOB: &str = "INSERT INTO jobs (id, key, guild, user, action, task, status, row_pixels, user_tag, start_tag, channel, token_expires, created) \
            VALUES (?, ?, ?, ?, 'imagine', '{}', 'queued', 10, ?, ?, 3, 0, ?)";
        let write = sqlx::query(JOB).bind(storage::JobId::new().0.as_bytes().to_vec()).bind(format!("key-{n}"));
        write.bind(guild).bind(user).bind(user_tag).bind(start_tag).bind(n).execute(&mut db).await.unwrap();
    }
    let order: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM jobs ORDER BY start_tag, seq").fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();

    let store = SqliteStore::open(&path).await.unwrap();
    let queue: Vec<Vec<u8>> = store.queue(9).await.unwrap().into_iter().map(|id| id.0.as_bytes().to_vec()).collect();
    assert_eq!(queue, order);
    assert_eq!(store.queue_status().await.unwrap(), storage::QueueStatus { queued: 5, running: 0 });
    assert_eq!(store.backlog().await.unwrap().oldest, Some(storage::Timestamp(0)));
    let roomy = storage::RunningLimits { max_running: 9, max_running_per_user: 9, max_running_per_guild: 9 };
    for id in order {
        let lease = store.claim(std::time::Duration::from_secs(30), &roomy, &[], storage::Timestamp(1)).await.unwrap().unwrap();
        assert_eq!((lease.job.id.0.as_bytes().to_vec(), lease.job.tier), (id, storage::Tier::Fast));
    }
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
