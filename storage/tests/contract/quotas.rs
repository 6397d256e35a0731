//! What a guild's managers allow, in days and months.

use storage::{
    Enqueued, Failure, GuildId, JobStore, Limits, NewJob, Period, QuotaOf, QuotaRule, QuotaStatus, Refusal, RoleId, Spender, Subject, Tier,
    Timestamp, UserId, Zone,
};

use super::{model::end, support::*};

/// A guild whose id is nobody's.
const GUILD: u64 = 500;
const PAINTER: RoleId = RoleId(71);
const PATRON: RoleId = RoleId(72);

fn monthly(subject: Subject, row_megapixels: f64) -> QuotaRule {
    QuotaRule { period: Period::Month, ..daily(subject, row_megapixels) }
}

fn by(user: u64, roles: &[RoleId], row_megapixels: f64) -> NewJob {
    NewJob { roles: roles.to_vec(), ..costing(GUILD, user, row_megapixels) }
}

/// Which quota refuses, and what of it is used and allowed; `None` where the job is taken.
async fn refusal(store: &dyn JobStore, job: NewJob, now: Timestamp) -> Option<(QuotaOf, f64, f64)> {
    match store.enqueue(job, &ROOMY, now).await.unwrap() {
        Enqueued::Created(_) => None,
        Enqueued::Refused(Refusal::Quota { of, quota, .. }) => Some((of, quota.used, quota.limit)),
        other => panic!("{other:?}"),
    }
}

/// What a person has in the first guild.
async fn member(store: &dyn JobStore, user: u64, now: Timestamp) -> QuotaStatus {
    let quotas = store.quotas(&Spender::new(GuildId(GUILD), UserId(user)), &ROOMY, now).await.unwrap();
    quotas.into_iter().find(|(of, _)| *of == QuotaOf::Member).expect("a rule").1
}

pub async fn rules_are_kept_one_for_each_subject_and_period(backend: &impl Backend) {
    let store = backend.open().await;
    let guild = GuildId(GUILD);
    assert_eq!(store.quota_rules(guild).await.unwrap(), []);
    let rules = [
        daily(Subject::Guild, 9.5),
        monthly(Subject::Guild, 90.0),
        daily(Subject::Everyone, 3.0),
        QuotaRule { carry_over: 2.0, ..daily(Subject::Role(PAINTER), 4.0) },
        daily(Subject::Role(PATRON), 0.25),
        daily(Subject::Person(UserId(u64::MAX)), 0.0),
    ];
    for rule in rules.iter().rev() {
        store.set_quota_rule(guild, &QuotaRule { row_megapixels: 77.0, ..*rule }, NOON).await.unwrap();
        store.set_quota_rule(guild, rule, NOON).await.unwrap();
    }
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.quota_rules(guild).await.unwrap(), rules);
    assert_eq!(store.quota_rules(GuildId(2)).await.unwrap(), []);
    for expected in [true, false] {
        assert_eq!(store.remove_quota_rule(guild, Subject::Role(PAINTER), Period::Day).await.unwrap(), expected);
    }
    assert_eq!(store.quota_rules(guild).await.unwrap().len(), rules.len() - 1);
}

pub async fn a_person_is_bound_by_the_nearest_rule_and_the_most_generous_role(backend: &impl Backend) {
    let store = backend.open().await;
    let user = |id| Subject::Person(UserId(id));
    for (guild, rule) in [
        (GUILD, daily(Subject::Everyone, 2.0)),
        (GUILD, daily(Subject::Role(PAINTER), 4.0)),
        (GUILD, daily(Subject::Role(PATRON), 1.0)),
        (GUILD, daily(user(5), 0.5)),
        (GUILD, daily(user(6), 0.0)),
        (GUILD, monthly(user(7), 3.0)),
        (GUILD, daily(Subject::Guild, 100.0)),
        (2, daily(user(9), 0.5)),
    ] {
        allow(&*store, guild, rule).await;
    }
    let cases: [(u64, &[RoleId], f64); 9] = [
        (1, &[], 2.0),
        (2, &[PAINTER], 4.0),
        (3, &[PATRON], 1.0),
        (4, &[PATRON, PAINTER, RoleId(99)], 4.0),
        (5, &[PAINTER], 0.5),
        (6, &[PAINTER], 0.0),
        (7, &[], 2.0),
        (8, &[RoleId(99)], 2.0),
        (9, &[], 2.0),
    ];
    for (user, roles, limit) in cases {
        let too_much = by(user, roles, limit + 0.25);
        assert_eq!(refusal(&*store, too_much, NOON).await, Some((QuotaOf::Member, 0.0, limit)), "{user}");
        if limit > 0.0 {
            assert_eq!(refusal(&*store, by(user, roles, limit), NOON).await, None, "{user}");
        }
    }
    // Elsewhere these rules say nothing, and neither do they where the person stands in for the guild.
    assert_eq!(refusal(&*store, NewJob { roles: vec![PATRON], ..costing(3, 1, 50.0) }, NOON).await, None);
    store.set_quota_rule(GuildId(8), &daily(Subject::Everyone, 0.0), Timestamp(0)).await.unwrap();
    assert_eq!(refusal(&*store, costing(8, 8, 50.0), NOON).await, None, "direct messages");
    // A month of one's own beside everyone's day.
    assert_eq!(refusal(&*store, by(7, &[], 2.0), at(DAY_MS)).await, Some((QuotaOf::Member, 2.0, 3.0)), "a third and a half this month");
    assert_eq!(refusal(&*store, by(7, &[], 1.0), at(DAY_MS)).await, None);
}

