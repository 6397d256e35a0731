//! Blocked words, appeals, guilds that were left, and persons who had everything deleted.

use storage::{
    Admission, Appeal, AppealId, AppealState, AuditEntry, BlockedWord, DrawRule, DrawSubject, DrawTerms, EVERYWHERE, Enqueued, Erased,
    GuildId, HistoryFilter, JobStatus, MAX_APPEALS, MAX_WORDS, NewJob, Period, QuotaOf, Spender, Tier, Timestamp, UserId,
};

use super::support::*;

const GUILD: GuildId = GuildId(500);

fn word(word: &str) -> BlockedWord {
    BlockedWord { word: word.into(), in_negative: false }
}

fn appeal(n: i64, user: u64) -> Appeal {
    let (word, line) = ("gore".to_owned(), "a gore fox".to_owned());
    Appeal { id: AppealId::new(), guild: GUILD, user: UserId(user), word, line, state: AppealState::Offered, created: at(n) }
}

pub async fn words_are_kept_and_change_what_jobs_were_judged_by(backend: &impl Backend) {
    let store = backend.open().await;
    let revision = async || store.draw_rules_for(GUILD, UserId(1)).await.unwrap().revision;
    let first = revision().await;
    assert!(store.block_word(GUILD, &word("gore")).await.unwrap());
    assert!(store.block_word(GUILD, &BlockedWord { in_negative: true, ..word("a b") }).await.unwrap());
    assert!(store.block_word(EVERYWHERE, &word("gore")).await.unwrap());
    assert!(store.block_word(GUILD, &BlockedWord { in_negative: true, ..word("gore") }).await.unwrap());
    let second = revision().await;
    let both = [BlockedWord { in_negative: true, ..word("a b") }, BlockedWord { in_negative: true, ..word("gore") }];
    assert_eq!(store.blocked_words(GUILD).await.unwrap(), both);
    assert!(store.unblock_word(GUILD, "gore").await.unwrap() && !store.unblock_word(GUILD, "gore").await.unwrap());
    let third = revision().await;
    assert!(first < second && second < third);
    for n in 1..MAX_WORDS {
        assert!(store.block_word(GUILD, &word(&format!("word {n}"))).await.unwrap());
    }
    assert!(!store.block_word(GUILD, &word("one more")).await.unwrap());
    assert!(store.block_word(GUILD, &word("a b")).await.unwrap(), "one that is there may be changed");
    assert_eq!(store.moderators(GUILD).await.unwrap(), None);
    store.set_moderators(GUILD, Some(u64::MAX)).await.unwrap();
    assert_eq!(store.moderators(GUILD).await.unwrap(), Some(u64::MAX));
    store.set_moderators(GUILD, None).await.unwrap();
    assert_eq!(store.moderators(GUILD).await.unwrap(), None);
}

pub async fn an_approved_line_goes_through_once(backend: &impl Backend) {
    let store = backend.open().await;
    let one = appeal(0, 1);
    store.keep_appeal(&one).await.unwrap();
    assert_eq!(store.appeal(one.id).await.unwrap(), Some(one.clone()));
    let (offered, asked, approved) = (AppealState::Offered, AppealState::Asked, AppealState::Approved);
    assert!(!store.move_appeal(one.id, asked, approved).await.unwrap(), "nobody asked");
    assert!(store.move_appeal(one.id, offered, asked).await.unwrap() && store.move_appeal(one.id, asked, approved).await.unwrap());
    let found = async |guild, user, line: &str| store.approved(guild, UserId(user), line).await.unwrap();
    assert_eq!(found(GUILD, 1, "a gore fox").await, Some(one.id));
    for (guild, user, line) in [(GuildId(2), 1, "a gore fox"), (GUILD, 2, "a gore fox"), (GUILD, 1, "a gore owl")] {
        assert_eq!(found(guild, user, line).await, None);
    }
    let passing = || NewJob { admission: Admission { appeal: Some(one.id), ..Admission::default() }, ..job(GUILD.0, 1) };
    let tries = (0..100).map(|_| {
        let (store, job) = (store.clone(), passing());
        tokio::spawn(async move { store.enqueue(job, &ROOMY, NOON).await.unwrap() })
    });
    let mut n_created = 0;
    for tried in tries.collect::<Vec<_>>() {
        match tried.await.unwrap() {
            Enqueued::Created(_) => n_created += 1,
            other => assert_eq!(other, Enqueued::JudgedByOldRules),
        }
    }
    assert_eq!((n_created, found(GUILD, 1, "a gore fox").await), (1, None));
    for n in 1..=i64::from(MAX_APPEALS) {
        store.keep_appeal(&appeal(n, 1)).await.unwrap();
    }
    assert_eq!(store.appeal(one.id).await.unwrap(), None, "the oldest went");
    assert_eq!(store.forget_appeals(at(3)).await.unwrap(), 2);
}

