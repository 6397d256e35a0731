//! Opening: every reason why a database must not be used is found here, before the first job.

use std::{
    fs::{File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use sqlx::{
    Connection as _, SqliteConnection,
    migrate::MigrateError,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{SqliteStore, copies, migrations::MIGRATIONS, pool::pool, readers::Readers, writer::Writer, writing::WriteThread};
use crate::{
    error::{StorageError, sqlite_code},
    zone::Zone,
};

/// "ATLR" in the file's header, as the first migration writes it.
const APPLICATION_ID: i64 = 0x4154_4C52;

/// Earlier ones can lose committed pages when two connections reset the log: <https://sqlite.org/wal.html#walresetbug>.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

pub(super) const N_READERS: u32 = 3;
/// Of those that page through histories: however many do, deliveries wait for none of them.
pub(super) const N_LOOKERS: u32 = 2;
const N_INQUIRERS: u32 = 2;
/// More than there are, so that each is prepared once.
const N_STATEMENTS: usize = 256;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_JOURNAL_BYTES: u32 = 64 << 20;

impl SqliteStore {
    /// Opens a database, makes it if it is missing, and brings its schema up to date; then a copy of one that was there is kept beside it.
    ///
    /// # Errors
    /// One variant per reason: [`StorageError::InUse`], [`ReadOnly`](StorageError::ReadOnly), [`NotADatabase`](StorageError::NotADatabase),
    /// [`TooNew`](StorageError::TooNew), [`DiskFull`](StorageError::DiskFull), [`OldSqlite`](StorageError::OldSqlite),
    /// [`Open`](StorageError::Open), [`Migrate`](StorageError::Migrate), else [`Database`](StorageError::Database).
    pub async fn open(path: &Path) -> Result<Self, StorageError> {
        let path = prepare(path)?;
        let lock = lock(&path)?;
        let version = probe(&path).await?;
        let in_path = |error| explain(error, &path);
        let options = options(&path);
        let writer_options = options.clone().auto_vacuum(SqliteAutoVacuum::Incremental).journal_mode(SqliteJournalMode::Wal);
        let writer = Writer::open(writer_options).await.map_err(in_path)?;
        let mut connection = writer.take().await?;
        if let Some(version) = version {
            copies::keep(&mut connection, &path, version).await?;
        }
        MIGRATIONS.run(&mut *connection).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explain(error, &path),
            other => StorageError::Migrate(other),
        })?;
        sqlx::query("PRAGMA incremental_vacuum(4096)").execute(&mut *connection).await.map_err(in_path)?;
        drop(connection);
        let options = options.pragma("query_only", "ON");
        let readers = pool(N_READERS).connect_with(options.clone()).await.map_err(in_path)?;
        let lookers = pool(N_LOOKERS).connect_with(options).await.map_err(in_path)?;
        let inquirers = (0..N_INQUIRERS).map(|_| connect(&path, "ON")).collect::<Result<_, _>>()?;
        let started = WriteThread::start(connect(&path, "OFF")?, writer.gate());
        let thread = started.map_err(|source| StorageError::Open { path, source })?;
        Ok(Self { thread, writer, readers, inquirers: Readers::new(inquirers), lookers, zone: Zone::default(), _lock: lock })
    }
}

/// Makes the folder and resolves links, so that two names of one file are one lock.
fn prepare(path: &Path) -> Result<PathBuf, StorageError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|source| cannot_write(source, path))?;
    if path.is_dir() {
        return Err(StorageError::NotADatabase { path: path.to_owned() });
    }
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    // The mode bits do not stop root, but whoever set them did not want a writer.
    let is_read_only = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.permissions().readonly());
    if is_read_only(&resolved) || is_read_only(folder) {
        return Err(StorageError::ReadOnly { path: path.to_owned() });
    }
    Ok(resolved)
}

/// Takes the lock file beside the database; the system gives it back when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options().create(true).write(true).truncate(false).open(name).map_err(|source| cannot_write(source, path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StorageError::Open { path: path.to_owned(), source }),
    }
}

/// Looks at what is there without changing it: a file of somebody else stays as it is. The schema's version where it has to be changed.
async fn probe(path: &Path) -> Result<Option<i64>, StorageError> {
    let in_path = |error| explain(error, path);
    let mut db = SqliteConnection::connect_with(&options(path)).await.map_err(in_path)?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut db).await.map_err(in_path)?;
    if !is_new_enough(&version) {
        return Err(StorageError::OldSqlite(version));
    }
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut db).await.map_err(in_path)?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut db).await.map_err(in_path)?;
    // A first start that was killed leaves an empty list of migrations and no mark.
    let is_unfinished = application == 0 && tables.iter().all(|table| table == "_sqlx_migrations" || table.starts_with("sqlite_"));
    if application != APPLICATION_ID && !is_unfinished {
        return Err(StorageError::NotADatabase { path: path.to_owned() });
    }
    let mut found: Vec<i64> = Vec::new();
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        found = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(&mut db).await.map_err(in_path)?;
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        if let Some(found) = found.last().copied().filter(|found| *found > known) {
            return Err(StorageError::TooNew { path: path.to_owned(), found, known });
        }
    }
    db.close().await.map_err(in_path)?;
    let is_old = MIGRATIONS.iter().any(|migration| !found.contains(&migration.version));
    Ok(found.last().copied().filter(|_| is_old))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        // In WAL mode NORMAL can lose the last commits with the power; we say *queued* on the strength of a commit.
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", MAX_JOURNAL_BYTES.to_string())
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
}

