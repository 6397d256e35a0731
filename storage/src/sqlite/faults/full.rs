//! The disk fills up in the midst of a write: nothing of that write is there, and once there is room it is done.
//!
//! A database whose pages are as small as they can be needs a new one for nearly everything, and may have so many more and no others.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{
    LEASE, LIMITS, NOW, RUNNING, created,
    dump::{check, dump},
    job, limit_pages,
};
use crate::{
    Appeal, AppealId, AppealState, AuditEntry, BlobKey, BlockedWord, Checkpoint, CheckpointLimits, Checkpoints, Draft, DraftId, DrawRule,
    DrawSubject, DrawTerms, Failure, GuildId, GuildSettings, Guilds, History, JobId, JobInput, KeptState, Lease, Ledger, Less, Moderation,
    NewImage, NewJob, Outbox, Period, Policy, PressKey, Privacy, Provenance, Queue, QuotaRule, Received, Reception, SqliteStore, States,
    StorageError, Subject, Tier, Timestamp, UserId,
};

/// Everything that writes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Write {
    Enqueue,
    Claim,
    Renew,
    SetNotes,
    RecordImage,
    Keep,
    KeepState,
    Complete,
    Fail,
    FinishCancel,
    Release,
    RequestCancelOfOneThatWaits,
    RequestCancelOfOneThatRuns,
    WantLess,
    Reap,
    Posting,
    Delivered,
    DeliveredWithout,
    DeliveryFailed,
    Undeliverable,
    Lose,
    SetMessage,
    SetThumbnail,
    Delete,
    Forget,
    ForgetStates,
    KeepDraft,
    SetGuildSettings,
    SetQuotaRule,
    SetSpeed,
    Forgive,
    SetNote,
    Receive,
    AmendReceived,
    ForgetReceived,
    SetDrawRule,
    NoteAudit,
    BlockWord,
    KeepAppeal,
    LeaveGuild,
    Erase,
}

/// What one write is done to: the `n`th time to the `n`th of these.
struct Target {
    n: u64,
    waiting: JobId,
    lease: Lease,
    ended: JobId,
    key: String,
}

async fn small_pages() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("atelier.db");
    let new = SqliteConnectOptions::new().filename(&path).create_if_missing(true).page_size(512);
    let mut db = new.auto_vacuum(sqlx::sqlite::SqliteAutoVacuum::Incremental).connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE a (b); DROP TABLE a").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *store.writer.take().await.unwrap()).await.unwrap();
    assert_eq!(size, 512);
    (folder, store)
}

fn heard(key: &str, n: u64) -> Received {
    let wish = serde_json::json!({ "asked": "x".repeat(60) });
    Received { key: key.into(), guild: GuildId(n), user: UserId(n), delivery: job("", 1).delivery, wish, created: NOW }
}

fn picture(index: u32, n: u64) -> NewImage {
    let made = Provenance { model_hash: Some("ab".repeat(32)), engine: "1".into(), device: "cpu".into(), dtype: "f32".into() };
    NewImage { index, seed: n, width: 8, height: 8, blob: BlobKey::of_digest([n as u8; 32]), provenance: Some(made), digests: vec![n; 3] }
}

fn state(index: u32, n: u64) -> KeptState {
    KeptState { index, blob: BlobKey::of_digest([n as u8; 32]), n_bytes: 9, done: 1, total: 9 }
}

/// A lease of this job, of all that wait.
async fn lease_of(store: &SqliteStore, id: JobId) -> Lease {
    let mut others = Vec::new();
    let lease = loop {
        let lease = store.claim(LEASE, &RUNNING, &[], NOW).await.unwrap().unwrap();
        if lease.job.id == id {
            break lease;
        }
        others.push(lease);
    };
    for other in others {
        store.release(&other, NOW).await.unwrap();
    }
    lease
}