pub async fn a_guild_that_was_left_keeps_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let done = created(&*store, job(GUILD.0, 1)).await;
    let lease = claimed(&*store).await;
    finish(&*store, &lease, &[image(0, blob(1))], NOON).await;
    store.delivered(done, None).await.unwrap();
    let waiting = created(&*store, job(GUILD.0, 2)).await;
    let elsewhere = created(&*store, job(9, 2)).await;
    allow(&*store, GUILD.0, daily(storage::Subject::Everyone, 1.0)).await;
    let closed = DrawTerms { may_draw: Some(false), ..DrawTerms::default() };
    store.set_draw_rule(&DrawRule { guild: GUILD, subject: DrawSubject::Everyone, terms: closed }).await.unwrap();
    store.block_word(GUILD, &word("gore")).await.unwrap();
    store.set_moderators(GUILD, Some(5)).await.unwrap();
    store.keep_appeal(&appeal(0, 1)).await.unwrap();
    let what = serde_json::json!({});
    store.note_audit(&AuditEntry { guild: GUILD, user: UserId(1), at: NOON, is_change: true, what }).await.unwrap();
    store.leave_guild(GUILD, NOON).await.unwrap();
    assert_eq!(status(&*store, waiting).await, JobStatus::Cancelled);
    assert_eq!(status(&*store, elsewhere).await, JobStatus::Queued);
    assert_eq!(store.quota_rules(GUILD).await.unwrap(), []);
    assert_eq!(store.draw_rules(GUILD).await.unwrap(), []);
    assert_eq!(store.blocked_words(GUILD).await.unwrap(), []);
    assert_eq!(store.moderators(GUILD).await.unwrap(), None);
    assert_eq!(store.audit(GUILD, None, 0, 9).await.unwrap().0, []);
    let forget = async |before| store.forget_left(before, 50, at(9)).await.unwrap();
    assert_eq!(forget(NOON).await, 0, "not yet");
    store.join_guild(GUILD).await.unwrap();
    assert_eq!(forget(at(1)).await, 0, "it is back");
    store.leave_guild(GUILD, NOON).await.unwrap();
    store.undeliverable(waiting, "gone").await.unwrap();
    assert_eq!((forget(at(1)).await, forget(at(1)).await), (2, 0));
    let job = store.job(done).await.unwrap().unwrap();
    assert!(job.is_forgotten && job.task.is_null());
    assert_eq!(store.unnamed(&[blob(1)]).await.unwrap(), [blob(1)]);
}

/// A month before noon of that day.
const LAST_MONTH: Timestamp = Timestamp(NOON.0 - 40 * DAY_MS);