/// A connection like those of [`options`], on whose own thread statements run.
fn connect(path: &Path, query_only: &str) -> Result<Connection, StorageError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(N_STATEMENTS);
    db.execute_batch(&format!(
        "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {MAX_JOURNAL_BYTES}; \
         PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA query_only = {query_only}"
    ))?;
    Ok(db)
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version: [u32; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    version >= OLDEST_SQLITE
}

fn cannot_write(source: std::io::Error, path: &Path) -> StorageError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StorageError::ReadOnly { path },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageError::DiskFull,
        _ => StorageError::Open { path, source },
    }
}

fn explain(error: sqlx::Error, path: &Path) -> StorageError {
    const SQLITE_BUSY: i32 = 5;
    const SQLITE_READONLY: i32 = 8;
    const SQLITE_NOTADB: i32 = 26;
    let path = path.to_owned();
    match sqlite_code(&error) {
        Some(SQLITE_BUSY) => StorageError::InUse { path },
        Some(SQLITE_READONLY) => StorageError::ReadOnly { path },
        Some(SQLITE_NOTADB) => StorageError::NotADatabase { path },
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let check = |version: &str, expected: bool| assert_eq!(is_new_enough(version), expected, "{version}");
        check("3.51.3", true);
        check("3.51.10", true);
        check("3.53.0", true);
        check("4.0.0", true);
        check("3.51.2", false);
        check("3.9.9", false);
        check("3.51", false);
        check("", false);
    }

    #[tokio::test]
    async fn what_was_spent_and_set_before_is_there() {
        const BEFORE: &str = "INSERT INTO jobs (id, key, guild, user, action, task, status, row_pixels, channel, token_expires, created) \
                VALUES (randomblob(16), 'k', 1, 7, 'imagine', '{}', 'queued', 1500000, 1, 0, 0); \
            INSERT INTO ledger (job, kind, guild, day, row_pixels) VALUES (1, 'debit', 1, 0, 1500000), (1, 'settle', 1, 0, -500000); \
            INSERT INTO guild_settings (guild, daily_row_pixels, max_active_per_user) VALUES (1, 2500000, 3);";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("atelier.db");
        let old: Vec<_> = MIGRATIONS.iter().filter(|migration| migration.version < 5).cloned().collect();
        let mut db = SqliteConnection::connect_with(&options(&path)).await.expect("it opens");
        sqlx::migrate::Migrator::with_migrations(old).run(&mut db).await.expect("an old schema");
        sqlx::raw_sql(BEFORE).execute(&mut db).await.expect("an old job");
        db.close().await.expect("it closes");

        let store = SqliteStore::open(&path).await.expect("it is brought up to date");
        let limits = crate::Limits {
            daily_row_megapixels: 9.0,
            daily_row_megapixels_per_user: Some(2.0),
            daily_row_megapixels_host: None,
            monthly_row_megapixels: None,
            monthly_row_megapixels_per_user: Some(4.0),
            monthly_row_megapixels_host: None,
            is_relax_free: false,
            max_active_per_user: 1,
            max_queued_per_guild: 1,
            max_queued: 1,
        };
        let quotas =
            crate::Ledger::quotas(&store, &crate::Spender::new(crate::GuildId(2), crate::UserId(7)), &limits, crate::Timestamp(1)).await;
        let used: Vec<_> = quotas.expect("readable").into_iter().map(|(of, quota)| (of, quota.used)).collect();
        assert_eq!(used, [(crate::QuotaOf::User, 1.0), (crate::QuotaOf::User, 1.0), (crate::QuotaOf::Guild, 0.0)], "a day, a month, a day");
        let rules = crate::Guilds::quota_rules(&store, crate::GuildId(1)).await.expect("readable");
        let rules: Vec<_> = rules.into_iter().map(|rule| (rule.subject, rule.period, rule.row_megapixels)).collect();
        assert_eq!(rules, [(crate::Subject::Guild, crate::Period::Day, 2.5)]);
        let settings = crate::Guilds::guild_settings(&store, crate::GuildId(1)).await.expect("readable");
        assert_eq!(settings, crate::GuildSettings { max_active_per_user: Some(3), ..Default::default() });
    }

    #[test]
    fn the_mark_spells_our_name() {
        assert_eq!(APPLICATION_ID, 1_096_043_602);
        assert_eq!(APPLICATION_ID.to_be_bytes(), *b"\0\0\0\0ATLR");
    }
}
