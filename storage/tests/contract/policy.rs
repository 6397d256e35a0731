//! Who may draw, pauses between jobs, and the book about it.

use std::time::Duration;

use storage::{
    Admission, AuditEntry, DrawRule, DrawSubject, DrawTerms, EVERYWHERE, Enqueued, GuildId, MAX_AUDIT, NewJob, Pause, Refusal, RoleId,
    UserId,
};

use super::support::*;

const GUILD: GuildId = GuildId(500);

fn banned(guild: GuildId, user: u64) -> DrawRule {
    DrawRule { guild, subject: DrawSubject::Person(UserId(user)), terms: DrawTerms { may_draw: Some(false), ..DrawTerms::default() } }
}

pub async fn rules_are_kept_one_for_each_subject_and_read_for_a_person(backend: &impl Backend) {
    let store = backend.open().await;
    let terms = DrawTerms {
        may_draw: Some(true),
        models: Some(vec!["fox".into(), "\"owl\"".into()]),
        row_megapixels: Some(1.5),
        pause: Some(Duration::from_secs(30)),
        is_adult: Some(false),
    };
    let about = |subject| DrawRule { guild: GUILD, subject, terms: terms.clone() };
    let mut rules = vec![
        about(DrawSubject::Everyone),
        about(DrawSubject::Channel(u64::MAX)),
        about(DrawSubject::Role(RoleId(7))),
        banned(GUILD, 1),
        about(DrawSubject::Person(UserId(u64::MAX))),
    ];
    for rule in rules.iter().rev() {
        store.set_draw_rule(&DrawRule { terms: DrawTerms { may_draw: Some(true), ..DrawTerms::default() }, ..rule.clone() }).await.unwrap();
        store.set_draw_rule(rule).await.unwrap();
    }
    store.set_draw_rule(&banned(EVERYWHERE, 1)).await.unwrap();
    store.set_draw_rule(&banned(GuildId(2), 1)).await.unwrap();
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.draw_rules(GUILD).await.unwrap(), rules);
    let mut of_one = store.draw_rules_for(GUILD, UserId(1)).await.unwrap().rules;
    of_one.sort_by_key(|rule| (rule.guild.0, rule.subject));
    let binding = |rules: &[DrawRule]| [vec![banned(EVERYWHERE, 1)], rules[..4].to_vec()].concat();
    assert_eq!(of_one, binding(&rules));
    let elsewhere = store.draw_rules_for(GuildId(3), UserId(2)).await.unwrap().rules;
    assert_eq!(elsewhere, []);
    // Who says nothing any more has no rule.
    store.set_draw_rule(&DrawRule { terms: DrawTerms::default(), ..rules.remove(2) }).await.unwrap();
    assert_eq!(store.draw_rules(GUILD).await.unwrap(), rules);
}

pub async fn a_job_that_was_judged_by_older_rules_is_not_taken(backend: &impl Backend) {
    let store = backend.open().await;
    let judged = async || {
        let revision = store.draw_rules_for(GUILD, UserId(1)).await.unwrap().revision;
        NewJob { admission: Admission { revision: Some(revision), ..Admission::default() }, ..job(GUILD.0, 1) }
    };
    let (before, again) = (judged().await, judged().await);
    let known = match store.enqueue(again.clone(), &ROOMY, NOON).await.unwrap() {
        Enqueued::Created(id) => id,
        other => panic!("{other:?}"),
    };
    let remove = DrawRule { terms: DrawTerms::default(), ..banned(GUILD, 1) };
    for change in [banned(GUILD, 1), banned(EVERYWHERE, 2), remove] {
        let old = judged().await;
        store.set_draw_rule(&change).await.unwrap();
        for old in [&before, &old] {
            assert_eq!(store.enqueue(old.clone(), &ROOMY, NOON).await.unwrap(), Enqueued::JudgedByOldRules, "{change:?}");
        }
        let new = judged().await;
        assert!(matches!(store.enqueue(new, &ROOMY, NOON).await.unwrap(), Enqueued::Created(_)), "{change:?}");
    }
    // What was taken before is taken once.
    assert_eq!(store.enqueue(again, &ROOMY, NOON).await.unwrap(), Enqueued::SameKey(known));
}

pub async fn of_a_hundred_at_once_one_comes_in_where_a_pause_is_asked_for(backend: &impl Backend) {
    let store = backend.open().await;
    let pauses = vec![Pause { guild: GUILD, lasts: Duration::from_secs(60) }, Pause { guild: EVERYWHERE, lasts: Duration::from_secs(10) }];
    let paused = |guild: u64, user| NewJob { admission: Admission { pauses: pauses.clone(), ..Admission::default() }, ..job(guild, user) };
    let tries = (0..100).map(|_| {
        let (store, job) = (store.clone(), paused(GUILD.0, 1));
        tokio::spawn(async move { store.enqueue(job, &ROOMY, NOON).await.unwrap() })
    });
    let mut n_created = 0;
    for tried in tries.collect::<Vec<_>>() {
        match tried.await.unwrap() {
            Enqueued::Created(_) => n_created += 1,
            other => assert_eq!(other, Enqueued::Refused(Refusal::Pause { again: at(60_000) })),
        }
    }
    assert_eq!(n_created, 1);
    let is_taken = async |job: NewJob, ms: i64| matches!(store.enqueue(job, &ROOMY, at(ms)).await.unwrap(), Enqueued::Created(_));
    assert!(is_taken(paused(GUILD.0, 2), 0).await, "somebody else");
    let mut elsewhere = paused(9, 1);
    elsewhere.admission.pauses.remove(0);
    assert!(!is_taken(elsewhere.clone(), 9_999).await, "one pause holds everywhere");
    assert!(is_taken(elsewhere, 10_000).await);
    assert!(!is_taken(paused(GUILD.0, 1), 59_999).await && is_taken(paused(GUILD.0, 1), 60_000).await);
    assert!(is_taken(paused(GUILD.0, 1), 0).await, "a clock that was set back makes nobody wait");
}

pub async fn the_book_keeps_the_newest_lines_of_each_kind(backend: &impl Backend) {
    let store = backend.open().await;
    let entry = |n: i64, is_change| AuditEntry { guild: GUILD, user: UserId(7), at: at(n), is_change, what: serde_json::json!({ "n": n }) };
    store.note_audit(&entry(0, true)).await.unwrap();
    for n in 1..=i64::from(MAX_AUDIT) + 1 {
        store.note_audit(&entry(n, false)).await.unwrap();
    }
    store.note_audit(&AuditEntry { guild: EVERYWHERE, ..entry(5, true) }).await.unwrap();
    let last = i64::from(MAX_AUDIT) + 1;
    let page = async |is_change, offset, n| store.audit(GUILD, is_change, offset, n).await.unwrap();
    assert_eq!(page(None, 0, 2).await, (vec![entry(last, false), entry(last - 1, false)], true));
    assert_eq!(page(None, 1, 1).await, (vec![entry(last - 1, false)], true));
    assert_eq!(page(Some(true), 0, 9).await, (vec![entry(0, true)], false));
    assert_eq!(page(None, MAX_AUDIT - 1, 9).await, (vec![entry(2, false), entry(0, true)], false), "the oldest refusal went");
    assert_eq!(store.audit(EVERYWHERE, None, 0, 9).await.unwrap().0.len(), 1);
    assert_eq!(store.forget_audit(at(last)).await.unwrap(), u64::from(MAX_AUDIT) + 1);
    assert_eq!(page(None, 0, 9).await, (vec![entry(last, false)], false));
}