pub async fn a_month_holds_all_of_its_days(backend: &impl Backend) {
    let store = backend.open().await;
    allow(&*store, GUILD, monthly(Subject::Guild, 3.0)).await;
    let ends = end(Period::Month, NOON);
    let last = Timestamp(ends.0 - 1);
    assert_eq!(refusal(&*store, costing(GUILD, 1, 1.0), NOON).await, None);
    assert_eq!(refusal(&*store, costing(GUILD, 2, 2.0), last).await, None);
    match store.enqueue(costing(GUILD, 3, 0.25), &ROOMY, last).await.unwrap() {
        Enqueued::Refused(Refusal::Quota { of: QuotaOf::Guild, quota, .. }) => {
            assert_eq!((quota.period, quota.used, quota.resets), (Period::Month, 3.0, ends));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refusal(&*store, costing(GUILD, 3, 3.0), ends).await, None, "a new month");
}

pub async fn what_is_left_goes_over_once_and_no_further_than_was_said(backend: &impl Backend) {
    let store = backend.open().await;
    let rule = QuotaRule { carry_over: 3.0, ..daily(Subject::Everyone, 5.0) };
    store.set_quota_rule(GuildId(GUILD), &rule, NOON).await.unwrap();
    let has = async |day: i64| {
        let quota = member(&*store, 1, at(day * DAY_MS)).await;
        (quota.limit, quota.carried)
    };
    assert_eq!(has(0).await, (5.0, 0.0), "nothing is left of the time before the rule");
    assert_eq!(refusal(&*store, costing(GUILD, 1, 4.0), NOON).await, None);
    assert_eq!(has(1).await, (6.0, 1.0));
    assert_eq!(refusal(&*store, costing(GUILD, 1, 6.0), at(DAY_MS)).await, None);
    assert_eq!(has(2).await, (5.0, 0.0), "a day that used more than its own leaves nothing");
    assert_eq!(has(3).await, (8.0, 3.0), "as much as was said");
    assert_eq!(has(4).await, (8.0, 3.0), "what went over once is gone");
    // A larger rule changes what is left of the days before, and goes on from the same time.
    store.set_quota_rule(GuildId(GUILD), &QuotaRule { carry_over: 50.0, ..daily(Subject::Everyone, 6.0) }, at(DAY_MS)).await.unwrap();
    assert_eq!(has(1).await, (8.0, 2.0));
    assert_eq!(has(5).await, (12.0, 6.0), "never more than a whole quota");
    // The host's limit is above all rules.
    let limits = Limits { daily_row_megapixels: 7.0, ..ROOMY };
    allow(&*store, GUILD, QuotaRule { carry_over: 5.0, ..daily(Subject::Guild, 5.0) }).await;
    let quotas = store.quotas(&Spender::new(GuildId(GUILD), UserId(2)), &limits, at(9 * DAY_MS)).await.unwrap();
    let of_guild = quotas.iter().find(|(of, _)| *of == QuotaOf::Guild).unwrap().1;
    assert_eq!((of_guild.limit, of_guild.carried), (7.0, 2.0));
}

pub async fn what_is_forgiven_counts_no_more_in_its_period(backend: &impl Backend) {
    let store = backend.open().await;
    for rule in [daily(Subject::Everyone, 3.0), monthly(Subject::Everyone, 100.0), daily(Subject::Guild, 5.0)] {
        allow(&*store, GUILD, rule).await;
    }
    let first = created(&*store, costing(GUILD, 1, 3.0)).await;
    assert!(refusal(&*store, costing(GUILD, 1, 1.0), NOON).await.is_some());
    assert_eq!(store.forgive(GuildId(GUILD), Some(UserId(1)), Period::Day, NOON).await.unwrap(), 3.0);
    assert_eq!(store.forgive(GuildId(GUILD), Some(UserId(1)), Period::Day, NOON).await.unwrap(), 0.0, "nothing is left to forgive");
    assert_eq!(member(&*store, 1, NOON).await.used, 0.0);
    assert_eq!(refusal(&*store, costing(GUILD, 1, 3.0), NOON).await, Some((QuotaOf::Guild, 3.0, 5.0)), "the guild's is another");
    assert_eq!(store.forgive(GuildId(GUILD), None, Period::Day, NOON).await.unwrap(), 3.0);
    assert_eq!(refusal(&*store, costing(GUILD, 1, 3.0), NOON).await, None);
    assert_eq!(refusal(&*store, costing(GUILD, 1, 0.25), NOON).await, Some((QuotaOf::Member, 3.0, 3.0)));
    // The month was not forgiven, and neither is the next day.
    let quotas = store.quotas(&Spender::new(GuildId(GUILD), UserId(1)), &ROOMY, NOON).await.unwrap();
    assert!(quotas.iter().any(|(of, quota)| (*of, quota.period, quota.used) == (QuotaOf::Member, Period::Month, 6.0)), "{quotas:?}");
    assert_eq!(refusal(&*store, costing(GUILD, 1, 3.0), at(DAY_MS)).await, None);
    assert!(refusal(&*store, costing(GUILD, 1, 0.25), at(DAY_MS)).await.is_some());
    // What was debited before is corrected as ever, and what was forgiven is not given back a second time as less than nothing.
    store.request_cancel(first, NOON).await.unwrap();
    let quota = member(&*store, 1, NOON).await;
    assert_eq!((quota.used, quota.left()), (0.0, 3.0));
}

pub async fn a_free_job_is_bound_by_nothing_but_a_limit_of_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    allow(&*store, GUILD, daily(Subject::Everyone, 1.0)).await;
    allow(&*store, 2, daily(Subject::Person(UserId(5)), 0.0)).await;
    let relaxed = |guild, row_megapixels| NewJob { tier: Tier::Relax, ..costing(guild, 5, row_megapixels) };
    let limits = Limits { is_relax_free: true, daily_row_megapixels_per_user: Some(2.0), ..ROOMY };
    let ask = async |job: NewJob, limits: Limits| store.enqueue(job, &limits, NOON).await.unwrap();
    assert!(matches!(ask(relaxed(GUILD, 9.0), ROOMY).await, Enqueued::Refused(_)), "where it is not free");
    assert!(matches!(ask(costing(GUILD, 5, 1.0), limits).await, Enqueued::Created(_)));
    assert!(matches!(ask(costing(GUILD, 5, 0.25), limits).await, Enqueued::Refused(_)));
    let Enqueued::Created(free) = ask(relaxed(GUILD, 9.0), limits).await else { panic!("it is free") };
    assert!(matches!(ask(relaxed(2, 9.0), limits).await, Enqueued::Refused(Refusal::Quota { of: QuotaOf::Member, .. })));
    assert_eq!(member(&*store, 5, NOON).await.used, 1.0);
    // However it ends, nothing is charged and nothing given back.
    let again = store.claim(LEASE, &MANY, &[], NOON).await.unwrap().unwrap();
    let lease = if again.job.id == free { again } else { store.claim(LEASE, &MANY, &[], NOON).await.unwrap().unwrap() };
    assert_eq!(lease.job.id, free);
    store.complete(&lease, 9.0, NOON).await.unwrap();
    assert_eq!(member(&*store, 5, NOON).await.used, 1.0);
    store.lose(free, &Failure::OutOfMemory).await.unwrap();
    assert_eq!(member(&*store, 5, NOON).await.used, 1.0);
}

