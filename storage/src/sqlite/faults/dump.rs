//! A whole database as text, and what must hold in every one.

use sqlx::{AssertSqlSafe, SqliteConnection};

/// Every row of every table, as text that is equal where they are.
pub(super) async fn dump(db: &mut SqliteConnection) -> String {
    const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *db).await.unwrap();
    let mut dump = String::new();
    for table in tables {
        const COLUMNS: &str = "SELECT 'quote(\"' || name || '\")' FROM pragma_table_info(?)";
        let columns = sqlx::query_scalar(COLUMNS).bind(&table);
        let columns: Vec<String> = columns.fetch_all(&mut *db).await.unwrap();
        let rows = format!("SELECT {} AS row FROM {table} ORDER BY row", columns.join(" || ',' || "));
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut *db).await.unwrap();
        dump.push_str(&format!("{table}\n  {}\n", rows.join("\n  ")));
    }
    dump
}

/// Each counts what must not be there, whatever happened before.
const WRONG: [&str; 9] = [
    "SELECT count(*) FROM pragma_foreign_key_check",
    "SELECT count(*) - count(DISTINCT key) FROM jobs",
    "SELECT count(*) FROM jobs LEFT JOIN outbox ON outbox.job = jobs.seq \
     WHERE (finished IS NOT NULL) <> (outbox.job IS NOT NULL) OR outbox.kind <> jobs.status",
    "SELECT count(*) FROM jobs WHERE (SELECT count(*) FROM ledger WHERE job = seq) <> 1 + (finished IS NOT NULL)",
    "SELECT count(*) FROM jobs WHERE status = 'failed' AND (SELECT sum(row_pixels) FROM ledger WHERE job = seq) <> 0",
    "SELECT count(*) FROM (SELECT day, guild, user, sum(row_pixels) FROM ledger GROUP BY day, guild, user \
     EXCEPT SELECT day, guild, user, row_pixels FROM spent)",
    "SELECT count(*) FROM flow_users WHERE waiting <> (SELECT count(*) FROM jobs WHERE status = 'queued' \
     AND jobs.guild = flow_users.guild AND jobs.tier = flow_users.tier AND jobs.user = flow_users.user)",
    "SELECT count(*) FROM turns WHERE waiting <> (SELECT count(*) FROM jobs WHERE status = 'queued') \
     OR waiting <> (SELECT coalesce(sum(waiting), 0) FROM flows)",
    "SELECT count(*) FROM checkpoints JOIN jobs ON seq = job WHERE finished IS NOT NULL",
];

/// Panics where a database is damaged or holds what must not be.
pub(super) async fn check(db: &mut SqliteConnection, when: &str) {
    let integrity: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut *db).await.unwrap();
    assert_eq!(integrity, "ok", "{when}");
    for wrong in WRONG {
        let n: i64 = sqlx::query_scalar(wrong).fetch_one(&mut *db).await.unwrap();
        assert_eq!(n, 0, "{when}: {wrong}");
    }
}
