#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use sqlx::{AssertSqlSafe, Row};

use super::*;
use crate::{History, Outbox, sqlite::open::N_LOOKERS, sqlite::open::N_READERS};

async fn open() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("atelier.db")).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_page_of_every_filter_and_direction_reads_what_it_shows() {
    let (_folder, store) = open().await;
    for (pages, bound) in [(&OLDER, "finished<?"), (&NEWER, "finished>?")] {
        let cases = [
            (pages.of_guild, "jobs_finished (guild=? AND finished", "of a guild"),
            (pages.of_user, "jobs_finished_by_user (guild=? AND user=? AND finished", "of a person"),
            (pages.of_channels, "jobs_finished_by_channel (guild=? AND channel=? AND finished", "of some channels"),
            (pages.of_user_in_channels, "jobs_finished_by_user (guild=? AND user=? AND finished", "of a person in some channels"),
        ];
        for (statement, index, whose) in cases {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).fetch_all(&store.lookers).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let by_key = |step: &String| step.contains(index) && step.contains(bound);
            assert_eq!(plan.iter().filter(|step| by_key(step)).count(), 1, "{whose}: {plan:#?}");
            // Beside the index there are look-ups of single rows and of the channels that were given, and no other walk.
            let is_bounded = |step: &String| !step.contains("jobs") || by_key(step) || step.contains("USING INTEGER PRIMARY KEY (rowid=?)");
            let others: Vec<_> = plan.iter().filter(|step| !is_bounded(step) && !step.starts_with("SCAN open")).collect();
            assert!(others.is_empty(), "{whose}: {others:?}");
            let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
            assert_eq!(sorts, statement == pages.of_channels, "{whose}: only what several channels gave is sorted: {plan:#?}");
        }
    }
}

#[tokio::test]
async fn histories_and_deliveries_wait_for_none_of_each_others_connections() {
    let (_folder, store) = open().await;
    let filter = || HistoryFilter { guild: GuildId(1), user: None, channels: None };
    let mut held = Vec::new();
    for _ in 0..N_READERS {
        held.push(store.readers.acquire().await.unwrap());
    }
    assert!(store.history(filter(), 0, 5).await.unwrap().0.is_empty());
    assert!(store.history_beside(filter(), Beside::Newer(JobId::new()), 5).await.unwrap().jobs.is_empty());
    held.clear();
    for _ in 0..N_LOOKERS {
        held.push(store.lookers.acquire().await.unwrap());
    }
    assert_eq!(store.outbox_due(Timestamp(0)).await.unwrap(), None);
    assert!(store.outbox(Timestamp(0), 5).await.unwrap().is_empty());
}