pub async fn a_hundred_at_once_do_not_exceed_a_quota(backend: &impl Backend) {
    let store = backend.open().await;
    for rule in [daily(Subject::Role(PAINTER), 7.0), monthly(Subject::Everyone, 5.0), daily(Subject::Guild, 23.0)] {
        allow(&*store, GUILD, rule).await;
    }
    let asked: Vec<_> = (0..100_u64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { refusal(&*store, by(1 + n % 10, &[PAINTER], 1.0), NOON).await })
        })
        .collect();
    let mut taken = 0;
    for answer in asked {
        taken += u32::from(answer.await.unwrap().is_none());
    }
    assert_eq!(taken, 23);
    for user in 1..=10 {
        assert!(member(&*store, user, NOON).await.used <= 5.0);
    }
}

pub async fn days_begin_where_the_host_is(backend: &impl Backend) {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let store = backend.open_in(berlin).await;
    allow(&*store, GUILD, daily(Subject::Everyone, 1.0)).await;
    // 2026-10-25 has 25 hours there, from 22:00 UTC to 23:00 UTC.
    const BEGINS: i64 = 1_792_879_200_000;
    const HOUR_MS: i64 = 3_600_000;
    for (ms, is_taken) in [(-1, true), (0, true), (24 * HOUR_MS, false), (25 * HOUR_MS - 1, false), (25 * HOUR_MS, true)] {
        let refused = refusal(&*store, costing(GUILD, 1, 1.0), Timestamp(BEGINS + ms)).await;
        assert_eq!(refused.is_none(), is_taken, "{ms}");
    }
    assert_eq!(member(&*store, 1, Timestamp(BEGINS)).await.resets, Timestamp(BEGINS + 25 * HOUR_MS));
}