pub async fn of_a_person_who_had_everything_deleted_sums_stay_that_are_nobodys(backend: &impl Backend) {
    let store = backend.open().await;
    let mut jobs = Vec::new();
    for (guild, user, now) in [(GUILD.0, 1, LAST_MONTH), (GUILD.0, 1, NOON), (1, 1, LAST_MONTH), (GUILD.0, 2, NOON)] {
        let mut new = job(guild, user);
        new.inputs = vec![input("init", 7)];
        let Enqueued::Created(id) = store.enqueue(new, &ROOMY, now).await.unwrap() else { panic!("it is taken") };
        let lease = store.claim(LEASE, &MANY, &[], now).await.unwrap().expect("a job waits");
        finish(&*store, &lease, &[image(0, blob(u8::try_from(user).unwrap()))], now).await;
        jobs.push(id);
    }
    store.set_speed(GUILD, UserId(1), Tier::Relax).await.unwrap();
    store.keep_appeal(&appeal(0, 1)).await.unwrap();
    let ban = DrawTerms { may_draw: Some(false), ..DrawTerms::default() };
    store.set_draw_rule(&DrawRule { guild: GUILD, subject: DrawSubject::Person(UserId(1)), terms: ban }).await.unwrap();
    let sums = async |user, now| -> Vec<(QuotaOf, Period, f64)> {
        let limits = storage::Limits {
            daily_row_megapixels_per_user: Some(9.0),
            daily_row_megapixels_host: Some(9.0),
            monthly_row_megapixels: Some(9.0),
            monthly_row_megapixels_host: Some(9.0),
            ..ROOMY
        };
        let quotas = store.quotas(&Spender::new(GUILD, UserId(user)), &limits, now).await.unwrap();
        let mut all: Vec<_> = quotas.into_iter().map(|(of, quota)| (of, quota.period, quota.used)).collect();
        all.sort_by_key(|(of, period, _)| (format!("{of:?}"), *period));
        all
    };
    let before = [sums(1, NOON).await, sums(2, NOON).await, sums(2, LAST_MONTH).await];
    let kept = store.person(UserId(1), 9).await.unwrap();
    assert_eq!(kept["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(kept["jobs"][0]["task"]["prompt"], "a lighthouse");
    assert_eq!(kept["jobs"][0]["pictures"].as_array().unwrap().len(), 1);
    assert!(["speeds", "used", "rules", "appeals"].iter().all(|list| !kept[*list].as_array().unwrap().is_empty()), "{kept}");
    assert_eq!(store.erase(UserId(1), at(1)).await.unwrap(), Erased::StillAtWork(3), "their endings are on their way");
    for id in &jobs {
        store.delivered(*id, Some(5)).await.unwrap();
    }
    let open = created(&*store, job(GUILD.0, 1)).await;
    assert_eq!(store.open_jobs(UserId(1)).await.unwrap(), [open]);
    assert_eq!(store.erase(UserId(1), at(1)).await.unwrap(), Erased::StillAtWork(1));
    store.request_cancel(open, NOON).await.unwrap();
    store.undeliverable(open, "gone").await.unwrap();
    // What another one's job is made from stays.
    assert_eq!(store.erase(UserId(1), at(1)).await.unwrap(), Erased::Gone(vec![blob(1)]));
    let kept = store.person(UserId(1), 9).await.unwrap();
    for (list, rows) in kept.as_object().unwrap() {
        let n_rows = rows.as_array().unwrap().len();
        assert_eq!(n_rows, usize::from(list == "rules" || list == "used"), "{list}: {rows}");
    }
    assert_eq!([sums(1, NOON).await, sums(2, NOON).await, sums(2, LAST_MONTH).await], before, "sums stay what they were");
    let filter = HistoryFilter { guild: GUILD, user: None, channels: None };
    assert_eq!(store.history(filter, 0, 9).await.unwrap().0.len(), 1, "one of somebody else");
    assert!(store.scrub().await.unwrap());
    // When the month is over nothing of it is theirs any more.
    let next_month = Timestamp(NOON.0 + 40 * DAY_MS);
    assert_eq!(store.forget_erased(next_month).await.unwrap(), 1);
    assert_eq!(store.forget_erased(next_month).await.unwrap(), 0);
    assert_eq!(store.person(UserId(1), 9).await.unwrap()["used"], serde_json::json!([]));
    assert_eq!([sums(2, NOON).await, sums(2, LAST_MONTH).await], [before[1].clone(), before[2].clone()]);
}