impl Target {
    /// A job that waits, one that runs and one that ended, of a guild and a person of their own.
    async fn new(store: &SqliteStore, n: u64, write: Write) -> Self {
        let of = |what: &str| NewJob {
            guild: GuildId(n),
            user: UserId(n),
            press: Some(PressKey { key: format!("press {what} {n}"), keep: true }),
            inputs: vec![JobInput { role: "init".into(), blob: BlobKey::of_digest([9; 32]) }],
            ..job(&format!("{what} {n}"), 90)
        };
        let ended = created(store, of("ended")).await;
        let lease = lease_of(store, ended).await;
        store.record_image(&lease, &picture(0, n)).await.unwrap();
        store.keep_state(&lease, &state(0, n), NOW).await.unwrap();
        store.complete(&lease, 2.0, NOW).await.unwrap();
        let lease = lease_of(store, created(store, of("runs")).await).await;
        if write == Write::FinishCancel {
            store.request_cancel(lease.job.id, NOW).await.unwrap();
        }
        if write == Write::Reap {
            // One that got no further would have to run alone from then on.
            store.record_image(&lease, &picture(0, n)).await.unwrap();
        }
        if write == Write::Forget {
            store.delivered(ended, Some(7)).await.unwrap();
        }
        let key = format!("heard {n}");
        store.receive(&[heard(&key, n)]).await.unwrap();
        let waiting = created(store, of("waits")).await;
        Self { n, waiting, lease, ended, key }
    }

    async fn write(&self, store: &SqliteStore, write: Write) -> Result<(), StorageError> {
        const ROOM: CheckpointLimits = CheckpointLimits { max_bytes: 1 << 20, max_bytes_in_all: 1 << 30 };
        let (n, lease) = (self.n, &self.lease);
        let long = || "a long word ".repeat(20);
        match write {
            Write::Enqueue => {
                let inputs = vec![JobInput { role: "mask".into(), blob: BlobKey::of_digest([8; 32]) }];
                let new = NewJob { guild: GuildId(n), user: UserId(n + 1000), inputs, ..job(&self.key, 200) };
                store.enqueue(new, &LIMITS, NOW).await.map(drop)
            }
            Write::Claim => store.claim(LEASE, &RUNNING, &[], NOW).await.map(drop),
            Write::Renew => store.renew(lease, LEASE, Timestamp(NOW.0 << (n % 20))).await.map(drop),
            Write::SetNotes => store.set_notes(lease, &long().into()).await.map(drop),
            Write::RecordImage => store.record_image(lease, &picture(1, n)).await.map(drop),
            Write::Keep => {
                let states = [1, 2].map(|index| Checkpoint { index, n_steps: 3, state: vec![7; 700].into() });
                store.keep(lease, &states, &ROOM).await.map(drop)
            }
            Write::KeepState => store.keep_state(lease, &state(1, n), NOW).await.map(drop),
            Write::Complete => store.complete(lease, 7.0, NOW).await.map(drop),
            Write::Fail => store.fail(lease, &Failure::ModelGone { name: long() }, NOW).await.map(drop),
            Write::FinishCancel => store.finish_cancel(lease, 0.5, NOW).await.map(drop),
            Write::Release => store.release(lease, NOW).await.map(drop),
            Write::RequestCancelOfOneThatWaits => store.request_cancel(self.waiting, NOW).await.map(drop),
            Write::RequestCancelOfOneThatRuns => store.request_cancel(lease.job.id, NOW).await.map(drop),
            Write::WantLess => store.want_less(lease.job.id, Less::Without(20)).await.map(drop),
            Write::Reap => store.reap(true, NOW).await.map(drop),
            Write::Posting => store.posting(self.ended, u64::MAX).await,
            Write::Delivered => store.delivered(self.ended, Some(u64::MAX)).await,
            Write::DeliveredWithout => store.delivered_without(self.ended, &[0], Some(u64::MAX)).await,
            Write::DeliveryFailed => store.delivery_failed(self.ended, &long(), NOW, Duration::from_secs(9)).await,
            Write::Undeliverable => store.undeliverable(self.ended, &long()).await,
            Write::Lose => store.lose(self.ended, &Failure::ModelGone { name: long() }).await,
            Write::SetMessage => store.set_message(self.waiting, u64::MAX).await,
            Write::SetThumbnail => store.set_thumbnail(self.ended, &BlobKey::of_digest([n as u8; 32])).await.map(drop),
            Write::Delete => store.delete(self.ended, NOW).await.map(drop),
            Write::Forget => store.forget(Timestamp(i64::MAX), 1, NOW).await.map(drop),
            Write::ForgetStates => store.forget_states(NOW, 0).await.map(drop),
            Write::KeepDraft => {
                let draft = Draft { id: DraftId::new(), user: UserId(n), content: long().into(), created: NOW };
                store.keep_draft(&draft).await
            }
            Write::SetGuildSettings => store.set_guild_settings(GuildId(n), GuildSettings::default()).await,
            Write::SetQuotaRule => {
                let (subject, period) = (Subject::Person(UserId(n)), Period::Day);
                store.set_quota_rule(GuildId(n), &QuotaRule { subject, period, row_megapixels: 9.0, carry_over: 1.0 }, NOW).await
            }
            Write::SetSpeed => store.set_speed(GuildId(n), UserId(n), Tier::Relax).await,
            Write::Forgive => store.forgive(GuildId(n), Some(UserId(n)), Period::Day, NOW).await.map(drop),
            Write::SetNote => store.set_note(&long(), &format!("{n} {}", long())).await,
            Write::Receive => store.receive(&[heard(&format!("again {n}"), n), heard(&format!("once more {n}"), n)]).await.map(drop),
            Write::AmendReceived => store.amend_received(&self.key, &long().into()).await,
            Write::ForgetReceived => store.forget_received(std::slice::from_ref(&self.key)).await,
            Write::SetDrawRule => {
                let terms = DrawTerms { models: Some(vec![long()]), ..DrawTerms::default() };
                store.set_draw_rule(&DrawRule { guild: GuildId(n), subject: DrawSubject::Everyone, terms }).await
            }
            Write::BlockWord => store.block_word(GuildId(n), &BlockedWord { word: long(), in_negative: true }).await.map(drop),
            Write::KeepAppeal => {
                let (guild, user, state) = (GuildId(n), UserId(n), AppealState::Offered);
                let appeal = Appeal { id: AppealId::new(), guild, user, word: long(), line: long(), state, created: NOW };
                store.keep_appeal(&appeal).await
            }
            Write::LeaveGuild => store.leave_guild(GuildId(n), NOW).await,
            Write::Erase => store.erase(UserId(n), NOW).await.map(drop),
            Write::NoteAudit => {
                store.note_audit(&AuditEntry { guild: GuildId(n), user: UserId(n), at: NOW, is_change: true, what: long().into() }).await
            }
        }
    }
}

/// Does a write to one target after another, each with one page, then two, and so on, until it has room; how often it had none.
async fn fill(write: Write) -> u32 {
    let (_folder, store) = small_pages().await;
    let stored = async || dump(&mut store.writer.take().await.unwrap()).await;
    let mut n_full = 0;
    for n in 1..13 {
        let target = Target::new(&store, n, write).await;
        let before = stored().await;
        for spare in 0.. {
            limit_pages(&store, Some(spare)).await;
            let written = target.write(&store, write).await;
            limit_pages(&store, None).await;
            match written {
                Ok(()) => break,
                Err(StorageError::DiskFull) => {
                    n_full += 1;
                    assert!(stored().await == before, "{write:?} of {n} with {spare} pages to spare left something behind");
                }
                Err(error) => panic!("{write:?} of {n} with {spare} pages to spare: {error:?}"),
            }
            assert!(spare < 100, "{write:?} never has room");
        }
        check(&mut store.writer.take().await.unwrap(), &format!("{write:?} of {n}")).await;
    }
    n_full
}

#[test]
fn whatever_is_written_when_the_disk_fills_up_is_written_whole_or_not_at_all() {
    use Write::*;
    const GROW: [Write; 15] = [
        Enqueue,
        SetNotes,
        RecordImage,
        Keep,
        Fail,
        DeliveryFailed,
        Undeliverable,
        KeepDraft,
        SetNote,
        Receive,
        AmendReceived,
        SetDrawRule,
        NoteAudit,
        BlockWord,
        KeepAppeal,
    ];
    // These write little more than was there before, or less: they may never need a page.
    const STAY: [Write; 26] = [
        Lose,
        Claim,
        Renew,
        KeepState,
        Complete,
        FinishCancel,
        Release,
        RequestCancelOfOneThatWaits,
        RequestCancelOfOneThatRuns,
        WantLess,
        Reap,
        Posting,
        Delivered,
        SetMessage,
        SetThumbnail,
        Delete,
        Forget,
        ForgetStates,
        SetGuildSettings,
        ForgetReceived,
        DeliveredWithout,
        SetQuotaRule,
        SetSpeed,
        Forgive,
        LeaveGuild,
        Erase,
    ];
    let all: Vec<Write> = GROW.into_iter().chain(STAY).collect();
    std::thread::scope(|scope| {
        for some in all.chunks(all.len().div_ceil(4)) {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for write in some {
                    let n_full = runtime.block_on(fill(*write));
                    assert!(n_full > 0 || STAY.contains(write), "{write:?} always had room");
                }
            });
        }
    });
}
